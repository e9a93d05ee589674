#include "label.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tredive {

namespace {

constexpr uint8_t kInk = 235;
constexpr uint8_t kPaper = 16;
constexpr int32_t kGlyphWidth = 5, kGlyphHeight = 7, kAdvance = 6, kMargin = 2;

struct Glyph {
  char letter;
  /** Seven rows from the top; bit 4 is the left column. */
  uint8_t rows[kGlyphHeight];
};

constexpr Glyph kGlyphs[] = {
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'D', {30, 17, 17, 17, 17, 17, 30}},
    {'E', {31, 16, 16, 30, 16, 16, 31}}, {'F', {31, 16, 16, 30, 16, 16, 16}},
    {'G', {14, 17, 16, 23, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'J', {7, 2, 2, 2, 2, 18, 12}},
    {'K', {17, 18, 20, 24, 20, 18, 17}}, {'L', {16, 16, 16, 16, 16, 16, 31}},
    {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 25, 21, 19, 17, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'Q', {14, 17, 17, 17, 21, 18, 13}}, {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 17, 10, 4}},
    {'W', {17, 17, 17, 21, 21, 27, 17}}, {'X', {17, 17, 10, 4, 10, 17, 17}},
    {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 6, 8, 16, 31}},    {'3', {30, 1, 1, 14, 1, 1, 30}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}},
    {' ', {0, 0, 0, 0, 0, 0, 0}},        {'.', {0, 0, 0, 0, 0, 12, 12}},
    {',', {0, 0, 0, 0, 12, 4, 8}},       {':', {0, 12, 12, 0, 12, 12, 0}},
    {';', {0, 12, 12, 0, 12, 4, 8}},     {'-', {0, 0, 0, 31, 0, 0, 0}},
    {'+', {0, 4, 4, 31, 4, 4, 0}},       {'/', {0, 1, 2, 4, 8, 16, 0}},
    {'_', {0, 0, 0, 0, 0, 0, 31}},       {'(', {2, 4, 8, 8, 8, 4, 2}},
    {')', {8, 4, 2, 2, 2, 4, 8}},        {'#', {10, 10, 31, 10, 31, 10, 10}},
    {'=', {0, 0, 31, 0, 31, 0, 0}},      {'\'', {4, 4, 8, 0, 0, 0, 0}},
    {'&', {12, 18, 20, 8, 21, 18, 13}},  {'*', {0, 4, 21, 14, 21, 4, 0}},
    {'!', {4, 4, 4, 4, 4, 0, 4}},        {'?', {14, 17, 1, 2, 4, 0, 4}},
    {'@', {14, 17, 1, 13, 21, 21, 14}},  {'|', {4, 4, 4, 4, 4, 4, 4}},
};
constexpr Glyph kUnknown = {0, {31, 17, 17, 17, 17, 17, 31}};

const Glyph& GlyphOf(char letter) {
  for (const Glyph& glyph : kGlyphs) {
    if (glyph.letter == letter) return glyph;
  }
  return kUnknown;
}

/** Large enough to read on a 1080-line screen, and still whole on a small picture where that is possible. */
int32_t ScaleFor(int32_t width, int32_t height, size_t letters) {
  const int32_t wanted = std::max(1, height / 300);
  const int32_t fitting =
      width / static_cast<int32_t>(std::min<size_t>(letters, 1000) * kAdvance + 2 * kMargin);
  return std::max(1, std::min(wanted, fitting));
}

}  // namespace

void Label::Rows(int32_t width, int32_t height, int32_t* from, int32_t* to) const {
  const int32_t scale = ScaleFor(width, height, longest_);
  // Even, so that the strip covers whole chroma samples; the picture below it starts on an even row.
  int32_t rows = ((kGlyphHeight + 2 * kMargin) * scale + 1) / 2 * 2;
  rows = std::min(rows, height);
  *from = edge_ == Edge::kTop ? 0 : (height - rows) / 2 * 2;
  *to = edge_ == Edge::kTop ? rows : height;
}

const std::vector<uint8_t>& Label::Strip(int32_t width, int32_t height, const std::string& letters) {
  if (!strip_.empty() && drawn_ == letters) return strip_;
  int32_t from, to;
  Rows(width, height, &from, &to);
  const int32_t scale = ScaleFor(width, height, longest_);
  strip_.assign(static_cast<size_t>(width) * (to - from), kPaper);
  for (size_t i = 0; i < letters.size(); i++) {
    const Glyph& glyph = GlyphOf(letters[i]);
    for (int32_t y = 0; y < kGlyphHeight * scale && kMargin * scale + y < to - from; y++) {
      for (int32_t x = 0; x < kGlyphWidth * scale; x++) {
        const int64_t at = static_cast<int64_t>(kMargin + i * kAdvance) * scale + x;
        if (at >= width) break;
        if (glyph.rows[y / scale] >> (kGlyphWidth - 1 - x / scale) & 1) {
          strip_[static_cast<size_t>(kMargin * scale + y) * width + at] = kInk;
        }
      }
    }
  }
  drawn_ = letters;
  return strip_;
}

void Label::Draw(const Picture& picture, const std::string& text) {
  const std::vector<uint8_t>& strip = Strip(picture.width, picture.height, text);
  int32_t from, to;
  Rows(picture.width, picture.height, &from, &to);
  std::memcpy(picture.plane[0] + static_cast<size_t>(from) * picture.width, strip.data(), strip.size());
  for (int plane = 1; plane < 3; plane++) {
    std::memset(picture.plane[plane] + static_cast<size_t>(from / 2) * picture.chromaWidth, kFillChroma,
                static_cast<size_t>((to + 1) / 2 - from / 2) * picture.chromaWidth);
  }
}

double Label::Deviation(const Picture& picture, const std::string& text) {
  const std::vector<uint8_t>& strip = Strip(picture.width, picture.height, text);
  int32_t from, to;
  Rows(picture.width, picture.height, &from, &to);
  const uint8_t* seen = picture.plane[0] + static_cast<size_t>(from) * picture.width;
  uint64_t sum = 0;
  for (size_t i = 0; i < strip.size(); i++) sum += static_cast<uint64_t>(std::abs(seen[i] - strip[i]));
  return static_cast<double>(sum) / static_cast<double>(strip.size());
}

}  // namespace tredive
