#include "masking.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace tredive {

namespace {

/** A rectangle in one plane; chroma is rounded outwards, as a half-covered sample still shows the colour of
 * hair or skin. */
Rect InPlane(const Rect& rect, int plane) {
  if (plane == 0) return rect;
  const int32_t x = rect.x / 2, y = rect.y / 2;
  return {x, y, (rect.x + rect.w + 1) / 2 - x, (rect.y + rect.h + 1) / 2 - y};
}

int32_t StrideOf(const Picture& picture, int plane) {
  return plane == 0 ? picture.width : picture.chromaWidth;
}
int32_t RowsOf(const Picture& picture, int plane) {
  return plane == 0 ? picture.height : picture.chromaHeight;
}

void Fill(const Picture& picture, int plane, const Rect& in, uint8_t value) {
  const size_t stride = static_cast<size_t>(StrideOf(picture, plane));
  for (int32_t y = in.y; y < in.y + in.h; y++) {
    std::memset(picture.plane[plane] + static_cast<size_t>(y) * stride + in.x, value,
                static_cast<size_t>(in.w));
  }
}

struct Sums {
  double deviation = 0;  // mean distance from the reference
  double far = 0;        // share of samples farther away than a limit
};

/** Whole numbers row by row, so that the compiler can do many samples at once: this looks at every masked
 * sample of a copy. */
Sums Measure(const Picture& picture, int plane, const Rect& in, double reference, int32_t limit) {
  const size_t stride = static_cast<size_t>(StrideOf(picture, plane));
  const int32_t middle = static_cast<int32_t>(std::lround(reference));
  uint64_t distance = 0, far = 0;
  for (int32_t y = in.y; y < in.y + in.h; y++) {
    const uint8_t* row = picture.plane[plane] + static_cast<size_t>(y) * stride + in.x;
    uint32_t rowDistance = 0, rowFar = 0;
    for (int32_t x = 0; x < in.w; x++) {
      const int32_t away = std::abs(row[x] - middle);
      rowDistance += static_cast<uint32_t>(away);
      rowFar += away > limit;
    }
    distance += rowDistance;
    far += rowFar;
  }
  const double count = static_cast<double>(in.w) * in.h;
  return {static_cast<double>(distance) / count, static_cast<double>(far) / count};
}

double Mean(const Picture& picture, int plane, const Rect& in) {
  const size_t stride = static_cast<size_t>(StrideOf(picture, plane));
  uint64_t sum = 0;
  for (int32_t y = in.y; y < in.y + in.h; y++) {
    const uint8_t* row = picture.plane[plane] + static_cast<size_t>(y) * stride;
    for (int32_t x = in.x; x < in.x + in.w; x++) sum += row[x];
  }
  return static_cast<double>(sum) / (static_cast<double>(in.w) * in.h);
}

Rect Shrink(const Rect& in, int32_t by) { return {in.x + by, in.y + by, in.w - 2 * by, in.h - 2 * by}; }

constexpr int32_t kFar = 32;

/** Whether an area is of one value, but for what an encoder does to it. */
bool IsEven(const Picture& picture, int plane, const Rect& in, double reference, int32_t rim, double* worst) {
  const Sums whole = Measure(picture, plane, in, reference, kFar);
  *worst = std::max(*worst, whole.deviation);
  const bool small = std::min(in.w, in.h) <= 3 * rim;
  // A sliver of a few samples can be half bleed; anything larger is mostly fill even with its rim.
  if (whole.deviation > (small ? 48 : 24)) return false;
  if (small) return true;
  const Sums inside = Measure(picture, plane, Shrink(in, rim), reference, kFar);
  return inside.deviation <= 10 && inside.far <= 0.01;
}

/**
 * Cell by cell; of the area of a plane one tenth may fail. Partial cells at the box's edge are small, and
 * beside the worst of noise an encoder spoils one now and then; a box that is not covered fails in nearly all
 * of its cells.
 */
bool CheckCells(const Picture& picture, int plane, const Rect& in, int32_t cell, double* worst) {
  int64_t judged = 0, failed = 0;
  for (int32_t top = in.y / cell * cell; top < in.y + in.h; top += cell) {
    for (int32_t left = in.x / cell * cell; left < in.x + in.w; left += cell) {
      const int32_t x = std::max(left, in.x), y = std::max(top, in.y);
      const Rect part{x, y, std::min(left + cell, in.x + in.w) - x, std::min(top + cell, in.y + in.h) - y};
      const int64_t area = static_cast<int64_t>(part.w) * part.h;
      judged += area;
      const int32_t rim = plane == 0 ? 4 : 2;
      if (!IsEven(picture, plane, part, Mean(picture, plane, part), rim, worst)) failed += area;
    }
  }
  return failed * 10 <= judged;
}

}  // namespace

Picture Picture::Of(const VideoInfo& info, uint8_t* pixels) {
  Picture picture;
  picture.width = static_cast<int32_t>(info.width);
  picture.height = static_cast<int32_t>(info.height);
  picture.chromaWidth = (picture.width + 1) / 2;
  picture.chromaHeight = (picture.height + 1) / 2;
  const size_t luma = static_cast<size_t>(picture.width) * picture.height;
  const size_t chroma = static_cast<size_t>(picture.chromaWidth) * picture.chromaHeight;
  picture.plane[0] = pixels;
  picture.plane[1] = pixels + luma;
  picture.plane[2] = pixels + luma + chroma;
  return picture;
}

int32_t CellSide(const Rect& rect) {
  int32_t side = 16;
  while (side < std::min(rect.w, rect.h) / 4) side *= 2;
  return side;
}

Rect Clip(const Rect& rect, int32_t width, int32_t height) {
  const int64_t left = std::max<int64_t>(0, rect.x), top = std::max<int64_t>(0, rect.y);
  const int64_t right = std::min<int64_t>(width, static_cast<int64_t>(rect.x) + rect.w);
  const int64_t bottom = std::min<int64_t>(height, static_cast<int64_t>(rect.y) + rect.h);
  if (right <= left || bottom <= top) return {0, 0, 0, 0};
  return {static_cast<int32_t>(left), static_cast<int32_t>(top), static_cast<int32_t>(right - left),
          static_cast<int32_t>(bottom - top)};
}

void Masker::Apply(const Picture& picture, const Rect& wanted) {
  const Rect rect = Clip(wanted, picture.width, picture.height);
  if (rect.w == 0) return;
  if (style_ == MaskStyle::kPixelate) return Pixelate(picture, rect);
  for (int plane = 0; plane < 3; plane++)
    Fill(picture, plane, InPlane(rect, plane), plane == 0 ? kFillLuma : kFillChroma);
}

/** xorshift64*: -12..12. */
int Masker::Noise() {
  noise_ ^= noise_ >> 12;
  noise_ ^= noise_ << 25;
  noise_ ^= noise_ >> 27;
  return static_cast<int>((noise_ * 0x2545F4914F6CDD1Dull) >> 33) % 25 - 12;
}

/**
 * Cells lie on a grid of the picture, not of the box: a box that moves by a pixel a frame would otherwise
 * sample the same face at ever new offsets, from which it can be rebuilt. For the same reason a cell that the
 * box covers only in part is averaged whole.
 */
void Masker::Pixelate(const Picture& picture, const Rect& rect) {
  const int32_t side = CellSide(rect);
  for (int plane = 0; plane < 3; plane++) {
    const Rect in = InPlane(rect, plane);
    const int32_t cell = plane == 0 ? side : side / 2;
    const int32_t width = StrideOf(picture, plane), height = RowsOf(picture, plane);
    for (int32_t top = in.y / cell * cell; top < in.y + in.h; top += cell) {
      for (int32_t left = in.x / cell * cell; left < in.x + in.w; left += cell) {
        const Rect whole = Clip({std::max(0, std::min(left, width - cell)),
                                 std::max(0, std::min(top, height - cell)), cell, cell},
                                width, height);
        const double value = Mean(picture, plane, whole) + Noise();
        const int32_t x = std::max(left, in.x), y = std::max(top, in.y);
        const Rect part{x, y, std::min(left + cell, in.x + in.w) - x, std::min(top + cell, in.y + in.h) - y};
        Fill(picture, plane, part, static_cast<uint8_t>(std::clamp(std::lround(value), 0l, 255l)));
      }
    }
  }
}

MaskCheck CheckMask(const Picture& picture, const Rect& wanted, MaskStyle style, int32_t rowFrom,
                    int32_t rowTo) {
  MaskCheck check;
  Rect rect = Clip(wanted, picture.width, picture.height);
  const int32_t top = std::max(rect.y, rowFrom), bottom = std::min(rect.y + rect.h, rowTo);
  if (rect.w == 0 || bottom <= top) return check;
  const int32_t side = CellSide(rect);
  rect.y = top;
  rect.h = bottom - top;
  for (int plane = 0; plane < 3; plane++) {
    const Rect in = InPlane(rect, plane);
    if (style == MaskStyle::kSolid) {
      const double fill = plane == 0 ? kFillLuma : kFillChroma;
      check.ok &= IsEven(picture, plane, in, fill, plane == 0 ? 8 : 4, &check.deviation);
    } else {
      check.ok &= CheckCells(picture, plane, in, plane == 0 ? side : side / 2, &check.deviation);
    }
  }
  return check;
}

}  // namespace tredive
