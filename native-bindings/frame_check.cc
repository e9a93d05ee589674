#include "frame_check.h"

#include <algorithm>

#include "mask_plan.h"
#include "nut_reader.h"
#include "promises.h"

namespace tredive {

namespace {

/** A strip with other letters differs by far more; encoder noise on sharp letters stays below. */
constexpr double kLabelTolerance = 20;

bool Overlap(const Rect& a, const Rect& b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

class FrameCheck : public Background {
 public:
  FrameCheck(Napi::Env env, UniqueFd readFd, MaskPlan plan)
      : deferred_(Napi::Promise::Deferred::New(env)),
        source_(readFd.Release(), stop_),
        nut_(source_),
        plan_(std::move(plan)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Launch(Napi::Env env) {
    Start(env, "tredive frame check", {[this] {
            try {
              CheckAll();
            } catch (const Failure& failure) {
              failure_ = failure;
            } catch (const std::exception& error) {
              failure_ = Failure(Trouble::kIo, error.what(), ENOMEM);
            }
            source_.Close();
            Post([self = shared_from_this(), this](Napi::Env after) { Settle(after); });
          }});
  }

 private:
  void CheckAll() {
    const VideoInfo info = nut_.ReadHeader();
    if (info.format != PixelFormat::kYuv420p)
      throw Failure(Trouble::kMalformed, "the frames are not yuv420p");
    std::vector<uint8_t> pixels(FrameBytes(info));
    const Picture picture = Picture::Of(info, pixels.data());
    int32_t rowFrom = 0, rowTo = picture.height;
    if (plan_.label) {
      int32_t labelFrom, labelTo;
      plan_.label->Rows(picture.width, picture.height, &labelFrom, &labelTo);
      if (labelFrom == 0) rowFrom = labelTo;
      if (labelTo == picture.height) rowTo = labelFrom;
    }
    int64_t origin = 0;
    NutReader::Frame frame;
    for (; nut_.ReadFrame(pixels.data(), &frame); frames_++) {
      if (frames_ == 0) origin = frame.pts;
      plan_.CheckTime(frames_, frame.pts, origin, plan_.pts.empty() ? 0 : plan_.pts[0], info);
      CheckOne(picture, rowFrom, rowTo);
    }
    if (frames_ != plan_.frameCount()) {
      throw Failure(Trouble::kMismatch, "only " + std::to_string(frames_) + " of the expected " +
                                            std::to_string(plan_.frameCount()) + " frames");
    }
  }

  void CheckOne(const Picture& picture, int32_t rowFrom, int32_t rowTo) {
    const uint32_t begin = plan_.offsets[frames_], end = plan_.offsets[frames_ + 1];
    for (uint32_t i = begin; i < end; i++) {
      // A later pixelated rectangle averages over cells of its own, so only the uppermost one shows its cells
      // whole.
      const bool covered = plan_.style == MaskStyle::kPixelate &&
                           std::any_of(plan_.rects.begin() + i + 1, plan_.rects.begin() + end,
                                       [&](const Rect& later) { return Overlap(plan_.rects[i], later); });
      if (covered) continue;
      const MaskCheck check = CheckMask(picture, plan_.rects[i], plan_.style, rowFrom, rowTo);
      worst_ = std::max(worst_, check.deviation);
      rectangles_++;
      if (!check.ok) {
        const Rect& rect = plan_.rects[i];
        throw Failure(Trouble::kMismatch, "frame " + std::to_string(frames_) + ": the rectangle " +
                                              std::to_string(rect.w) + "x" + std::to_string(rect.h) + " at " +
                                              std::to_string(rect.x) + "," + std::to_string(rect.y) +
                                              " is not covered");
      }
    }
    if (plan_.label && plan_.label->Deviation(picture, plan_.textOfFrame[frames_]) > kLabelTolerance) {
      throw Failure(Trouble::kMismatch, "frame " + std::to_string(frames_) + ": the label is not there");
    }
  }

  void Settle(Napi::Env env) {
    if (failure_) {
      deferred_.Reject(ToError(env, *failure_).Value());
      return;
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("frames", Napi::Number::New(env, static_cast<double>(frames_)));
    result.Set("rectangles", Napi::Number::New(env, static_cast<double>(rectangles_)));
    result.Set("worstDeviation", worst_);
    deferred_.Resolve(result);
  }

  Napi::Promise::Deferred deferred_;
  FdSource source_;
  NutReader nut_;
  MaskPlan plan_;
  std::optional<Failure> failure_;
  size_t frames_ = 0;
  size_t rectangles_ = 0;
  double worst_ = 0;
};

}  // namespace

Napi::Value CheckFrames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].As<Napi::Object>();
  UniqueFd readFd(options.Get("readFd").As<Napi::Number>().Int32Value());
  MaskPlan plan = ToMaskPlan(options);
  std::shared_ptr<FrameCheck> check;
  try {
    check = std::make_shared<FrameCheck>(env, std::move(readFd), std::move(plan));
  } catch (const Failure& failure) {
    throw ToError(env, failure);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("done", check->promise());
  object.Set("stop", Napi::Function::New(env, [check](const Napi::CallbackInfo&) { check->Stop(); }));
  check->Launch(env);
  return object;
}

}  // namespace tredive
