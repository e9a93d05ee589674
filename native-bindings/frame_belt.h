#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "delay_store.h"
#include "failure.h"
#include "fd_stream.h"
#include "mask_feed.h"
#include "nut.h"

namespace tredive {

using Pixels = std::vector<uint8_t>;

/** A picture and its time, in the time base of the stream. */
struct TimedFrame {
  Pixels pixels;
  int64_t pts = 0;
};

/**
 * All that the threads of a frame line share: the frames between the pipe they come from and the pipe they go
 * to, and what is known of each.
 *
 *     reader --incoming--> hand --waiting (buffers, or the store)--> writer
 *        ^                  |                                          |
 *        +----free buffers--+------------------------------------------+
 *
 * Frames are counted from 0 in the order of the stream, and written_ <= released_ <= taken_ at any time:
 * those below written_ are done with, of those below released_ it is known what is covered, those below
 * taken_ were in hand. A frame belongs to one thread or lies here: incoming_ holds those that nobody took
 * yet, waiting_ those of [written_, taken_) but the one in hand and the one at the writer. Buffers go round
 * and there are only so many, so that each side waits for the slower one.
 *
 * Nothing here is held while pixels are looked at, covered, read or written; `storing_` alone is held while
 * they are copied into the store and out of it. Whatever waits is woken by a stop, and throws Why().
 */
class FrameBelt {
 public:
  // Any thread.

  /** For good. */
  void Stop();
  /** Stops; the first failure is the one that is told. */
  void Fail(const Failure& failure);
  /** Why everything stopped. */
  Failure Why() const;
  /** Frees all pictures and closes the sink, when all threads have ended. */
  void Clear();

  // The JavaScript thread, which never waits here.

  /**
   * Where covered frames go; told once. A belt that has stopped closes it at once: whoever reads there must
   * not wait. Throws Failure (usage) where frames would be missing in what is written.
   */
  void WriteTo(UniqueFd fd, const StopSignal& stop);
  /** Masks of the next frames in order. False if they are more than were in hand. */
  bool Release(std::vector<FrameMask> masks);

  // The reader.

  /** Before any thread starts: frames are brought without their times, and those come by BringTime(). */
  void ExpectTimes() { timesApart_ = true; }
  /** The stream is known: buffers go round from now on. */
  void Announce(const VideoInfo& info);
  /** Waits for a buffer, of any size. None when no more frames are wanted. */
  std::optional<Pixels> Empty();
  void Bring(TimedFrame frame);
  /** No more frames come; `failure` is told to whoever asks for one that is not there. */
  void EndReading(const std::optional<Failure>& failure);

  // The reader of times, where they come apart.

  /** Their time base. */
  void AnnounceTimes(const VideoInfo& info);
  /** Of the next frame. Throws Failure (malformed) where they are far ahead of the frames. */
  void BringTime(int64_t pts);
  void EndTimes(const std::optional<Failure>& failure);

  // The hand.

  /** Waits until the stream is known; throws what was told instead. */
  VideoInfo Info();
  /** Waits for the next frame; false at the end. Throws the failure that came instead. */
  bool HasNext();
  /** Takes it, after HasNext(); waits while the writer is far behind. Returns its number. */
  size_t Take(TimedFrame* frame);
  /** The frame that was taken last goes to the writer, into the store until its mask is known, or away. */
  void PutAway(TimedFrame frame);
  /**
   * No more frames are wanted: waits for the writer, and returns how many it wrote. Throws Failure (usage)
   * where masks are missing.
   */
  size_t Finish();

  // The writer.

  /** Waits until there is something to write to; null when there never will be. */
  FdSink* AwaitSink(VideoInfo* info);
  enum class Turn { kFrame, kEnd, kNotYet };
  /** A frame that was put away: in a buffer, in the store, or nowhere where it was known that it is dropped.
   */
  struct Waiting {
    int64_t pts = 0;
    std::optional<Pixels> pixels;
    std::optional<uint32_t> place;
  };
  /** The next frame, which is put away, and released. */
  struct Job {
    FrameMask mask;
    Waiting frame;
  };
  /** Waits for `most` at most. After kFrame comes Fetch() or Drop(), then Done(). */
  Turn Next(std::chrono::milliseconds most, Job* job);
  /** The pixels, `bytes` of them. Not of a frame that is dropped. */
  Pixels Fetch(Waiting frame, size_t bytes);
  void Drop(const Waiting& frame);
  void Done();
  void GiveBack(std::vector<Pixels> buffers);
  void EndWriting(size_t frames);

 private:
  // With the mutex held.
  using Lock = std::unique_lock<std::mutex>;
  Failure WhyLocked() const;
  template <typename Ready>
  void WaitUntil(Lock* lock, Ready ready);
  VideoInfo InfoLocked(Lock* lock);
  bool HasTime() const { return !timesApart_ || !times_.empty(); }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pixels> free_;
  std::deque<TimedFrame> incoming_;
  /** Of the frames in incoming_ and those that come after them, where they come apart. */
  std::deque<int64_t> times_;
  bool timesApart_ = false;
  /** Of the frames [written_, released_), in order. */
  std::deque<FrameMask> masks_;
  std::map<size_t, Waiting> waiting_;
  size_t taken_ = 0, released_ = 0, written_ = 0;
  std::optional<VideoInfo> info_, timesInfo_;
  /** Set by the JavaScript thread, used by the writer alone from then on. */
  std::optional<FdSink> sink_;
  /** What ended everything, and what ended the stream only. */
  std::optional<Failure> failure_, readFailure_, timesFailure_;
  /** Frames that reached the sink, known when writeEnd_ is. */
  size_t framesWritten_ = 0;
  /** No more frames come, are wanted, are written. */
  bool readEnd_ = false, timesEnd_ = false, complete_ = false, writeEnd_ = false;
  bool stopped_ = false;

  /** Taken alone: copying a frame must not hold up who only asks. */
  std::mutex storing_;
  DelayStore store_;
};

}  // namespace tredive
