// Hostile input for everything that looks at bytes or coordinates, run under the sanitizers by `make fuzz`. A
// stream is written, then read back whole, cut at every length and with random damage: each time it must end
// in frames or in a Failure.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "failure.h"
#include "label.h"
#include "masking.h"
#include "nut_reader.h"
#include "nut_writer.h"

using namespace tredive;

namespace {

class MemorySource : public ByteSource {
 public:
  MemorySource(const std::vector<uint8_t>& bytes, size_t step) : bytes_(bytes), step_(step) {}
  size_t Read(uint8_t* into, size_t most) override {
    const size_t count = std::min({most, step_, bytes_.size() - at_});
    std::copy_n(bytes_.begin() + at_, count, into);
    at_ += count;
    return count;
  }

 private:
  const std::vector<uint8_t>& bytes_;
  size_t step_;
  size_t at_ = 0;
};

class MemorySink : public ByteSink {
 public:
  void Write(const uint8_t* bytes, size_t count) override { out.insert(out.end(), bytes, bytes + count); }
  std::vector<uint8_t> out;
};

struct Outcome {
  int frames = 0;
  bool failed = false;
};

Outcome ReadAll(const std::vector<uint8_t>& bytes, size_t step) {
  MemorySource source(bytes, step);
  NutReader reader(source);
  Outcome outcome;
  try {
    const VideoInfo info = reader.ReadHeader();
    std::vector<uint8_t> pixels(FrameBytes(info));
    NutReader::Frame frame;
    while (outcome.frames < 1000 && reader.ReadFrame(pixels.data(), &frame)) outcome.frames++;
  } catch (const Failure&) {
    outcome.failed = true;
  }
  return outcome;
}

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

}  // namespace

int main() {
  std::mt19937 random(30);
  const auto below = [&](int32_t n) { return static_cast<int32_t>(random() % static_cast<uint32_t>(n)); };

  MemorySink sink;
  VideoInfo info;
  info.width = 17;
  info.height = 9;
  info.timeBaseNum = 1;
  info.timeBaseDen = 90000;
  NutWriter writer(sink, info);
  writer.WriteHeader();
  std::vector<uint8_t> pixels(FrameBytes(info));
  for (int i = 0; i < 4; i++) {
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
    writer.WriteFrame(pixels.data(), i * 3600ll);
  }
  for (const size_t step : {size_t{1}, size_t{7}, size_t{1} << 20}) {
    const Outcome whole = ReadAll(sink.out, step);
    Require(!whole.failed && whole.frames == 4, "what was written is not read back");
  }
  for (size_t length = 0; length < sink.out.size(); length++) {
    const std::vector<uint8_t> cut(sink.out.begin(), sink.out.begin() + length);
    Require(ReadAll(cut, 1 << 20).frames < 4, "a cut stream gives all frames");
  }
  for (int round = 0; round < 100000; round++) {
    std::vector<uint8_t> damaged = sink.out;
    // Most of the damage to the headers, where it matters.
    const int32_t reach = round % 2 ? 160 : static_cast<int32_t>(damaged.size());
    for (int32_t i = 1 + below(4); i > 0; i--) damaged[below(reach)] = static_cast<uint8_t>(random());
    ReadAll(damaged, 1 << 20);
  }
  // Headers with right checksums around wrong contents: past the first line of defence.
  for (int round = 0; round < 100000; round++) {
    std::vector<uint8_t> damaged = sink.out;
    for (const uint64_t start : {kNutMain, kNutStream, kNutSync}) {
      uint8_t code[8];
      for (int i = 0; i < 8; i++) code[i] = static_cast<uint8_t>(start >> (56 - 8 * i));
      const auto found = std::search(damaged.begin(), damaged.end(), code, code + 8);
      const size_t at = static_cast<size_t>(found - damaged.begin()) + 8;
      const size_t size = damaged[at] - 4u;  // all our headers are shorter than 128 bytes
      for (int32_t i = below(3); i > 0; i--)
        damaged[at + 1 + below(static_cast<int32_t>(size))] = static_cast<uint8_t>(random());
      const uint32_t crc = NutCrc(&damaged[at + 1], size);
      for (int i = 0; i < 4; i++) damaged[at + 1 + size + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    }
    ReadAll(damaged, 1 << 20);
  }

  for (int round = 0; round < 20000; round++) {
    info.width = 1 + below(90);
    info.height = 1 + below(70);
    std::vector<uint8_t> picture(FrameBytes(info), 128);
    const Picture view = Picture::Of(info, picture.data());
    const MaskStyle style = round % 2 ? MaskStyle::kSolid : MaskStyle::kPixelate;
    Masker masker(style, 1 + random());
    const Rect rect = round % 50 == 0 ? Rect{INT32_MAX - below(9), INT32_MIN + below(9), INT32_MAX, INT32_MAX}
                                      : Rect{below(200) - 100, below(200) - 100, below(200), below(200)};
    masker.Apply(view, rect);
    Require(CheckMask(view, rect, style, 0, view.height).ok, "a mask does not pass its own check");
    std::string text(static_cast<size_t>(below(40)), ' ');
    for (char& letter : text) letter = static_cast<char>(random());
    Label label({text}, round % 3 ? Label::Edge::kTop : Label::Edge::kBottom);
    label.Draw(view, 0);
    Require(label.Deviation(view, 0) == 0, "a label does not pass its own check");
  }
  std::puts("fuzz: nothing found");
  return 0;
}
