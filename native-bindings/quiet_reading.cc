#include "quiet_reading.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failure.h"
#include "promises.h"

namespace tredive {

namespace {

// linux/ioprio.h, which not every C library's headers have.
constexpr int kWhoProcess = 1;
constexpr int kBestEffortLowest = (2 << 13) | 7;
constexpr int kNice = 10;

}  // namespace

Napi::Value LowerThreadPriority(const Napi::CallbackInfo& info) {
  // Both mean the thread that asks where the id is 0.
  const bool quiet = syscall(SYS_ioprio_set, kWhoProcess, 0, kBestEffortLowest) == 0;
  setpriority(PRIO_PROCESS, 0, kNice);
  return Napi::Boolean::New(info.Env(), quiet);
}

Napi::Value DropFromCache(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  // What was not written yet is not dropped.
  if (fsync(fd) != 0) throw ToError(env, Failure::System("fsync"));
  return Napi::Boolean::New(env, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
}

}  // namespace tredive
