#include "frame_belt.h"

namespace tredive {

namespace {

/** Frame buffers that go round: read ahead, in hand, and on the way to the encoder. */
constexpr size_t kBuffers = 7;
/** Frames read ahead; more would only take memory, as one side is always the slower one. */
constexpr size_t kAhead = 3;
/** Frames whose masks are known and that are not written yet; the encoder is the slower side when there are
 * more. */
constexpr size_t kBacklog = 12;
/** Far beyond what a decoder is ahead with times: then something is wrong with it. */
constexpr size_t kMostTimes = 1 << 16;

}  // namespace

template <typename Ready>
void FrameBelt::WaitUntil(Lock* lock, Ready ready) {
  changed_.wait(*lock, [&] { return stopped_ || ready(); });
  if (stopped_) throw WhyLocked();
}

void FrameBelt::Stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void FrameBelt::Fail(const Failure& failure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!failure_) failure_ = failure;
  stopped_ = true;
  changed_.notify_all();
}

Failure FrameBelt::Why() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return WhyLocked();
}

Failure FrameBelt::WhyLocked() const {
  return failure_ ? *failure_ : Failure(Trouble::kInterrupted, "the frame line is closed");
}

void FrameBelt::Clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (sink_) sink_->Close();
  store_ = DelayStore();
  waiting_.clear();
  incoming_.clear();
  free_.clear();
}

void FrameBelt::WriteTo(UniqueFd fd, const StopSignal& stop) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stopped_) return;
  if (sink_ || written_ > 0) throw Failure(Trouble::kUsage, "frames have gone elsewhere already");
  sink_.emplace(fd.Release(), stop);
  changed_.notify_all();
}

bool FrameBelt::Release(std::vector<FrameMask> masks) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (released_ + masks.size() > taken_) return false;
  released_ += masks.size();
  for (FrameMask& mask : masks) masks_.push_back(std::move(mask));
  changed_.notify_all();
  return true;
}

void FrameBelt::Announce(const VideoInfo& info) {
  const std::lock_guard<std::mutex> lock(mutex_);
  info_ = info;
  for (size_t i = 0; i < kBuffers; i++) free_.emplace_back();
  changed_.notify_all();
}

std::optional<Pixels> FrameBelt::Empty() {
  Lock lock(mutex_);
  // A frame whose time has not come yet does not count: ffmpeg may be about to write the next picture first.
  WaitUntil(&lock,
            [this] { return complete_ || (!free_.empty() && (incoming_.size() < kAhead || !HasTime())); });
  if (complete_) return std::nullopt;
  Pixels pixels = std::move(free_.back());
  free_.pop_back();
  return pixels;
}

void FrameBelt::Bring(TimedFrame frame) {
  const std::lock_guard<std::mutex> lock(mutex_);
  incoming_.push_back(std::move(frame));
  changed_.notify_all();
}

void FrameBelt::EndReading(const std::optional<Failure>& failure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  readEnd_ = true;
  readFailure_ = failure;
  changed_.notify_all();
}

VideoInfo FrameBelt::Info() {
  Lock lock(mutex_);
  return InfoLocked(&lock);
}

VideoInfo FrameBelt::InfoLocked(Lock* lock) {
  WaitUntil(lock, [this] { return info_ || readEnd_; });
  if (!info_) throw *readFailure_;
  if (timesApart_) {
    WaitUntil(lock, [this] { return timesInfo_ || timesEnd_; });
    if (!timesInfo_) throw *timesFailure_;
    info_->sampleWidth = timesInfo_->sampleWidth;
    info_->sampleHeight = timesInfo_->sampleHeight;
    info_->timeBaseNum = timesInfo_->timeBaseNum;
    info_->timeBaseDen = timesInfo_->timeBaseDen;
  }
  return *info_;
}

void FrameBelt::AnnounceTimes(const VideoInfo& info) {
  const std::lock_guard<std::mutex> lock(mutex_);
  timesInfo_ = info;
  changed_.notify_all();
}

void FrameBelt::BringTime(int64_t pts) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (times_.size() >= kMostTimes) throw Failure(Trouble::kMalformed, "times without frames");
  times_.push_back(pts);
  changed_.notify_all();
}

void FrameBelt::EndTimes(const std::optional<Failure>& failure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  timesEnd_ = true;
  timesFailure_ = failure;
  changed_.notify_all();
}

bool FrameBelt::HasNext() {
  Lock lock(mutex_);
  WaitUntil(&lock, [this] {
    return incoming_.empty() ? readEnd_ && (!timesApart_ || timesEnd_ || readFailure_)
                             : HasTime() || timesEnd_;
  });
  if (incoming_.empty()) {
    if (readFailure_) throw *readFailure_;
    if (timesFailure_) throw *timesFailure_;
    if (!times_.empty()) throw Failure(Trouble::kTruncated, "there are more times than frames");
    return false;
  }
  if (!HasTime()) {
    if (timesFailure_) throw *timesFailure_;
    throw Failure(Trouble::kTruncated, "there are more frames than times");
  }
  return true;
}

size_t FrameBelt::Take(TimedFrame* frame) {
  Lock lock(mutex_);
  WaitUntil(&lock, [this] { return released_ - written_ <= kBacklog; });
  *frame = std::move(incoming_.front());
  incoming_.pop_front();
  if (timesApart_) {
    frame->pts = times_.front();
    times_.pop_front();
  }
  changed_.notify_all();
  return taken_++;
}

void FrameBelt::PutAway(TimedFrame frame) {
  Lock lock(mutex_);
  const size_t number = taken_ - 1;
  const bool known = number < released_;
  if (!sink_) {
    // Nobody will ever write: whoever reads alone releases nothing.
    written_ = released_ = taken_;
    masks_.clear();
    free_.push_back(std::move(frame.pixels));
  } else if (known && masks_[number - written_].drop) {
    waiting_.emplace(number, Waiting{frame.pts, std::nullopt, std::nullopt});
    free_.push_back(std::move(frame.pixels));
  } else if (known) {
    waiting_.emplace(number, Waiting{frame.pts, std::move(frame.pixels), std::nullopt});
  } else {
    lock.unlock();
    uint32_t place;
    {
      const std::lock_guard<std::mutex> storing(storing_);
      place = store_.Put(frame.pixels.data(), frame.pixels.size());
    }
    lock.lock();
    waiting_.emplace(number, Waiting{frame.pts, std::nullopt, place});
    free_.push_back(std::move(frame.pixels));
  }
  changed_.notify_all();
}

size_t FrameBelt::Finish() {
  Lock lock(mutex_);
  // Nothing can be written before it is known what.
  InfoLocked(&lock);
  if (sink_ && released_ != taken_)
    throw Failure(Trouble::kUsage, "finished with frames whose masks were never given");
  complete_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return stopped_ || writeEnd_; });
  // A stop that comes when all is written takes nothing back.
  if (failure_ || !writeEnd_) throw WhyLocked();
  return framesWritten_;
}

FdSink* FrameBelt::AwaitSink(VideoInfo* info) {
  Lock lock(mutex_);
  WaitUntil(&lock, [this] { return complete_ || (info_ && sink_); });
  if (!sink_) return nullptr;
  *info = *info_;
  return &*sink_;
}

FrameBelt::Turn FrameBelt::Next(std::chrono::milliseconds most, Job* job) {
  Lock lock(mutex_);
  const auto ready = [this] {
    return stopped_ || (complete_ && written_ == taken_) || (!masks_.empty() && waiting_.count(written_) > 0);
  };
  if (!changed_.wait_for(lock, most, ready)) return Turn::kNotYet;
  if (stopped_) throw WhyLocked();
  if (masks_.empty()) return Turn::kEnd;
  // Its place among the masks stays until Done(): it counts as not written.
  job->mask = std::move(masks_.front());
  const auto found = waiting_.find(written_);
  job->frame = std::move(found->second);
  waiting_.erase(found);
  return Turn::kFrame;
}

Pixels FrameBelt::Fetch(Waiting frame, size_t bytes) {
  if (!frame.place) return std::move(*frame.pixels);
  // A buffer that is free just now, else one more: the frames that go round make sure that there are never
  // many.
  Pixels pixels;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
      pixels = std::move(free_.back());
      free_.pop_back();
    }
  }
  pixels.resize(bytes);
  const std::lock_guard<std::mutex> storing(storing_);
  store_.Take(*frame.place, pixels.data(), bytes);
  return pixels;
}

void FrameBelt::Drop(const Waiting& frame) {
  if (!frame.place) return;
  const std::lock_guard<std::mutex> storing(storing_);
  store_.Forget(*frame.place);
}

void FrameBelt::Done() {
  const std::lock_guard<std::mutex> lock(mutex_);
  masks_.pop_front();
  written_++;
  changed_.notify_all();
}

void FrameBelt::GiveBack(std::vector<Pixels> buffers) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Pixels& each : buffers) free_.push_back(std::move(each));
  changed_.notify_all();
}

void FrameBelt::EndWriting(size_t frames) {
  const std::lock_guard<std::mutex> lock(mutex_);
  framesWritten_ = frames;
  writeEnd_ = true;
  changed_.notify_all();
}

}  // namespace tredive
