#include "walk_tree.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "promises.h"
#include "tree_walker.h"

namespace tredive {

namespace {

constexpr size_t kRecordsInBatch = 2048;
/** Batches that wait: the disk goes on while JavaScript compares, and memory stays small. */
constexpr size_t kAhead = 4;

class TreeWalk : public Background {
 public:
  TreeWalk(const std::string& root, std::string folder) : walker_(root, std::move(folder)) {}

  void Launch(Napi::Env env) {
    Start(env, "tredive tree walk", {[this] { Run(); }});
  }

  void Close(Napi::Env env) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      batches_.clear();
      // Behind the last record, too: half of what was read must never pass for all of it.
      failure_ = Failure(Trouble::kInterrupted, "the walk was stopped");
    }
    Stop();
    Answer(env);
  }

  Napi::Value Next(Napi::Env env) {
    if (asked_) throw Napi::Error::New(env, "one next() at a time");
    asked_.emplace(Napi::Promise::Deferred::New(env));
    const Napi::Promise promise = asked_->Promise();
    Answer(env);
    return promise;
  }

 private:
  /** Also when the thread has come to its end by itself: what it read is still wanted then. */
  void OnStop() override {
    Background::OnStop();
    stopping_ = true;
    const std::lock_guard<std::mutex> lock(mutex_);
    room_.notify_all();
  }

  void Run() {
    try {
      for (;;) {
        std::string records;
        if (walker_.Fill(&records, kRecordsInBatch, stopping_) == 0) break;
        records.pop_back();
        std::unique_lock<std::mutex> lock(mutex_);
        room_.wait(lock, [this] { return stopping_ || batches_.size() < kAhead; });
        if (stopping_) break;
        batches_.push_back(std::move(records));
        if (batches_.size() == 1) Tell();
      }
    } catch (const Failure& failure) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_) failure_ = failure;
    } catch (const std::exception& error) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_) failure_ = Failure(Trouble::kIo, error.what(), ENOMEM);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    Tell();
  }

  void Tell() {
    Post([self = shared_from_this(), this](Napi::Env env) { Answer(env); });
  }

  /** On the JavaScript thread. */
  void Answer(Napi::Env env) {
    if (!asked_) return;
    std::string records;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (failure_ && batches_.empty()) {
        asked_->Reject(ToError(env, *failure_).Value());
        asked_.reset();
        return;
      }
      if (batches_.empty()) {
        if (!ended_) return;
        asked_->Resolve(env.Null());
        asked_.reset();
        return;
      }
      records = std::move(batches_.front());
      batches_.pop_front();
      room_.notify_one();
    }
    asked_->Resolve(Napi::String::New(env, records));
    asked_.reset();
  }

  TreeWalker walker_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<std::string> batches_;
  std::optional<Failure> failure_;
  bool ended_ = false;
  std::optional<Napi::Promise::Deferred> asked_;
};

std::string PathOf(const Napi::Value& value) {
  const auto buffer = value.As<Napi::Buffer<char>>();
  std::string path(buffer.Data(), buffer.Length());
  if (path.find('\0') != std::string::npos) throw Napi::TypeError::New(value.Env(), "a path with a NUL byte");
  return path;
}

}  // namespace

Napi::Value OpenTreeWalk(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::shared_ptr<TreeWalk> walk;
  try {
    walk = std::make_shared<TreeWalk>(PathOf(info[0]), PathOf(info[1]));
  } catch (const Failure& failure) {
    throw ToError(env, failure);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("next", Napi::Function::New(
                         env, [walk](const Napi::CallbackInfo& call) { return walk->Next(call.Env()); }));
  object.Set("close",
             Napi::Function::New(env, [walk](const Napi::CallbackInfo& call) { walk->Close(call.Env()); }));
  walk->Launch(env);
  return object;
}

}  // namespace tredive
