#include "nut.h"

#include <cstring>

#include "failure.h"

namespace tredive {

namespace {

std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i << 24;
    for (int bit = 0; bit < 8; bit++) crc = (crc << 1) ^ ((crc >> 31) * 0x04C11DB7u);
    table[i] = crc;
  }
  return table;
}

}  // namespace

uint32_t NutCrc(const uint8_t* bytes, size_t count, uint32_t crc) {
  static const std::array<uint32_t, 256> table = MakeTable();
  for (size_t i = 0; i < count; i++) crc = (crc << 8) ^ table[(crc >> 24) ^ bytes[i]];
  return crc;
}

const char* PixelFormatName(PixelFormat format) {
  switch (format) {
    case PixelFormat::kYuv420p:
      return "yuv420p";
    case PixelFormat::kRgb24:
      return "rgb24";
    case PixelFormat::kGbrp:
      return "gbrp";
  }
  return "";
}

std::array<uint8_t, 4> PixelFormatTag(PixelFormat format) {
  switch (format) {
    case PixelFormat::kYuv420p:
      return {'I', '4', '2', '0'};
    case PixelFormat::kRgb24:
      return {'R', 'G', 'B', 24};
    case PixelFormat::kGbrp:
      return {'G', '3', 0, 8};
  }
  return {};
}

PixelFormat PixelFormatOfTag(const uint8_t* tag, size_t length) {
  for (const PixelFormat format : {PixelFormat::kYuv420p, PixelFormat::kRgb24, PixelFormat::kGbrp}) {
    if (length == 4 && std::memcmp(tag, PixelFormatTag(format).data(), 4) == 0) return format;
  }
  throw Failure(Trouble::kMalformed, "NUT: a pixel format other than yuv420p, rgb24 or gbrp");
}

size_t FrameBytes(const VideoInfo& info) {
  const size_t luma = static_cast<size_t>(info.width) * info.height;
  if (info.format != PixelFormat::kYuv420p) return luma * 3;
  return luma + 2 * static_cast<size_t>((info.width + 1) / 2) * ((info.height + 1) / 2);
}

void CheckSize(uint64_t width, uint64_t height) {
  if (width == 0 || height == 0 || width > kMaxSide || height > kMaxSide || width * height > kMaxPixels) {
    throw Failure(Trouble::kMalformed, "a picture of " + std::to_string(width) + "x" +
                                           std::to_string(height) + " is not accepted");
  }
}

}  // namespace tredive
