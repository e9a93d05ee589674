#include "frame_stream.h"

#include <algorithm>
#include <cstring>

namespace tredive {

const VideoInfo& FrameStream::ReadHeader() {
  const size_t length = std::strlen(kY4mMagic);
  const std::vector<uint8_t>& first = source_.Peek(length);
  if (first.size() < length || std::memcmp(first.data(), kY4mMagic, length) != 0) {
    nut_ = std::make_unique<NutReader>(source_);
    info_ = nut_->ReadHeader();
  } else {
    y4m_ = std::make_unique<Y4mReader>(source_);
    info_ = y4m_->ReadHeader();
  }
  return info_;
}

bool FrameStream::ReadFrame(uint8_t* into, int64_t* pts) {
  if (nut_) {
    NutReader::Frame frame;
    if (!nut_->ReadFrame(into, &frame)) return false;
    *pts = frame.pts;
    return true;
  }
  if (!y4m_->ReadFrameLine()) return false;
  y4m_->ReadPixels(into, FrameBytes(info_));
  *pts = frames_++;
  return true;
}

size_t FrameStream::Peeked::Read(uint8_t* into, size_t most) {
  if (at_ == first_.size()) return source_.Read(into, most);
  const size_t count = std::min(most, first_.size() - at_);
  std::memcpy(into, first_.data() + at_, count);
  at_ += count;
  return count;
}

const std::vector<uint8_t>& FrameStream::Peeked::Peek(size_t count) {
  while (first_.size() < count) {
    uint8_t bytes[16];
    const size_t got = source_.Read(bytes, std::min(count - first_.size(), sizeof bytes));
    if (got == 0) break;
    first_.insert(first_.end(), bytes, bytes + got);
  }
  return first_;
}

}  // namespace tredive
