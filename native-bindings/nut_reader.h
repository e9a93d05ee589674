#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "nut.h"

namespace tredive {

/**
 * Reads NUT with exactly one raw video stream. The bytes are hostile (a decoder made them from hostile
 * footage): every length is bounded before it is used, and anything out of place ends in a Failure (malformed
 * or truncated).
 */
class NutReader {
 public:
  explicit NutReader(ByteSource& source);

  /** Reads the headers up to the first frame. */
  const VideoInfo& ReadHeader();

  struct Frame {
    int64_t pts;
  };
  /** The next frame, with its pixels in `into` (FrameBytes() long). False at a clean end. Call ReadHeader()
   * first. */
  bool ReadFrame(uint8_t* into, Frame* frame);

 private:
  struct FrameCode {
    uint64_t flags = kNutInvalid;
    uint64_t stream = 0;
    uint64_t sizeMul = 0;
    uint64_t sizeLsb = 0;
    int64_t ptsDelta = 0;
    uint64_t reserved = 0;
    uint64_t header = 0;
  };

  bool Fill();
  bool TryByte(uint8_t* byte);
  uint8_t Byte();
  uint64_t Varint();
  int64_t Signed();
  void Exactly(uint8_t* into, size_t count);
  void Skip(uint64_t count);
  /** Handles the packet whose first byte 'N' has been read. */
  void Packet();
  std::vector<uint8_t> Payload(uint64_t size);
  void MainHeader(const std::vector<uint8_t>& bytes);
  void StreamHeader(const std::vector<uint8_t>& bytes);
  void Syncpoint(const std::vector<uint8_t>& bytes);
  bool FrameHeader(uint8_t code, Frame* frame, size_t* elided);

  ByteSource& source_;
  std::vector<uint8_t> buffer_;
  size_t at_ = 0;
  size_t end_ = 0;
  uint32_t crc_ = 0;

  bool haveFileId_ = false;
  std::vector<uint8_t> mainBytes_;
  std::vector<uint8_t> streamBytes_;
  uint64_t mainFlags_ = 0;
  std::vector<std::pair<uint64_t, uint64_t>> timeBases_;
  std::array<FrameCode, 256> codes_;
  std::vector<std::vector<uint8_t>> elision_;
  uint64_t ptsShift_ = 0;
  VideoInfo info_;
  size_t frameBytes_ = 0;
  int64_t lastPts_ = 0;
  uint8_t firstCode_ = 0;
  bool haveFirstCode_ = false;
  bool ended_ = false;
};

}  // namespace tredive
