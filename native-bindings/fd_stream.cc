#include "fd_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
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

FdSink::FdSink(int fd, const StopSignal& stop) : fd_(fd), stop_(stop) { MakeNonBlocking(fd); }

void FdSink::Write(const uint8_t* bytes, size_t count) {
  while (count > 0) {
    const ssize_t put = write(fd_.get(), bytes, count);
    if (put >= 0) {
      bytes += put;
      count -= static_cast<size_t>(put);
    } else if (errno == EAGAIN) {
      WaitFor(fd_.get(), POLLOUT, stop_);
    } else if (errno != EINTR) {
      throw Failure::System("writing frames");
    }
  }
}

void BlockSigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace tredive
