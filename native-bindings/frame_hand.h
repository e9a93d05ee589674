#pragma once
#include <cstdint>
#include <optional>

#include "frame_belt.h"
#include "shrink.h"

namespace tredive {

/** Where small pictures of a frame are written; null where there is to be none. */
struct LookInto {
  /** Planar R, G, B. */
  float* rgb = nullptr;
  int32_t width = 0, height = 0;
  ColourMatrix matrix = ColourMatrix::kBt601;
  bool fullRange = false;
  /** yuv420p. */
  uint8_t* small = nullptr;
  int32_t smallWidth = 0, smallHeight = 0;
};

/**
 * Second thread of a frame line: what is asked about the frames, one after the other. It alone has the frame
 * in hand, so that a look needs no lock; it puts it away when it takes the next, and not sooner, as at the
 * end of the stream the last one is always worth a look. It waits for the reader, and for the writer when
 * that is far behind, never for JavaScript.
 *
 * Everything here throws Failure: why the belt stopped, or (usage) where a call does not fit.
 */
class FrameHand {
 public:
  explicit FrameHand(FrameBelt& belt) : belt_(belt) {}

  /** Waits for the first frame. Throws Failure (malformed) for pictures of another format than 4:2:0. */
  VideoInfo Header();
  struct Told {
    size_t number;
    int64_t pts;
  };
  /** None at the end. */
  std::optional<Told> Next();
  void Look(const LookInto& into);
  /** Waits for the writer; returns how many frames it wrote. */
  size_t Finish();

 private:
  void PutAway();

  FrameBelt& belt_;
  std::optional<TimedFrame> inHand_;
};

}  // namespace tredive
