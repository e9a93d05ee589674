#include "delay_store.h"

#include <sys/mman.h>
#include <unistd.h>

#include "failure.h"

namespace tredive {

uint32_t DelayStore::Put(const uint8_t* frame, size_t bytes) {
  if (!memory_.valid()) {
    memory_ = UniqueFd(memfd_create("tredive frames", MFD_CLOEXEC));
    if (!memory_.valid()) throw Failure::System("memory for frames");
  }
  uint32_t place;
  if (free_.empty()) {
    place = places_++;
  } else {
    place = free_.back();
    free_.pop_back();
  }
  for (size_t done = 0; done < bytes;) {
    const ssize_t put =
        pwrite(memory_.get(), frame + done, bytes - done,
               static_cast<off_t>(place) * static_cast<off_t>(bytes) + static_cast<off_t>(done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) throw Failure::System("keeping a frame in memory");
    done += static_cast<size_t>(put);
  }
  return place;
}

void DelayStore::Take(uint32_t place, uint8_t* frame, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t got =
        pread(memory_.get(), frame + done, bytes - done,
              static_cast<off_t>(place) * static_cast<off_t>(bytes) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Failure::System("getting a frame back from memory");
    done += static_cast<size_t>(got);
  }
  Forget(place);
}

}  // namespace tredive
