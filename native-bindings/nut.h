#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tredive {

/** Where bytes come from; returns 0 at the end. May return fewer than asked for. */
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual size_t Read(uint8_t* into, size_t most) = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void Write(const uint8_t* bytes, size_t count) = 0;
  /** As Write(); whoever can do it without a copy takes the memory itself for a while, and says elsewhere for
   * how long. */
  virtual void Lend(const uint8_t* bytes, size_t count) { Write(bytes, count); }
};

/**
 * NUT, the container between ffmpeg and us (https://ffmpeg.org/~michael/nut.txt): it is the only one ffmpeg
 * both writes and reads on a pipe that keeps the exact time stamp and time base of every raw frame.
 */
constexpr char kNutFileId[] = "nut/multimedia container";  // with its final NUL byte
constexpr uint64_t kNutMain = 0x4E4D7A561F5F04ADull;
constexpr uint64_t kNutStream = 0x4E5311405BF2F9DBull;
constexpr uint64_t kNutSync = 0x4E4BE4ADEECA4569ull;
constexpr uint64_t kNutIndex = 0x4E58DD672F23E64Eull;
constexpr uint64_t kNutInfo = 0x4E49AB68B596BA78ull;

enum NutFlag : uint64_t {
  kNutKey = 1,
  kNutEor = 2,
  kNutCodedPts = 8,
  kNutStreamId = 16,
  kNutSizeMsb = 32,
  kNutChecksum = 64,
  kNutReserved = 128,
  kNutSideData = 256,
  kNutHeaderIdx = 1024,
  kNutMatchTime = 2048,
  kNutCoded = 4096,
  kNutInvalid = 8192,
};

/** CRC-32 as NUT has it: polynomial 0x04C11DB7, most significant bit first, start 0. Over data and its own
 * checksum it is 0. */
uint32_t NutCrc(const uint8_t* bytes, size_t count, uint32_t crc = 0);

enum class PixelFormat { kYuv420p, kRgb24, kGbrp };

constexpr uint32_t kMaxSide = 16384;
/** 100 MB as 4:2:0: above any camera, below what would exhaust the memory with a few frames in flight. */
constexpr uint64_t kMaxPixels = 1ull << 26;

/** Everything about the one raw video stream. */
struct VideoInfo {
  uint32_t width = 0;
  uint32_t height = 0;
  uint32_t sampleWidth = 0;
  uint32_t sampleHeight = 0;
  uint32_t timeBaseNum = 0;
  uint32_t timeBaseDen = 1;
  PixelFormat format = PixelFormat::kYuv420p;
};

const char* PixelFormatName(PixelFormat format);
/** The four bytes by which NUT names the raw format. */
std::array<uint8_t, 4> PixelFormatTag(PixelFormat format);
/** Throws Failure (malformed) for a tag we did not ask ffmpeg for. */
PixelFormat PixelFormatOfTag(const uint8_t* tag, size_t length);
/** Bytes of one frame without padding; chroma sides are rounded up. */
size_t FrameBytes(const VideoInfo& info);
/** Throws Failure (malformed) where a size is zero or beyond the limits above. */
void CheckSize(uint64_t width, uint64_t height);

}  // namespace tredive
