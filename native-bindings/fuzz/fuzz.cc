// Hostile input for everything that looks at bytes or coordinates, run under the sanitizers by `make fuzz`. A
// stream is written, then read back whole, cut at every length and with random damage: each time it must end
// in frames or in a Failure.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "failure.h"
#include "frame_stream.h"
#include "label.h"
#include "masking.h"
#include "motion_model.h"
#include "nut_writer.h"
#include "shrink.h"

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
  FrameStream stream(source);
  Outcome outcome;
  try {
    const VideoInfo info = stream.ReadHeader();
    std::vector<uint8_t> pixels(FrameBytes(info));
    int64_t pts;
    while (outcome.frames < 1000 && stream.ReadFrame(pixels.data(), &pts)) outcome.frames++;
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

/** One axis of a picture in plain arithmetic: the weight of each source pixel. */
std::vector<double> Weights(int32_t index, int32_t src, int32_t dst) {
  std::vector<double> weights(static_cast<size_t>(src), 0);
  if (dst > src) {
    const double at = std::clamp((index + 0.5) * src / dst - 0.5, 0.0, src - 1.0);
    const auto first = static_cast<size_t>(at);
    weights[first] += 1 - (at - static_cast<double>(first));
    if (first + 1 < weights.size()) weights[first + 1] += at - static_cast<double>(first);
    return weights;
  }
  const double scale = static_cast<double>(src) / dst, from = index * scale, to = from + scale;
  for (int32_t i = 0; i < src; i++)
    weights[i] = std::max(0.0, std::min(to, i + 1.0) - std::max(from, static_cast<double>(i))) / scale;
  return weights;
}

void CheckShrink(const std::vector<uint8_t>& src, int32_t width, int32_t height, int32_t toWidth,
                 int32_t toHeight) {
  std::vector<uint8_t> dst(static_cast<size_t>(toWidth) * toHeight);
  Shrink(src.data(), width, height, dst.data(), toWidth, toHeight);
  for (int32_t y = 0; y < toHeight; y++) {
    const std::vector<double> down = Weights(y, height, toHeight);
    for (int32_t x = 0; x < toWidth; x++) {
      const std::vector<double> across = Weights(x, width, toWidth);
      double sum = 0;
      for (int32_t j = 0; j < height; j++)
        for (int32_t i = 0; i < width; i++) sum += down[j] * across[i] * src[j * width + i];
      // Half a level of rounding, and weights in 1/256.
      const double off = std::abs(sum - dst[static_cast<size_t>(y) * toWidth + x]);
      Require(off < 2.5, "a shrunk picture is not the average");
    }
  }
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

  // The same pictures in YUV4MPEG2.
  std::vector<uint8_t> plain;
  const auto say = [&](const char* text) { plain.insert(plain.end(), text, text + std::strlen(text)); };
  say("YUV4MPEG2 W17 H9 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n");
  for (int i = 0; i < 4; i++) {
    say(i == 2 ? "FRAME Ip\n" : "FRAME\n");
    plain.insert(plain.end(), pixels.begin(), pixels.end());
  }
  for (const size_t step : {size_t{1}, size_t{7}, size_t{1} << 20}) {
    const Outcome whole = ReadAll(plain, step);
    Require(!whole.failed && whole.frames == 4, "YUV4MPEG2 is not read back");
  }
  for (size_t length = 0; length < plain.size(); length++) {
    const std::vector<uint8_t> cut(plain.begin(), plain.begin() + length);
    Require(ReadAll(cut, 1 << 20).frames < 4, "a cut stream gives all frames");
  }
  for (int round = 0; round < 100000; round++) {
    std::vector<uint8_t> damaged = plain;
    const int32_t reach = round % 2 ? 64 : static_cast<int32_t>(damaged.size());
    for (int32_t i = 1 + below(4); i > 0; i--) damaged[below(reach)] = static_cast<uint8_t>(random());
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
    Label label(round % 3 ? Label::Edge::kTop : Label::Edge::kBottom, text.size());
    label.Draw(view, text);
    Require(label.Deviation(view, text) == 0, "a label does not pass its own check");
  }

  for (int round = 0; round < 300; round++) {
    const int32_t width = 1 + below(40), height = 1 + below(40);
    std::vector<uint8_t> plane(static_cast<size_t>(width) * height);
    for (uint8_t& pixel : plane) pixel = static_cast<uint8_t>(random());
    CheckShrink(plane, width, height, 1 + below(50), 1 + below(50));
  }
  for (const auto& [width, height] : {std::pair{65535, 2}, std::pair{3, 65535}}) {
    const std::vector<uint8_t> white(static_cast<size_t>(width) * height, 255);
    for (const int32_t side : {1, 3, 255}) {
      std::vector<uint8_t> small(static_cast<size_t>(side) * side);
      Shrink(white.data(), width, height, small.data(), side, side);
      Require(std::all_of(small.begin(), small.end(), [](uint8_t value) { return value == 255; }),
              "white does not stay white");
    }
  }
  for (int round = 0; round < 200; round++) {
    info.width = 16 + below(60);
    info.height = 16 + below(60);
    MotionModel model(static_cast<int32_t>(info.width), static_cast<int32_t>(info.height));
    std::vector<uint8_t> picture(model.pictureBytes(), static_cast<uint8_t>(random()));
    Require(picture.size() == FrameBytes(info), "a picture is of another size");
    for (int look = 0; look < 30; look++) {
      // Even areas, noise, black, white: whatever divides by nothing must not get through.
      const int32_t kind = below(5);
      for (uint8_t& pixel : picture) {
        if (kind == 0) pixel = static_cast<uint8_t>(random());
        if (kind == 1) pixel = static_cast<uint8_t>(look * 8);
        if (kind == 2 && below(3) == 0) pixel = static_cast<uint8_t>(255 - pixel);
      }
      if (below(10) == 0) model.Prime({picture.data(), picture.data()});
      std::vector<Rect> occupied;
      while (below(3) > 0) {
        occupied.push_back(below(9) == 0
                               ? Rect{INT32_MIN, INT32_MAX - below(9), INT32_MAX, INT32_MIN}
                               : Rect{below(90) - 20, below(90) - 20, below(60) - 5, below(60) - 5});
      }
      const double times[] = {look * 0.2, -1e300, 1e300, look * -3.0};
      const MotionLook seen = model.Look(picture.data(), times[round % 4], occupied);
      Require(seen.foreground.size() == model.grid().count() && seen.moving.size() == model.grid().count(),
              "a look is not of the size of its grid");
    }
    try {
      model.Look(picture.data(), std::numeric_limits<double>::quiet_NaN(), {});
      Require(false, "a time that is no number is taken");
    } catch (const Failure&) {
    }
  }
  std::puts("fuzz: nothing found");
  return 0;
}
