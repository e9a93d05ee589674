#include "frame_reader.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "nut_reader.h"
#include "planar.h"
#include "promises.h"

namespace tredive {

namespace {

/** Frames read ahead; more would only take memory, as one side is always the slower one. */
constexpr size_t kAhead = 3;

class FrameReader : public Background {
 public:
  explicit FrameReader(int fd) : source_(fd, stop_), nut_(source_) {}

  void Launch(Napi::Env env) {
    Start(env, "tredive frame reader", {[this] { ReadAll(); }, [this] { AnswerAll(); }});
    KeepAlive(env, false);
  }

  Napi::Promise Header(Napi::Env env) {
    return Ask(env, {Napi::Promise::Deferred::New(env), true, nullptr, nullptr, 0});
  }

  Napi::Promise Next(Napi::Env env, const Napi::Value& into) {
    Request request{Napi::Promise::Deferred::New(env), false, nullptr, nullptr, 0};
    if (!into.IsNull() && !into.IsUndefined()) {
      auto array = into.As<Napi::Float32Array>();
      request.into = array.Data();
      request.length = array.ElementLength();
      // Keeps the memory while our thread writes to it. A plain pointer, freed on the JavaScript thread only:
      // when the environment goes first, it goes with it.
      request.held = new Napi::ObjectReference(Napi::Persistent(array.As<Napi::Object>()));
    }
    return Ask(env, std::move(request));
  }

 private:
  struct Request {
    Napi::Promise::Deferred deferred;
    bool header;
    Napi::ObjectReference* held;
    float* into;
    size_t length;
  };
  struct Slot {
    std::vector<uint8_t> pixels;
    int64_t pts;
  };

  void OnStop() override {
    Background::OnStop();
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  Napi::Promise Ask(Napi::Env env, Request request) {
    const Napi::Promise promise = request.deferred.Promise();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) {
      request.deferred.Reject(
          ToError(env, Failure(Trouble::kInterrupted, "the frame reader is closed")).Value());
      return promise;
    }
    if (pending_++ == 0) KeepAlive(env, true);
    requests_.push_back(std::move(request));
    changed_.notify_all();
    return promise;
  }

  /** First thread: pipe to slots. */
  void ReadAll() {
    std::optional<Failure> failure;
    try {
      const VideoInfo info = nut_.ReadHeader();
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        info_ = info;
        changed_.notify_all();
      }
      std::vector<uint8_t> pixels;
      for (;;) {
        pixels.resize(FrameBytes(info));
        NutReader::Frame frame;
        if (!nut_.ReadFrame(pixels.data(), &frame)) break;
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return stopped_ || frames_.size() < kAhead; });
        if (stopped_) throw Failure(Trouble::kInterrupted, "stopped");
        frames_.push_back({std::move(pixels), frame.pts});
        pixels = std::move(spare_);
        changed_.notify_all();
      }
    } catch (const Failure& caught) {
      failure = caught;
    } catch (const std::exception& caught) {
      failure = Failure(Trouble::kIo, caught.what(), ENOMEM);
    }
    source_.Close();
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    failure_ = failure;
    changed_.notify_all();
  }

  /** Second thread: slots to promises. */
  void AnswerAll() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock,
                    [this] { return stopped_ || (!requests_.empty() && Answerable(requests_.front())); });
      if (stopped_) break;
      Request request = std::move(requests_.front());
      requests_.pop_front();
      if (request.header) {
        if (info_) {
          Settle(std::move(request), [info = *info_](Napi::Env env) { return HeaderObject(env, info); });
        } else {
          Fail(std::move(request), *failure_);
        }
        continue;
      }
      if (frames_.empty()) {
        if (failure_) {
          Fail(std::move(request), *failure_);
        } else {
          Settle(std::move(request), [](Napi::Env env) { return env.Null(); });
        }
        continue;
      }
      Slot slot = std::move(frames_.front());
      frames_.pop_front();
      const uint32_t index = index_++;
      changed_.notify_all();
      const VideoInfo info = *info_;
      lock.unlock();
      if (request.into != nullptr) {
        if (request.length != static_cast<size_t>(info.width) * info.height * 3) {
          Fail(std::move(request),
               Failure(Trouble::kUsage, "the array does not have 3 * width * height elements"));
          continue;
        }
        ToPlanarFloat(info, slot.pixels.data(), request.into);
      }
      Settle(std::move(request), [index, pts = slot.pts](Napi::Env env) {
        Napi::Object frame = Napi::Object::New(env);
        frame.Set("index", index);
        frame.Set("pts", Napi::BigInt::New(env, pts));
        return frame;
      });
      lock.lock();
      spare_ = std::move(slot.pixels);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Request& request : requests_)
      Fail(std::move(request), Failure(Trouble::kInterrupted, "the frame reader was closed"));
    requests_.clear();
  }

  bool Answerable(const Request& request) const {
    if (ended_) return true;
    return request.header ? info_.has_value() : !frames_.empty();
  }

  void Settle(Request request, std::function<Napi::Value(Napi::Env)> value) {
    Post([self = shared_from_this(), this, request = std::move(request),
          value = std::move(value)](Napi::Env env) {
      Done(env, request);
      request.deferred.Resolve(value(env));
    });
  }

  void Fail(Request request, Failure failure) {
    Post([self = shared_from_this(), this, request = std::move(request),
          failure = std::move(failure)](Napi::Env env) {
      Done(env, request);
      request.deferred.Reject(ToError(env, failure).Value());
    });
  }

  void Done(Napi::Env env, const Request& request) {
    delete request.held;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--pending_ == 0) KeepAlive(env, false);
  }

  static Napi::Value HeaderObject(Napi::Env env, const VideoInfo& info) {
    Napi::Object timeBase = Napi::Object::New(env);
    timeBase.Set("num", info.timeBaseNum);
    timeBase.Set("den", info.timeBaseDen);
    Napi::Object header = Napi::Object::New(env);
    header.Set("width", info.width);
    header.Set("height", info.height);
    header.Set("timeBase", timeBase);
    header.Set("pixelFormat", PixelFormatName(info.format));
    return header;
  }

  FdSource source_;
  NutReader nut_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> requests_;
  std::deque<Slot> frames_;
  std::vector<uint8_t> spare_;
  std::optional<VideoInfo> info_;
  std::optional<Failure> failure_;
  uint32_t index_ = 0;
  uint32_t pending_ = 0;
  bool ended_ = false;
  bool stopped_ = false;
};

}  // namespace

Napi::Value OpenFrameReader(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::shared_ptr<FrameReader> reader;
  try {
    reader = std::make_shared<FrameReader>(info[0].As<Napi::Number>().Int32Value());
  } catch (const Failure& failure) {
    throw ToError(env, failure);
  }
  reader->Launch(env);
  Napi::Object object = Napi::Object::New(env);
  // A reader that is forgotten instead of closed must not keep its threads and its child.
  object.AddFinalizer(
      [](Napi::Env, std::shared_ptr<FrameReader>* held) {
        (*held)->Stop();
        delete held;
      },
      new std::shared_ptr<FrameReader>(reader));
  object.Set("header", Napi::Function::New(env, [reader](const Napi::CallbackInfo& call) {
               return reader->Header(call.Env());
             }));
  object.Set("next", Napi::Function::New(env, [reader](const Napi::CallbackInfo& call) {
               return reader->Next(call.Env(), call[0]);
             }));
  object.Set("close", Napi::Function::New(env, [reader](const Napi::CallbackInfo&) { reader->Stop(); }));
  return object;
}

}  // namespace tredive
