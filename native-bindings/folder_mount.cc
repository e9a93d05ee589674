#include "folder_mount.h"

#include <sys/statfs.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "failure.h"
#include "promises.h"

namespace tredive {

Napi::Value FolderMount(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto path = info[0].As<Napi::Buffer<char>>();
  struct statfs seen;
  if (statfs(std::string(path.Data(), path.Length()).c_str(), &seen) != 0) {
    throw ToError(env, Failure::System("statfs"));
  }
  uint32_t id[2];
  static_assert(sizeof id == sizeof seen.f_fsid);
  std::memcpy(id, &seen.f_fsid, sizeof id);
  char text[48];
  std::snprintf(text, sizeof text, "%lx-%08x%08x", static_cast<unsigned long>(seen.f_type), id[0], id[1]);
  Napi::Object object = Napi::Object::New(env);
  object.Set("filesystem", text);
  // ST_RDONLY, which <sys/statvfs.h> names, has the same value in f_flags.
  object.Set("readOnly", (seen.f_flags & 1) != 0);
  return object;
}

}  // namespace tredive
