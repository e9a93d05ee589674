#include "file_lock.h"

#include <sys/file.h>

#include "failure.h"
#include "promises.h"

namespace tredive {

Napi::Value TryLock(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  int result;
  do {
    result = flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return Napi::Boolean::New(env, true);
  switch (errno) {
    case EWOULDBLOCK:
      return Napi::Boolean::New(env, false);
    // What network and user-space file systems answer that know of no locks.
    case ENOLCK:
    case ENOSYS:
    case EOPNOTSUPP:
      return env.Null();
    default:
      throw ToError(env, Failure::System("flock"));
  }
}

}  // namespace tredive
