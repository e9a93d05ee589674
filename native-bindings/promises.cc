#include "promises.h"

namespace tredive {

Napi::Error ToError(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("code", Napi::String::New(env, failure.code()));
  error.Set("errno", Napi::Number::New(env, failure.number()));
  return error;
}

void Background::Start(Napi::Env env, const char* name, std::vector<std::function<void()>> threads) {
  // Held by the finalizer, which Node runs when every thread has let go or when the environment is torn down.
  auto* self = new std::shared_ptr<Background>(shared_from_this());
  const auto nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  toJavaScript_ = Napi::ThreadSafeFunction::New(
      env, nothing, name, 0, threads.size(),
      [](Napi::Env, std::shared_ptr<Background>* held) {
        (*held)->OnStop();
        for (std::thread& thread : (*held)->threads_) thread.join();
        (*held)->threads_.clear();
        (*held)->stop_.Close();
        delete held;
      },
      self);
  for (std::function<void()>& work : threads) {
    threads_.emplace_back([this, work = std::move(work)] {
      BlockSigpipe();
      work();
      toJavaScript_.Release();
    });
  }
}

void Background::Post(Task task) {
  auto* held = new Task(std::move(task));
  const napi_status status =
      toJavaScript_.NonBlockingCall(held, [](Napi::Env env, Napi::Function, Task* run) {
        const std::unique_ptr<Task> owned(run);
        if (static_cast<napi_env>(env) == nullptr) return;
        try {
          (*owned)(env);
        } catch (const Napi::Error&) {
          // A worker thread that is being terminated runs no more JavaScript: nobody is left to be told.
        }
      });
  if (status != napi_ok) delete held;
}

void Background::KeepAlive(Napi::Env env, bool alive) {
  if (alive) {
    toJavaScript_.Ref(env);
  } else {
    toJavaScript_.Unref(env);
  }
}

}  // namespace tredive
