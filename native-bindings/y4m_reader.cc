#include "y4m_reader.h"

#include <cstring>
#include <sstream>

#include "failure.h"

namespace tredive {

namespace {

constexpr size_t kMaxLine = 1024;
constexpr char kFrame[] = "FRAME";

[[noreturn]] void Malformed(const char* what) {
  throw Failure(Trouble::kMalformed, std::string("YUV4MPEG2: ") + what);
}

uint64_t Number(const std::string& digits) {
  if (digits.empty() || digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos)
    Malformed("an impossible size");
  return std::stoull(digits);
}

/** The ways to say 4:2:0 with 8 bits; they differ in where the colour samples lie. */
bool Is420(const std::string& colours) {
  return colours == "420" || colours == "420jpeg" || colours == "420mpeg2" || colours == "420paldv";
}

}  // namespace

const VideoInfo& Y4mReader::ReadHeader() {
  std::string line;
  if (!ReadLine(std::strlen(kY4mMagic), &line))
    throw Failure(Trouble::kTruncated, "YUV4MPEG2: the stream ends before its header");
  if (line.compare(0, std::strlen(kY4mMagic), kY4mMagic) != 0) Malformed("not such a stream");
  uint64_t width = 0, height = 0;
  bool known = true;  // 4:2:0 is what is meant where nothing is said
  std::istringstream fields(line.substr(std::strlen(kY4mMagic)));
  for (std::string field; fields >> field;) {
    if (field[0] == 'W') width = Number(field.substr(1));
    if (field[0] == 'H') height = Number(field.substr(1));
    if (field[0] == 'C') known = Is420(field.substr(1));
  }
  if (!known) Malformed("frames that are not 4:2:0 of 8 bits");
  CheckSize(width, height);
  info_.width = static_cast<uint32_t>(width);
  info_.height = static_cast<uint32_t>(height);
  return info_;
}

bool Y4mReader::ReadFrameLine() {
  std::string line;
  if (!ReadLine(std::strlen(kFrame) + 1, &line)) return false;
  if (line != kFrame && line.compare(0, std::strlen(kFrame) + 1, std::string(kFrame) + ' ') != 0)
    Malformed("something else where a frame should begin");
  return true;
}

void Y4mReader::ReadPixels(uint8_t* into, size_t count) {
  while (count > 0) {
    const size_t got = source_.Read(into, count);
    if (got == 0) throw Failure(Trouble::kTruncated, "YUV4MPEG2: the stream ends inside a frame");
    into += got;
    count -= got;
  }
}

bool Y4mReader::ReadLine(size_t expected, std::string* line) {
  line->clear();
  while (line->empty() || line->back() != '\n') {
    if (line->size() >= kMaxLine) Malformed("a line that is too long");
    uint8_t bytes[16];
    const size_t wanted = line->size() < expected ? std::min(expected - line->size(), sizeof bytes) : 1;
    const size_t got = source_.Read(bytes, wanted);
    if (got == 0) {
      if (line->empty()) return false;
      throw Failure(Trouble::kTruncated, "YUV4MPEG2: the stream ends inside a line");
    }
    line->append(reinterpret_cast<const char*>(bytes), got);
  }
  line->pop_back();
  if (line->find('\n') != std::string::npos) Malformed("a line that is too short");
  return true;
}

}  // namespace tredive
