#pragma once
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "frame_belt.h"
#include "label.h"
#include "masking.h"

namespace tredive {

/**
 * Third thread of a frame line: covers each frame, labels it, and writes it to the encoder, in order. It
 * waits for the mask of the next frame, and for the encoder. It alone uses the sink, once there is one, and
 * has the frame it works at to itself.
 *
 * No pixel reaches the sink before all rectangles of its mask are covered. A frame that was written is lent
 * to the pipe: its memory is neither changed nor used again until the encoder has taken it. When this thread
 * ends early, such memory is freed all the same, and what the encoder still reads is no longer a picture:
 * nothing that was written may then be used.
 */
class FrameWriter {
 public:
  FrameWriter(FrameBelt& belt, MaskStyle style, std::optional<Label> label);
  /** Returns when all is written and taken, or nothing will be. Throws Failure. */
  void Run();

 private:
  size_t WriteAll(FdSink& sink, const VideoInfo& info);
  FrameBelt::Turn NextTurn(const FdSink& sink, FrameBelt::Job* job);
  void Cover(const Picture& picture, const FrameMask& mask);
  void TakeBack(const FdSink& sink);

  FrameBelt& belt_;
  Masker masker_;
  std::optional<Label> label_;
  /** Buffers in the pipe, with how much the sink was given when they were all in. */
  std::deque<std::pair<Pixels, uint64_t>> lent_;
};

}  // namespace tredive
