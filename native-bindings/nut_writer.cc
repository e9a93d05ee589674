#include "nut_writer.h"

#include <vector>

#include "failure.h"

namespace tredive {

namespace {

constexpr unsigned kPtsShift = 7;
constexpr uint8_t kFrameCode = 1;

void PutVarint(std::vector<uint8_t>& out, uint64_t value) {
  int groups = 1;
  while (groups < 9 && value >> (7 * groups)) groups++;
  while (--groups > 0) out.push_back(static_cast<uint8_t>(128 | ((value >> (7 * groups)) & 127)));
  out.push_back(static_cast<uint8_t>(value & 127));
}

void PutBig(std::vector<uint8_t>& out, uint64_t value, int bytes) {
  while (bytes-- > 0) out.push_back(static_cast<uint8_t>(value >> (8 * bytes)));
}

/** Start code, length, payload, checksum. Our payloads are all far below the 4096 bytes that need a checksum
 * of the head. */
void PutPacket(std::vector<uint8_t>& out, uint64_t startCode, const std::vector<uint8_t>& payload) {
  PutBig(out, startCode, 8);
  PutVarint(out, payload.size() + 4);
  out.insert(out.end(), payload.begin(), payload.end());
  PutBig(out, NutCrc(payload.data(), payload.size()), 4);
}

/** `count` entries of the table of frame codes ('N' is skipped by the reader and not counted). */
void PutFrameCodes(std::vector<uint8_t>& out, uint64_t flags, uint64_t count) {
  PutVarint(out, flags);
  PutVarint(out, 6);      // fields that follow
  PutVarint(out, 0);      // pts delta, signed: 0
  PutVarint(out, 1);      // size multiplier
  PutVarint(out, 0);      // stream
  PutVarint(out, 0);      // size, low part
  PutVarint(out, 0);      // reserved
  PutVarint(out, count);  // entries
}

}  // namespace

NutWriter::NutWriter(ByteSink& sink, const VideoInfo& info) : sink_(sink), info_(info) {}

void NutWriter::WriteHeader() {
  std::vector<uint8_t> out(kNutFileId, kNutFileId + sizeof kNutFileId);

  std::vector<uint8_t> main;
  PutVarint(main, 3);      // version
  PutVarint(main, 1);      // streams
  PutVarint(main, 65536);  // max_distance
  PutVarint(main, 1);      // time bases
  PutVarint(main, info_.timeBaseNum);
  PutVarint(main, info_.timeBaseDen);
  PutFrameCodes(main, kNutInvalid, 1);
  PutFrameCodes(main, kNutKey | kNutCodedPts | kNutSizeMsb | kNutChecksum, 1);
  PutFrameCodes(main, kNutInvalid, 253);
  PutVarint(main, 0);  // elision headers
  PutPacket(out, kNutMain, main);

  std::vector<uint8_t> stream;
  PutVarint(stream, 0);  // stream id
  PutVarint(stream, 0);  // video
  PutVarint(stream, 4);
  for (const uint8_t byte : PixelFormatTag(info_.format)) stream.push_back(byte);
  PutVarint(stream, 0);  // time base
  PutVarint(stream, kPtsShift);
  PutVarint(stream, 1u << 24);  // max_pts_distance
  PutVarint(stream, 0);         // decode delay
  PutVarint(stream, 0);         // flags
  PutVarint(stream, 0);         // codec-specific data
  PutVarint(stream, info_.width);
  PutVarint(stream, info_.height);
  PutVarint(stream, info_.sampleWidth);
  PutVarint(stream, info_.sampleHeight);
  PutVarint(stream, 0);  // colour space: unknown
  PutPacket(out, kNutStream, stream);
  sink_.Write(out.data(), out.size());
}

void NutWriter::WriteFrame(const uint8_t* pixels, int64_t pts) {
  if (pts < 0) throw Failure(Trouble::kUsage, "NUT: a negative time stamp cannot be written");
  const size_t size = FrameBytes(info_);
  std::vector<uint8_t> sync;
  PutVarint(sync, static_cast<uint64_t>(pts));
  PutVarint(sync, 0);  // back pointer: every frame is a key frame
  std::vector<uint8_t> out;
  PutPacket(out, kNutSync, sync);

  std::vector<uint8_t> head{kFrameCode};
  PutVarint(head, static_cast<uint64_t>(pts) + (1u << kPtsShift));
  PutVarint(head, size);
  PutBig(head, NutCrc(head.data(), head.size()), 4);
  out.insert(out.end(), head.begin(), head.end());
  sink_.Write(out.data(), out.size());
  sink_.Lend(pixels, size);
}

}  // namespace tredive
