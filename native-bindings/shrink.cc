#include "shrink.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tredive {

namespace {

/** Which source rows make a row, with weights that sum to 256: a row of sums then fits 16 bits, and eight of
 * them a vector register. */
struct Rows {
  int32_t first = 0;
  std::vector<uint16_t> weights;
};

/** Between pixel centres: the source pixel before, and 1/256 of the way to the next. */
struct Between {
  int32_t first, part;
};

Between Centre(int32_t index, int32_t src, int32_t dst) {
  const int64_t twice = std::max<int64_t>(0, (2ll * index + 1) * src - dst);
  const auto first = static_cast<int32_t>(twice / (2ll * dst));
  if (first >= src - 1) return {src - 1, 0};
  return {first, static_cast<int32_t>(((twice - 2ll * dst * first) * 256 + dst) / (2ll * dst))};
}

void RowsOf(int32_t index, int32_t src, int32_t dst, Rows* rows) {
  rows->weights.clear();
  if (dst > src) {
    const Between at = Centre(index, src, dst);
    rows->first = at.first;
    rows->weights.push_back(static_cast<uint16_t>(256 - at.part));
    if (at.part > 0) rows->weights.push_back(static_cast<uint16_t>(at.part));
    return;
  }
  // In units of 1/dst of a source row; rounding the running total keeps the sum exact.
  const int64_t from = static_cast<int64_t>(index) * src, to = from + src;
  rows->first = static_cast<int32_t>(from / dst);
  int64_t given = 0;
  for (int64_t row = rows->first; row * dst < to; row++) {
    const int64_t total = ((std::min((row + 1) * dst, to) - from) * 512 / src + 1) / 2;
    rows->weights.push_back(static_cast<uint16_t>(total - given));
    given = total;
  }
}

template <int kRows, bool kFirst>
void AddRows(const uint8_t* src, size_t stride, const uint16_t* weights, uint16_t* __restrict sums,
             int32_t width) {
  for (int32_t x = 0; x < width; x++) {
    uint16_t sum = kFirst ? 0 : sums[x];
    for (int row = 0; row < kRows; row++)
      sum = static_cast<uint16_t>(sum + weights[row] * src[static_cast<size_t>(row) * stride + x]);
    sums[x] = sum;
  }
}

template <bool kFirst>
void AddSome(const uint8_t* src, size_t stride, const uint16_t* weights, size_t count, uint16_t* sums,
             int32_t width) {
  switch (count) {
    case 1:
      return AddRows<1, kFirst>(src, stride, weights, sums, width);
    case 2:
      return AddRows<2, kFirst>(src, stride, weights, sums, width);
    case 3:
      return AddRows<3, kFirst>(src, stride, weights, sums, width);
    case 4:
      return AddRows<4, kFirst>(src, stride, weights, sums, width);
    default:
      return AddRows<5, kFirst>(src, stride, weights, sums, width);
  }
}

void SumRows(const uint8_t* src, size_t width, const Rows& rows, uint16_t* sums) {
  const uint8_t* at = src + static_cast<size_t>(rows.first) * width;
  for (size_t done = 0; done < rows.weights.size();) {
    const size_t count = std::min<size_t>(5, rows.weights.size() - done);
    const auto add = done == 0 ? AddSome<true> : AddSome<false>;
    add(at + done * width, width, &rows.weights[done], count, sums, static_cast<int32_t>(width));
    done += count;
  }
}

/** The columns of a row of sums: differences of running totals, so that the cost does not grow with what a
 * pixel covers. */
class Columns {
 public:
  Columns(int32_t src, int32_t dst) : src_(src), dst_(dst) {
    if (dst > src) {
      for (int32_t x = 0; x < dst; x++) centres_.push_back(Centre(x, src, dst));
      return;
    }
    totals_.resize(static_cast<size_t>(src) + 1);
    int64_t before = 0;
    for (int32_t x = 0; x <= dst; x++) {
      const int64_t edge = (static_cast<int64_t>(x) * src * 512 / dst + 1) / 2;
      edges_.push_back({static_cast<int32_t>(edge >> 8), static_cast<int32_t>(edge & 255)});
      if (x > 0) scales_.push_back((uint64_t{1} << 48) / (static_cast<uint64_t>(edge - before) << 8) + 1);
      before = edge;
    }
  }

  /** `sums` has one value of any kind behind its last. */
  void Make(const uint16_t* sums, uint8_t* dst) {
    if (dst_ > src_) {
      for (int32_t x = 0; x < dst_; x++) {
        const Between at = centres_[x];
        const uint32_t next = at.part > 0 ? sums[at.first + 1] : 0u;
        const uint32_t part = static_cast<uint32_t>(at.part);
        dst[x] = static_cast<uint8_t>((sums[at.first] * (256 - part) + next * part + 32768) >> 16);
      }
      return;
    }
    // Totals may wrap around: only differences count, and those of 65535 pixels fit.
    uint32_t total = 0;
    for (int32_t x = 0; x < src_; x++) {
      totals_[x] = total;
      total += sums[x];
    }
    totals_[src_] = total;
    uint32_t left = 0, leftPart = 0;
    for (int32_t x = 0; x < dst_; x++) {
      const Between edge = edges_[x + 1];
      const uint32_t right = totals_[edge.first];
      const uint32_t rightPart = edge.part > 0 ? sums[edge.first] * static_cast<uint32_t>(edge.part) : 0u;
      const uint64_t sum = (static_cast<uint64_t>(right - left) << 8) + rightPart - leftPart;
      dst[x] = static_cast<uint8_t>((sum * scales_[x] + (uint64_t{1} << 47)) >> 48);
      left = right;
      leftPart = rightPart;
    }
  }

 private:
  int32_t src_, dst_;
  std::vector<Between> centres_, edges_;
  std::vector<uint64_t> scales_;
  std::vector<uint32_t> totals_;
};

struct Matrix {
  float redV, greenU, greenV, blueU;
};
constexpr Matrix kMatrix601{1.402f, 0.344136f, 0.714136f, 1.772f};
constexpr Matrix kMatrix709{1.5748f, 0.187324f, 0.468124f, 1.8556f};

float Clamped(float value) { return std::min(255.0f, std::max(0.0f, value)); }

}  // namespace

void Shrink(const uint8_t* src, int32_t srcWidth, int32_t srcHeight, uint8_t* dst, int32_t dstWidth,
            int32_t dstHeight) {
  if (srcWidth == dstWidth && srcHeight == dstHeight) {
    std::memcpy(dst, src, static_cast<size_t>(srcWidth) * srcHeight);
    return;
  }
  std::vector<uint16_t> sums(static_cast<size_t>(srcWidth) + 1);
  Columns columns(srcWidth, dstWidth);
  Rows rows;
  for (int32_t y = 0; y < dstHeight; y++) {
    RowsOf(y, srcHeight, dstHeight, &rows);
    SumRows(src, static_cast<size_t>(srcWidth), rows, sums.data());
    columns.Make(sums.data(), dst + static_cast<size_t>(y) * dstWidth);
  }
}

void ShrinkPicture(const Picture& from, const Picture& to) {
  Shrink(from.plane[0], from.width, from.height, to.plane[0], to.width, to.height);
  for (int plane = 1; plane < 3; plane++) {
    Shrink(from.plane[plane], from.chromaWidth, from.chromaHeight, to.plane[plane], to.chromaWidth,
           to.chromaHeight);
  }
}

void ShrinkToRgb(const Picture& picture, float* planarRgb, int32_t width, int32_t height, ColourMatrix matrix,
                 bool fullRange) {
  const size_t count = static_cast<size_t>(width) * height;
  std::vector<uint8_t> planes(3 * count);
  uint8_t* const luma = planes.data();
  uint8_t* const blueness = luma + count;
  uint8_t* const redness = blueness + count;
  Shrink(picture.plane[0], picture.width, picture.height, luma, width, height);
  Shrink(picture.plane[1], picture.chromaWidth, picture.chromaHeight, blueness, width, height);
  Shrink(picture.plane[2], picture.chromaWidth, picture.chromaHeight, redness, width, height);

  const Matrix& m = matrix == ColourMatrix::kBt709 ? kMatrix709 : kMatrix601;
  const float black = fullRange ? 0.0f : 16.0f;
  const float lumaScale = fullRange ? 1.0f : 255.0f / 219.0f;
  const float chromaScale = fullRange ? 1.0f : 255.0f / 224.0f;
  float* __restrict red = planarRgb;
  float* __restrict green = planarRgb + count;
  float* __restrict blue = planarRgb + 2 * count;
  for (size_t i = 0; i < count; i++) {
    const float y = (luma[i] - black) * lumaScale;
    const float u = (blueness[i] - 128.0f) * chromaScale;
    const float v = (redness[i] - 128.0f) * chromaScale;
    red[i] = Clamped(y + m.redV * v);
    green[i] = Clamped(y - m.greenU * u - m.greenV * v);
    blue[i] = Clamped(y + m.blueU * u);
  }
}

}  // namespace tredive
