#include "frame_pump.h"

#include <sys/random.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "mask_plan.h"
#include "nut_reader.h"
#include "nut_writer.h"
#include "promises.h"

namespace tredive {

namespace {

/** Enough that decoder and encoder both stay busy while one of them is at a key frame. */
constexpr size_t kBuffers = 4;

uint64_t RandomSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) throw Failure::System("getrandom");
  return seed | 1;
}

class FramePump : public Background {
 public:
  FramePump(Napi::Env env, UniqueFd readFd, UniqueFd writeFd, MaskPlan plan, size_t first, size_t end)
      : deferred_(Napi::Promise::Deferred::New(env)),
        source_(readFd.Release(), stop_),
        sink_(writeFd.Release(), stop_),
        nut_(source_),
        plan_(std::move(plan)),
        first_(first),
        end_(end) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Launch(Napi::Env env, const Napi::Value& onProgress) {
    if (onProgress.IsFunction())
      onProgress_ = new Napi::FunctionReference(Napi::Persistent(onProgress.As<Napi::Function>()));
    Start(env, "tredive frame pump",
          {[this] { Guarded([this] { ReadAndMask(); }); }, [this] { Guarded([this] { WriteAll(); }); }});
  }

 private:
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

  /** The first failure is the one that is told; it stops the other thread. The last thread to end settles the
   * promise. */
  void Guarded(const std::function<void()>& work) {
    try {
      work();
    } catch (const Failure& failure) {
      Fail(failure);
    } catch (const std::exception& error) {
      Fail(Failure(Trouble::kIo, error.what(), ENOMEM));
    }
    if (--running_ > 0) return;
    source_.Close();
    sink_.Close();
    Post([self = shared_from_this(), this](Napi::Env env) {
      delete onProgress_;
      onProgress_ = nullptr;
      if (failure_) {
        deferred_.Reject(ToError(env, *failure_).Value());
        return;
      }
      Napi::Object result = Napi::Object::New(env);
      result.Set("framesRead", Napi::Number::New(env, static_cast<double>(framesRead_)));
      result.Set("framesWritten", Napi::Number::New(env, static_cast<double>(framesWritten_)));
      deferred_.Resolve(result);
    });
  }

  void Fail(const Failure& failure) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_) failure_ = failure;
    }
    OnStop();
  }

  void ReadAndMask() {
    const VideoInfo info = nut_.ReadHeader();
    if (info.format != PixelFormat::kYuv420p)
      throw Failure(Trouble::kMalformed, "the frames are not yuv420p");
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      info_ = info;
      for (size_t i = 0; i < kBuffers; i++) free_.emplace_back(FrameBytes(info));
      changed_.notify_all();
    }
    Masker masker(plan_.style, RandomSeed());
    for (size_t index = 0;; index++) {
      // A range that ends before the footage does is complete here; whoever started the decoder ends it.
      if (index == end_ && end_ < plan_.frameCount()) break;
      std::vector<uint8_t> pixels = Take(free_);
      NutReader::Frame frame;
      if (!nut_.ReadFrame(pixels.data(), &frame)) {
        if (index != plan_.frameCount()) {
          throw Failure(Trouble::kMismatch, "only " + std::to_string(index) + " of the expected " +
                                                std::to_string(plan_.frameCount()) + " frames");
        }
        break;
      }
      plan_.CheckTime(index, frame.pts, 0, 0, info);
      framesRead_ = index + 1;
      if (index < first_) {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(pixels));
        continue;
      }
      const Picture picture = Picture::Of(info, pixels.data());
      for (uint32_t i = plan_.offsets[index]; i < plan_.offsets[index + 1]; i++)
        masker.Apply(picture, plan_.rects[i]);
      if (plan_.label) plan_.label->Draw(picture, plan_.textOfFrame[index]);
      if (index == first_) origin_ = frame.pts;
      const std::lock_guard<std::mutex> lock(mutex_);
      masked_.push_back({std::move(pixels), frame.pts - origin_});
      changed_.notify_all();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    complete_ = true;
    changed_.notify_all();
  }

  void WriteAll() {
    VideoInfo info;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || info_; });
      ThrowIfStopped();
      info = *info_;
    }
    NutWriter writer(sink_, info);
    writer.WriteHeader();
    auto told = std::chrono::steady_clock::now();
    for (;;) {
      Slot slot;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return stopped_ || complete_ || !masked_.empty(); });
        ThrowIfStopped();
        if (masked_.empty()) break;
        slot = std::move(masked_.front());
        masked_.pop_front();
      }
      writer.WriteFrame(slot.pixels.data(), slot.pts);
      framesWritten_++;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(slot.pixels));
        changed_.notify_all();
      }
      const auto now = std::chrono::steady_clock::now();
      if (onProgress_ != nullptr && now - told >= std::chrono::milliseconds(200)) {
        told = now;
        Tell(framesWritten_);
      }
    }
    sink_.Close();
  }

  void Tell(size_t frames) {
    Post([self = shared_from_this(), this, frames](Napi::Env env) {
      if (onProgress_ != nullptr) onProgress_->Call({Napi::Number::New(env, static_cast<double>(frames))});
    });
  }

  std::vector<uint8_t> Take(std::deque<std::vector<uint8_t>>& from) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || !from.empty(); });
    ThrowIfStopped();
    std::vector<uint8_t> taken = std::move(from.front());
    from.pop_front();
    return taken;
  }

  void ThrowIfStopped() const {
    if (stopped_) throw Failure(Trouble::kInterrupted, "stopped");
  }

  Napi::Promise::Deferred deferred_;
  FdSource source_;
  FdSink sink_;
  NutReader nut_;
  MaskPlan plan_;
  const size_t first_;
  const size_t end_;
  Napi::FunctionReference* onProgress_ = nullptr;  // made and freed on the JavaScript thread

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<uint8_t>> free_;
  std::deque<Slot> masked_;
  std::optional<VideoInfo> info_;
  std::optional<Failure> failure_;
  std::atomic<int> running_{2};
  int64_t origin_ = 0;
  size_t framesRead_ = 0;
  size_t framesWritten_ = 0;
  bool complete_ = false;
  bool stopped_ = false;
};

}  // namespace

Napi::Value PumpFrames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].As<Napi::Object>();
  UniqueFd readFd(options.Get("readFd").As<Napi::Number>().Int32Value());
  UniqueFd writeFd(options.Get("writeFd").As<Napi::Number>().Int32Value());
  MaskPlan plan = ToMaskPlan(options);
  const uint32_t first = options.Get("firstFrame").As<Napi::Number>();
  const uint32_t end = options.Get("endFrame").As<Napi::Number>();
  if (first >= end || end > plan.frameCount()) throw Napi::RangeError::New(env, "no frames in the range");
  std::shared_ptr<FramePump> pump;
  try {
    pump =
        std::make_shared<FramePump>(env, std::move(readFd), std::move(writeFd), std::move(plan), first, end);
  } catch (const Failure& failure) {
    throw ToError(env, failure);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("done", pump->promise());
  object.Set("stop", Napi::Function::New(env, [pump](const Napi::CallbackInfo&) { pump->Stop(); }));
  pump->Launch(env, options.Get("onProgress"));
  return object;
}

}  // namespace tredive
