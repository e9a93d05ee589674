#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "masking.h"

namespace tredive {

/** What is covered in one frame and written along its edge. */
struct FrameMask {
  std::vector<Rect> rects;
  std::string text;
  /** The frame is read and thrown away: it lies outside of what is asked for. */
  bool drop = false;
};

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
