#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "nut.h"

namespace tredive {

/** Owns a file descriptor. */
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();
  void Reset();

 private:
  int fd_;
};

/** Wakes every thread that waits on a pipe, from any thread, and stays raised. */
class StopSignal {
 public:
  StopSignal();
  void Raise();
  /** Once nobody waits any more; Raise() then does nothing. */
  void Close() { event_.Reset(); }
  int fd() const { return event_.get(); }

 private:
  UniqueFd event_;
};

/**
 * The two ends of a pipe as byte streams. They own the fd, make it non-blocking (this end only: the child's
 * end is another open file) and wait in poll() together with the stop signal, so that a stuck child never
 * holds a thread.
 */
class FdSource : public ByteSource {
 public:
  FdSource(int fd, const StopSignal& stop);
  size_t Read(uint8_t* into, size_t most) override;
  /** Closing tells the writer that nobody reads any more (EPIPE). */
  void Close() { fd_.Reset(); }

 private:
  /**
   * ffmpeg writes frames 32 KiB at a time, and a reader that waits in poll() is woken for each. One that is
   * asleep is not: it finds the pipe half full when it looks again. Returns early where nothing more comes.
   */
  void LetItFill(size_t most);

  UniqueFd fd_;
  const StopSignal& stop_;
};

class FdSink : public ByteSink {
 public:
  FdSink(int fd, const StopSignal& stop);
  void Write(const uint8_t* bytes, size_t count) override;
  /**
   * Puts the memory itself into the pipe instead of a copy: it may neither change nor be freed until
   * Consumed() has reached what Given() is afterwards.
   */
  void Lend(const uint8_t* bytes, size_t count) override;
  /** Bytes that were written so far, and those of them that the other side has taken. */
  uint64_t Given() const { return given_; }
  uint64_t Consumed() const;
  /** Waits until the other side has taken everything, or has gone. */
  void Drain();
  /** Closing tells the reader that the stream is complete. */
  void Close() { fd_.Reset(); }

 private:
  void Put(const uint8_t* bytes, size_t count, bool mayLend);

  UniqueFd fd_;
  const StopSignal& stop_;
  uint64_t given_ = 0;
  /** Until the system says that it does not do that here. */
  bool lends_ = true;
};

/** Keeps SIGPIPE from this thread: a dead child must be an error of write(), not the end of the process. */
void BlockSigpipe();

}  // namespace tredive
