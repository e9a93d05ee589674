#include "frame_hand.h"

#include "masking.h"

namespace tredive {

VideoInfo FrameHand::Header() {
  const VideoInfo info = belt_.Info();
  if (info.format != PixelFormat::kYuv420p) throw Failure(Trouble::kMalformed, "the frames are not yuv420p");
  return info;
}

std::optional<FrameHand::Told> FrameHand::Next() {
  if (!belt_.HasNext()) return std::nullopt;
  PutAway();
  TimedFrame frame;
  const size_t number = belt_.Take(&frame);
  inHand_ = std::move(frame);
  return Told{number, inHand_->pts};
}

void FrameHand::Look(const LookInto& into) {
  if (!inHand_) throw Failure(Trouble::kUsage, "there is no frame in hand");
  const Picture picture = Picture::Of(belt_.Info(), inHand_->pixels.data());
  if (into.rgb != nullptr)
    ShrinkToRgb(picture, into.rgb, into.width, into.height, into.matrix, into.fullRange);
  if (into.small != nullptr) {
    VideoInfo small;
    small.width = static_cast<uint32_t>(into.smallWidth);
    small.height = static_cast<uint32_t>(into.smallHeight);
    ShrinkPicture(picture, Picture::Of(small, into.small));
  }
}

size_t FrameHand::Finish() {
  PutAway();
  return belt_.Finish();
}

void FrameHand::PutAway() {
  if (!inHand_) return;
  TimedFrame frame = std::move(*inHand_);
  inHand_.reset();
  belt_.PutAway(std::move(frame));
}

}  // namespace tredive
