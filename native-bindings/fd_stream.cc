#include "fd_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "failure.h"

namespace tredive {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.Release();
  }
  return *this;
}

int UniqueFd::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void UniqueFd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

StopSignal::StopSignal() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_.valid()) throw Failure::System("eventfd");
}

void StopSignal::Raise() {
  const uint64_t one = 1;
  // Can only fail when the counter is full, and then it is raised already, or after Close().
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

namespace {

void MakeNonBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) throw Failure::System("fcntl");
}

/** Less than this is taken as it comes. */
constexpr size_t kWorthWaitingFor = 128 << 10;
/** Half of what a pipe holds: its writer is then never held up for long. */
constexpr size_t kEnough = 512 << 10;
constexpr int kNapMs = 1;

void WaitFor(int fd, short events, const StopSignal& stop) {
  pollfd waiting[2] = {{fd, events, 0}, {stop.fd(), POLLIN, 0}};
  while (poll(waiting, 2, -1) < 0) {
    if (errno != EINTR) throw Failure::System("poll");
  }
  if (waiting[1].revents != 0) throw Failure(Trouble::kInterrupted, "stopped");
}

}  // namespace

FdSource::FdSource(int fd, const StopSignal& stop) : fd_(fd), stop_(stop) { MakeNonBlocking(fd); }

size_t FdSource::Read(uint8_t* into, size_t most) {
  if (most >= kWorthWaitingFor) LetItFill(most);
  for (;;) {
    const ssize_t got = read(fd_.get(), into, most);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EAGAIN) {
      WaitFor(fd_.get(), POLLIN, stop_);
    } else if (errno != EINTR) {
      throw Failure::System("reading frames");
    }
  }
}

void FdSource::LetItFill(size_t most) {
  const size_t enough = most < kEnough ? most : kEnough;
  for (int before = -1;;) {
    int waiting = 0;
    if (ioctl(fd_.get(), FIONREAD, &waiting) < 0) return;  // reading will tell what is wrong
    if (waiting == before || static_cast<size_t>(waiting) >= enough) return;
    before = waiting;
    pollfd stopping{stop_.fd(), POLLIN, 0};
    if (poll(&stopping, 1, kNapMs) != 0) return;
  }
}

FdSink::FdSink(int fd, const StopSignal& stop) : fd_(fd), stop_(stop) { MakeNonBlocking(fd); }

void FdSink::Write(const uint8_t* bytes, size_t count) { Put(bytes, count, false); }

void FdSink::Lend(const uint8_t* bytes, size_t count) { Put(bytes, count, true); }

void FdSink::Put(const uint8_t* bytes, size_t count, bool mayLend) {
  while (count > 0) {
    const bool lending = mayLend && lends_;
    iovec memory{const_cast<uint8_t*>(bytes), count};
    const ssize_t put =
        lending ? vmsplice(fd_.get(), &memory, 1, SPLICE_F_NONBLOCK) : write(fd_.get(), bytes, count);
    if (put >= 0) {
      bytes += put;
      count -= static_cast<size_t>(put);
      given_ += static_cast<uint64_t>(put);
    } else if (errno == EAGAIN) {
      WaitFor(fd_.get(), POLLOUT, stop_);
    } else if (lending && errno != EPIPE && errno != EINTR) {
      // Not a pipe, or a system that does not allow it: then a copy is made after all.
      lends_ = false;
    } else if (errno != EINTR) {
      throw Failure::System("writing frames");
    }
  }
}

uint64_t FdSink::Consumed() const {
  int waiting = 0;
  if (ioctl(fd_.get(), FIONREAD, &waiting) < 0) throw Failure::System("asking a pipe");
  return given_ - static_cast<uint64_t>(waiting);
}

void FdSink::Drain() {
  // A pipe tells a writer only that there is room again, so this looks again and again; it takes some
  // milliseconds in all.
  while (Consumed() < given_) {
    pollfd waiting[2] = {{fd_.get(), 0, 0}, {stop_.fd(), POLLIN, 0}};
    if (poll(waiting, 2, 1) < 0 && errno != EINTR) throw Failure::System("poll");
    if (waiting[1].revents != 0) throw Failure(Trouble::kInterrupted, "stopped");
    if (waiting[0].revents & POLLERR) return;
  }
}

void BlockSigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace tredive
