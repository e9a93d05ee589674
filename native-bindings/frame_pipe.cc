#include "frame_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "failure.h"
#include "promises.h"

namespace tredive {

Napi::Value OpenFramePipe(const Napi::CallbackInfo& info) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw ToError(info.Env(), Failure::System("pipe"));
  // Fewer, longer turns for both sides. Where a user's pipe limit forbids it, the default of 64 KiB works
  // just as well, slower.
  fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  Napi::Object pipe = Napi::Object::New(info.Env());
  pipe.Set("readFd", ends[0]);
  pipe.Set("writeFd", ends[1]);
  return pipe;
}

}  // namespace tredive
