#pragma once
#include <cstdint>
#include <vector>

#include "fd_stream.h"

namespace tredive {

/**
 * Frames that wait until it is known what is covered in them. They lie in anonymous memory of the system
 * (memfd) that is written and read, not mapped: no disk ever holds an unmasked picture of ours, and places
 * are used again, so that it grows to the longest wait and no further. For one thread at a time.
 */
class DelayStore {
 public:
  /** Returns the place. Throws Failure (io) where memory is out. */
  uint32_t Put(const uint8_t* frame, size_t bytes);
  /** Gives the place back. `bytes` as at Put. */
  void Take(uint32_t place, uint8_t* frame, size_t bytes);
  void Forget(uint32_t place) { free_.push_back(place); }
  uint32_t places() const { return places_; }

 private:
  UniqueFd memory_;
  uint32_t places_ = 0;
  std::vector<uint32_t> free_;
};

}  // namespace tredive
