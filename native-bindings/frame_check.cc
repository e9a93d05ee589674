#include "frame_check.h"

#include <algorithm>

#include "frame_stream.h"
#include "mask_arguments.h"
#include "mask_feed.h"
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
  FrameCheck(Napi::Env env, UniqueFd readFd, MaskStyle style, std::optional<Label> label)
      : deferred_(Napi::Promise::Deferred::New(env)),
        source_(readFd.Release(), stop_),
        stream_(source_),
        style_(style),
        label_(std::move(label)) {}

  void Expect(std::vector<FrameMask> masks) { feed_.Push(std::move(masks)); }
  void ExpectNoMore() { feed_.End(); }

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
  void OnStop() override {
    Background::OnStop();
    feed_.Stop();
  }

  void CheckAll() {
    const VideoInfo info = stream_.ReadHeader();
    if (info.format != PixelFormat::kYuv420p)
      throw Failure(Trouble::kMalformed, "the frames are not yuv420p");
    std::vector<uint8_t> pixels(FrameBytes(info));
    const Picture picture = Picture::Of(info, pixels.data());
    int32_t rowFrom = 0, rowTo = picture.height;
    if (label_) {
      int32_t labelFrom, labelTo;
      label_->Rows(picture.width, picture.height, &labelFrom, &labelTo);
      if (labelFrom == 0) rowFrom = labelTo;
      if (labelTo == picture.height) rowTo = labelFrom;
    }
    int64_t pts;
    FrameMask mask;
    for (; stream_.ReadFrame(pixels.data(), &pts); frames_++) {
      do {
        if (!feed_.Next(&mask)) throw Failure(Trouble::kMismatch, "there are more frames than were rendered");
      } while (mask.drop);
      CheckOne(picture, mask, rowFrom, rowTo);
    }
    while (feed_.Next(&mask)) {
      if (!mask.drop) {
        throw Failure(Trouble::kMismatch,
                      "only " + std::to_string(frames_) + " of the rendered frames can be decoded");
      }
    }
  }

  void CheckOne(const Picture& picture, const FrameMask& mask, int32_t rowFrom, int32_t rowTo) {
    for (auto rect = mask.rects.begin(); rect != mask.rects.end(); ++rect) {
      // A later pixelated rectangle averages over cells of its own, so only the uppermost one shows its cells
      // whole.
      if (style_ == MaskStyle::kPixelate &&
          std::any_of(rect + 1, mask.rects.end(), [&](const Rect& later) { return Overlap(*rect, later); }))
        continue;
      const MaskCheck check = CheckMask(picture, *rect, style_, rowFrom, rowTo);
      worst_ = std::max(worst_, check.deviation);
      rectangles_++;
      if (!check.ok) {
        throw Failure(Trouble::kMismatch, "frame " + std::to_string(frames_) + ": the rectangle " +
                                              std::to_string(rect->w) + "x" + std::to_string(rect->h) +
                                              " at " + std::to_string(rect->x) + "," +
                                              std::to_string(rect->y) + " is not covered");
      }
    }
    if (label_ && label_->Deviation(picture, mask.text) > kLabelTolerance) {
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
  FrameStream stream_;
  const MaskStyle style_;
  std::optional<Label> label_;
  MaskFeed feed_;
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
  const MaskStyle style = ToMaskStyle(options.Get("style"));
  std::shared_ptr<FrameCheck> check;
  try {
    check = std::make_shared<FrameCheck>(env, std::move(readFd), style, ToLabel(options.Get("label")));
  } catch (const Failure& failure) {
    throw ToError(env, failure);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("done", check->promise());
  object.Set("expect", Napi::Function::New(env, [check](const Napi::CallbackInfo& call) {
               check->Expect(ToFrameMasks(call[0].As<Napi::Object>()));
             }));
  object.Set("expectNoMore",
             Napi::Function::New(env, [check](const Napi::CallbackInfo&) { check->ExpectNoMore(); }));
  object.Set("stop", Napi::Function::New(env, [check](const Napi::CallbackInfo&) { check->Stop(); }));
  check->Launch(env);
  return object;
}

}  // namespace tredive
