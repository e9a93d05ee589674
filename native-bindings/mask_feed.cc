#include "mask_feed.h"

#include "failure.h"

namespace tredive {

void MaskFeed::Push(std::vector<FrameMask> masks) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (FrameMask& mask : masks) waiting_.push_back(std::move(mask));
  changed_.notify_all();
}

void MaskFeed::End() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void MaskFeed::Stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

bool MaskFeed::Next(FrameMask* mask) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return stopped_ || ended_ || !waiting_.empty(); });
  if (stopped_) throw Failure(Trouble::kInterrupted, "stopped");
  if (waiting_.empty()) return false;
  *mask = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

}  // namespace tredive
