#pragma once
#include <cstdint>

#include "nut.h"

namespace tredive {

/** Writes NUT (version 3) with one raw video stream. Every frame has its own syncpoint, full time stamp and
 * checksum. */
class NutWriter {
 public:
  NutWriter(ByteSink& sink, const VideoInfo& info);
  void WriteHeader();
  /** `pts` in the time base of `info`, not negative. The pixels are lent to the sink, see ByteSink. */
  void WriteFrame(const uint8_t* pixels, int64_t pts);

 private:
  ByteSink& sink_;
  VideoInfo info_;
};

}  // namespace tredive
