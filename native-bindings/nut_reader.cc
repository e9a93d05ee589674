#include "nut_reader.h"

#include <algorithm>
#include <cstring>

#include "failure.h"

namespace tredive {

namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr uint64_t kMaxHeaderBytes = 64 * 1024;
constexpr uint64_t kMaxSkippedBytes = 1ull << 32;
/** Far from overflow in all sums below. */
constexpr int64_t kMaxPts = 1ll << 60;

[[noreturn]] void Malformed(const char* what) {
  throw Failure(Trouble::kMalformed, std::string("NUT: ") + what);
}

/** A cursor over the payload of one packet that never leaves it. */
class Cursor {
 public:
  explicit Cursor(const std::vector<uint8_t>& bytes) : bytes_(bytes) {}
  size_t left() const { return bytes_.size() - at_; }
  uint8_t Byte() {
    if (left() == 0) Malformed("a header that ends too early");
    return bytes_[at_++];
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (;;) {
      if (value >> 56) Malformed("a number beyond 63 bits");
      const uint8_t byte = Byte();
      value = (value << 7) | (byte & 127);
      if (byte < 128) return value;
    }
  }
  int64_t Signed() {
    const uint64_t value = Varint() + 1;
    return value & 1 ? -static_cast<int64_t>(value >> 1) : static_cast<int64_t>(value >> 1);
  }
  std::vector<uint8_t> Bytes(uint64_t count) {
    if (count > left()) Malformed("a field that leaves its header");
    std::vector<uint8_t> out(bytes_.begin() + at_, bytes_.begin() + at_ + count);
    at_ += count;
    return out;
  }

 private:
  const std::vector<uint8_t>& bytes_;
  size_t at_ = 0;
};

}  // namespace

NutReader::NutReader(ByteSource& source) : source_(source), buffer_(kBufferBytes) {}

bool NutReader::Fill() {
  at_ = 0;
  end_ = source_.Read(buffer_.data(), buffer_.size());
  return end_ > 0;
}

bool NutReader::TryByte(uint8_t* byte) {
  if (at_ == end_ && !Fill()) return false;
  *byte = buffer_[at_++];
  crc_ = NutCrc(byte, 1, crc_);
  return true;
}

uint8_t NutReader::Byte() {
  uint8_t byte;
  if (!TryByte(&byte)) throw Failure(Trouble::kTruncated, "NUT: the stream ends inside a header");
  return byte;
}

uint64_t NutReader::Varint() {
  uint64_t value = 0;
  for (;;) {
    if (value >> 56) Malformed("a number beyond 63 bits");
    const uint8_t byte = Byte();
    value = (value << 7) | (byte & 127);
    if (byte < 128) return value;
  }
}

int64_t NutReader::Signed() {
  const uint64_t value = Varint() + 1;
  return value & 1 ? -static_cast<int64_t>(value >> 1) : static_cast<int64_t>(value >> 1);
}

void NutReader::Exactly(uint8_t* into, size_t count) {
  const size_t buffered = std::min(count, end_ - at_);
  std::memcpy(into, buffer_.data() + at_, buffered);
  at_ += buffered;
  into += buffered;
  count -= buffered;
  while (count > 0) {
    const size_t got = source_.Read(into, count);
    if (got == 0) throw Failure(Trouble::kTruncated, "NUT: the stream ends inside a frame");
    into += got;
    count -= got;
  }
}

void NutReader::Skip(uint64_t count) {
  while (count > 0) {
    if (at_ == end_ && !Fill()) throw Failure(Trouble::kTruncated, "NUT: the stream ends inside a packet");
    const size_t step = static_cast<size_t>(std::min<uint64_t>(count, end_ - at_));
    at_ += step;
    count -= step;
  }
}

std::vector<uint8_t> NutReader::Payload(uint64_t size) {
  if (size < 4 || size > kMaxHeaderBytes) Malformed("a header of impossible length");
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  Exactly(bytes.data(), bytes.size());
  if (NutCrc(bytes.data(), bytes.size()) != 0) Malformed("a header with a wrong checksum");
  bytes.resize(bytes.size() - 4);
  return bytes;
}

void NutReader::Packet() {
  uint64_t start = 'N';
  for (int i = 0; i < 7; i++) start = (start << 8) | Byte();
  const uint64_t size = Varint();
  if (size > 4096) {
    for (int i = 0; i < 4; i++) Byte();
    if (crc_ != 0) Malformed("a packet head with a wrong checksum");
  }
  switch (start) {
    case kNutMain:
      return MainHeader(Payload(size));
    case kNutStream:
      return StreamHeader(Payload(size));
    case kNutSync:
      return Syncpoint(Payload(size));
    case kNutIndex:
    case kNutInfo:
      if (size > kMaxSkippedBytes) Malformed("a packet of impossible length");
      return Skip(size);
    default:
      Malformed("an unknown packet");
  }
}

void NutReader::MainHeader(const std::vector<uint8_t>& bytes) {
  if (!mainBytes_.empty()) {
    // ffmpeg repeats the headers from time to time.
    if (bytes != mainBytes_) Malformed("a main header that changes");
    return;
  }
  Cursor in(bytes);
  const uint64_t version = in.Varint();
  if (version < 2 || version > 4) Malformed("an unknown version");
  if (version > 3) in.Varint();
  if (in.Varint() != 1) Malformed("not exactly one stream");
  in.Varint();  // max_distance: only for finding one's way again after damage, and damage ends the reading
                // here
  const uint64_t timeBases = in.Varint();
  if (timeBases == 0 || timeBases > 64) Malformed("an impossible number of time bases");
  for (uint64_t i = 0; i < timeBases; i++) {
    const uint64_t num = in.Varint(), den = in.Varint();
    if (num == 0 || den == 0 || num > INT32_MAX || den > INT32_MAX) Malformed("an impossible time base");
    timeBases_.emplace_back(num, den);
  }
  int64_t pts = 0;
  uint64_t mul = 1, stream = 0, header = 0;
  for (unsigned i = 0; i < 256;) {
    const uint64_t flags = in.Varint(), fields = in.Varint();
    uint64_t size = 0, reserved = 0;
    if (fields > 0) pts = in.Signed();
    if (fields > 1) mul = in.Varint();
    if (fields > 2) stream = in.Varint();
    if (fields > 3) size = in.Varint();
    if (fields > 4) reserved = in.Varint();
    const uint64_t count = fields > 5 ? in.Varint() : mul - size;
    if (fields > 6) in.Signed();
    if (fields > 7) header = in.Varint();
    for (uint64_t j = 8; j < fields; j++) in.Varint();
    if (count == 0 || count > 256 || stream != 0 || mul > kMaxSkippedBytes || size > kMaxSkippedBytes) {
      Malformed("an impossible table of frame codes");
    }
    for (uint64_t j = 0; j < count;) {
      if (i == 'N') {
        codes_[i++].flags = kNutInvalid;
        continue;
      }
      if (i >= 256) Malformed("a table of frame codes that is too long");
      codes_[i++] = {flags, stream, mul, size + j, pts, reserved, header};
      j++;
    }
  }
  elision_.emplace_back();
  if (in.left() > 0) {
    const uint64_t headers = in.Varint();
    if (headers >= 128) Malformed("too many elision headers");
    for (uint64_t i = 0; i < headers; i++) {
      const uint64_t length = in.Varint();
      if (length == 0 || length > 255) Malformed("an elision header of impossible length");
      elision_.push_back(in.Bytes(length));
    }
  }
  if (version > 3 && in.left() > 0) mainFlags_ = in.Varint();
  mainBytes_ = bytes;
}

void NutReader::StreamHeader(const std::vector<uint8_t>& bytes) {
  if (mainBytes_.empty()) Malformed("a stream header before the main header");
  if (!streamBytes_.empty()) {
    if (bytes != streamBytes_) Malformed("a stream header that changes");
    return;
  }
  Cursor in(bytes);
  if (in.Varint() != 0) Malformed("an unknown stream");
  if (in.Varint() != 0) Malformed("a stream that is not video");
  const std::vector<uint8_t> tag = in.Bytes(in.Varint());
  const uint64_t timeBase = in.Varint();
  if (timeBase >= timeBases_.size()) Malformed("an unknown time base");
  ptsShift_ = in.Varint();
  if (ptsShift_ >= 16) Malformed("an impossible pts shift");
  in.Varint();  // max_pts_distance
  in.Varint();  // decode_delay
  in.Varint();  // stream_flags
  in.Bytes(in.Varint());
  const uint64_t width = in.Varint(), height = in.Varint();
  const uint64_t sampleWidth = in.Varint(), sampleHeight = in.Varint();
  CheckSize(width, height);
  info_.format = PixelFormatOfTag(tag.data(), tag.size());
  info_.width = static_cast<uint32_t>(width);
  info_.height = static_cast<uint32_t>(height);
  if (sampleWidth > 0 && sampleHeight > 0 && sampleWidth <= 65535 && sampleHeight <= 65535) {
    info_.sampleWidth = static_cast<uint32_t>(sampleWidth);
    info_.sampleHeight = static_cast<uint32_t>(sampleHeight);
  }
  info_.timeBaseNum = static_cast<uint32_t>(timeBases_[timeBase].first);
  info_.timeBaseDen = static_cast<uint32_t>(timeBases_[timeBase].second);
  frameBytes_ = FrameBytes(info_);
  streamBytes_ = bytes;
}

void NutReader::Syncpoint(const std::vector<uint8_t>& bytes) {
  if (streamBytes_.empty()) Malformed("a syncpoint before the headers");
  Cursor in(bytes);
  const uint64_t coded = in.Varint();
  const auto& [num, den] = timeBases_[coded % timeBases_.size()];
  // A time in any of the time bases, rounded down into the stream's own; 63 + 31 + 31 bits fit.
  const unsigned __int128 up =
      static_cast<unsigned __int128>(coded / timeBases_.size()) * num * info_.timeBaseDen;
  const unsigned __int128 pts = up / (static_cast<uint64_t>(den) * info_.timeBaseNum);
  if (pts > static_cast<unsigned __int128>(kMaxPts)) Malformed("an impossible time");
  lastPts_ = static_cast<int64_t>(pts);
}

bool NutReader::FrameHeader(uint8_t code, Frame* frame, size_t* elided) {
  const FrameCode& entry = codes_[code];
  uint64_t flags = entry.flags;
  if (flags & kNutInvalid) Malformed("an invalid frame code");
  if (flags & kNutCoded) flags ^= Varint();
  if (flags & kNutStreamId && Varint() != 0) Malformed("a frame of an unknown stream");
  int64_t pts;
  if (flags & kNutCodedPts) {
    const uint64_t coded = Varint();
    const uint64_t whole = 1ull << ptsShift_;
    if (coded < whole) {
      const int64_t mask = static_cast<int64_t>(whole) - 1;
      const int64_t base = lastPts_ - mask / 2;
      pts = ((static_cast<int64_t>(coded) - base) & mask) + base;
    } else {
      pts =
          coded - whole > static_cast<uint64_t>(kMaxPts) ? kMaxPts + 1 : static_cast<int64_t>(coded - whole);
    }
  } else {
    if (entry.ptsDelta > kMaxPts || entry.ptsDelta < -kMaxPts) Malformed("an impossible time");
    pts = lastPts_ + entry.ptsDelta;
  }
  if (pts > kMaxPts || pts < -kMaxPts) Malformed("an impossible time");
  uint64_t size = entry.sizeLsb;
  if (flags & kNutSizeMsb) {
    const uint64_t msb = Varint();
    if (msb > kMaxSkippedBytes) Malformed("a frame of impossible size");
    const unsigned __int128 whole = static_cast<unsigned __int128>(entry.sizeMul) * msb + entry.sizeLsb;
    if (whole > kMaxSkippedBytes) Malformed("a frame of impossible size");
    size = static_cast<uint64_t>(whole);
  }
  if (flags & kNutMatchTime) Signed();
  uint64_t header = entry.header;
  if (flags & kNutHeaderIdx) header = Varint();
  uint64_t reserved = entry.reserved;
  if (flags & kNutReserved) reserved = Varint();
  if (reserved > 64) Malformed("too many reserved fields");
  for (uint64_t i = 0; i < reserved; i++) Varint();
  if (header >= elision_.size()) Malformed("an unknown elision header");
  // Elision is for small frames only: the format says the index is taken as 0 above 4096 bytes.
  if (size > 4096) header = 0;
  if (flags & kNutChecksum) {
    for (int i = 0; i < 4; i++) Byte();
    if (crc_ != 0) Malformed("a frame head with a wrong checksum");
  }
  if (flags & kNutSideData) Malformed("side data, which raw frames do not have");
  lastPts_ = pts;
  if (flags & kNutEor && size == 0) return false;
  if (size != frameBytes_) {
    Malformed(
        ("a frame of " + std::to_string(size) + " bytes where a picture has " + std::to_string(frameBytes_))
            .c_str());
  }
  if (elision_[header].size() > size) Malformed("an elision header longer than its frame");
  frame->pts = pts;
  *elided = static_cast<size_t>(header);
  return true;
}

const VideoInfo& NutReader::ReadHeader() {
  if (haveFirstCode_ || ended_) return info_;
  if (!haveFileId_) {
    for (const char expected : kNutFileId) {
      if (Byte() != static_cast<uint8_t>(expected)) Malformed("not a NUT stream");
    }
    haveFileId_ = true;
  }
  uint8_t byte;
  for (;;) {
    crc_ = 0;
    if (!TryByte(&byte)) {
      if (streamBytes_.empty()) throw Failure(Trouble::kTruncated, "NUT: the stream ends before its headers");
      ended_ = true;
      return info_;
    }
    if (byte != 'N') break;
    Packet();
  }
  if (streamBytes_.empty()) Malformed("a frame before the headers");
  firstCode_ = byte;
  haveFirstCode_ = true;
  return info_;
}

bool NutReader::ReadFrame(uint8_t* into, Frame* frame) {
  for (;;) {
    if (ended_) return false;
    uint8_t code;
    if (haveFirstCode_) {
      code = firstCode_;  // its checksum so far is still in crc_
      haveFirstCode_ = false;
    } else {
      crc_ = 0;
      if (!TryByte(&code)) {
        ended_ = true;
        return false;
      }
    }
    if (code == 'N') {
      Packet();
      continue;
    }
    size_t header = 0;
    if (!FrameHeader(code, frame, &header)) continue;
    const std::vector<uint8_t>& elided = elision_[header];
    std::copy(elided.begin(), elided.end(), into);
    Exactly(into + elided.size(), frameBytes_ - elided.size());
    return true;
  }
}

}  // namespace tredive
