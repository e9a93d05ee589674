#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "failure.h"
#include "fd_stream.h"

namespace tredive {

/** A Failure as a JavaScript Error with `code` and `errno`. */
Napi::Error ToError(Napi::Env env, const Failure& failure);

/**
 * Threads of our own beside the JavaScript thread: work that waits for a child process must not take one of
 * libuv's four threads. The one lifetime rule: whatever ends first - the work, a stop, the whole environment
 * - the threads are joined before the object goes, and no call reaches JavaScript after that.
 */
class Background : public std::enable_shared_from_this<Background> {
 public:
  virtual ~Background() = default;

  /** Starts one thread per function. `this` lives until all of them have returned. On the JavaScript thread.
   */
  void Start(Napi::Env env, const char* name, std::vector<std::function<void()>> threads);
  void Stop() { OnStop(); }

 protected:
  using Task = std::function<void(Napi::Env)>;

  /** Runs `task` on the JavaScript thread, later. From any of our threads; dropped when the environment is
   * closing. */
  void Post(Task task);
  /** Whether a pending promise keeps the process alive. On the JavaScript thread. */
  void KeepAlive(Napi::Env env, bool alive);
  virtual void OnStop() { stop_.Raise(); }

  StopSignal stop_;

 private:
  Napi::ThreadSafeFunction toJavaScript_;
  std::vector<std::thread> threads_;
};

}  // namespace tredive
