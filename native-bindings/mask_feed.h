#pragma once
#include <napi.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "label.h"
#include "masking.h"

namespace tredive {

/** What is covered in one frame and written along its edge. */
struct FrameMask {
  std::vector<Rect> rects;
  std::string text;
  /** The frame is read and thrown away: it lies outside of what is asked for. */
  bool drop = false;
};

/**
 * From {counts: Uint32Array, rects: Int32Array, texts?: string[], drop?: boolean}: for each frame how many
 * rectangles it has, then all of them as x, y, w, h. Throws a JavaScript TypeError where the parts do not fit
 * together.
 */
std::vector<FrameMask> ToFrameMasks(const Napi::Object& batch);

MaskStyle ToMaskStyle(const Napi::Value& style);

/** From {edge: 'top' | 'bottom', longest: number}; none where it is undefined. */
std::optional<Label> ToLabel(const Napi::Value& label);

/** Masks on their way from JavaScript to a thread, in order of frames. JavaScript gives them as they become
 * final. */
class MaskFeed {
 public:
  void Push(std::vector<FrameMask> masks);
  /** No more will come. */
  void End();
  void Stop();
  /** Waits for the mask of the next frame; false at the end. Throws Failure (interrupted) when stopped. */
  bool Next(FrameMask* mask);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<FrameMask> waiting_;
  bool ended_ = false;
  bool stopped_ = false;
};

}  // namespace tredive
