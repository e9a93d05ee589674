#pragma once
#include <memory>
#include <vector>

#include "nut_reader.h"
#include "y4m_reader.h"

namespace tredive {

/**
 * Raw frames as ffmpeg writes them: NUT, or YUV4MPEG2 with the times beside it, as a NUT stream that has a
 * small picture for each frame. Which it is, the first bytes tell. Throws as the readers of either.
 */
class FrameStream {
 public:
  explicit FrameStream(ByteSource& source) : source_(source) {}

  /** Reads up to the first frame. Of YUV4MPEG2 there is no time base in it. */
  const VideoInfo& ReadHeader();
  /** After ReadHeader(): whether frames have times. */
  bool HasTimes() const { return nut_ != nullptr; }
  /**
   * The next frame, with its pixels in `into` (FrameBytes() long); `pts` is its time, or its number where
   * there are none. False at a clean end. After ReadHeader().
   */
  bool ReadFrame(uint8_t* into, int64_t* pts);

 private:
  /** What was read to see which it is, then the rest. */
  class Peeked : public ByteSource {
   public:
    explicit Peeked(ByteSource& source) : source_(source) {}
    size_t Read(uint8_t* into, size_t most) override;
    /** The first bytes; fewer where the stream ends. */
    const std::vector<uint8_t>& Peek(size_t count);

   private:
    ByteSource& source_;
    std::vector<uint8_t> first_;
    size_t at_ = 0;
  };

  Peeked source_;
  std::unique_ptr<NutReader> nut_;
  std::unique_ptr<Y4mReader> y4m_;
  VideoInfo info_;
  int64_t frames_ = 0;
};

}  // namespace tredive
