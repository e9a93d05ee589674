#pragma once
#include <cstdint>
#include <string>

#include "nut.h"

namespace tredive {

/**
 * Reads YUV4MPEG2: raw frames with a line before each and no times. ffmpeg writes it straight from the
 * decoded picture, where NUT costs it one more copy of every frame. The bytes are hostile: anything but 4:2:0
 * of 8 bits in a bounded size is a Failure (malformed or truncated).
 */
class Y4mReader {
 public:
  /** Nothing beyond the frame asked for is ever read, so that the rest can be taken in other ways. */
  explicit Y4mReader(ByteSource& source) : source_(source) {}

  /** Size and format; what is said of rate and shape of the samples is not looked at. */
  const VideoInfo& ReadHeader();
  /** The line before a frame: its pixels come next. False at a clean end. */
  bool ReadFrameLine();
  /** `count` bytes of the frame that was begun. */
  void ReadPixels(uint8_t* into, size_t count);

 private:
  /** Without its end of line; false where nothing comes. `expected` bytes are read at once. */
  bool ReadLine(size_t expected, std::string* line);

  ByteSource& source_;
  VideoInfo info_;
};

constexpr char kY4mMagic[] = "YUV4MPEG2 ";

}  // namespace tredive
