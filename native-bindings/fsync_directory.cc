#include "fsync_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "failure.h"
#include "fd_stream.h"
#include "promises.h"

namespace tredive {

namespace {

class FsyncWorker : public Napi::AsyncWorker {
 public:
  FsyncWorker(Napi::Env env, std::string path)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), path_(std::move(path)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    const UniqueFd directory(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
      failure_ = Failure::System("opening the directory");
    } else if (fsync(directory.get()) != 0) {
      failure_ = Failure::System("fsync of the directory");
    }
  }

  void OnOK() override {
    if (failure_) {
      deferred_.Reject(ToError(Env(), *failure_).Value());
    } else {
      deferred_.Resolve(Env().Undefined());
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::string path_;
  std::optional<Failure> failure_;
};

}  // namespace

Napi::Value FsyncDirectory(const Napi::CallbackInfo& info) {
  const auto path = info[0].As<Napi::Buffer<char>>();
  auto* worker = new FsyncWorker(info.Env(), std::string(path.Data(), path.Length()));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace tredive
