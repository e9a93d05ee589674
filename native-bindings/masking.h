#pragma once
#include <cstdint>
#include <string>

#include "nut.h"

namespace tredive {

/** Pixels of the picture, half-open: x <= px < x + w. */
struct Rect {
  int32_t x, y, w, h;
};

enum class MaskStyle { kSolid, kPixelate };

/** One 4:2:0 picture in a buffer without padding; chroma sides are rounded up. */
struct Picture {
  uint8_t* plane[3];
  int32_t width, height, chromaWidth, chromaHeight;

  static Picture Of(const VideoInfo& info, uint8_t* pixels);
};

/** Dark neutral grey, told from the black of a dead camera. */
constexpr uint8_t kFillLuma = 24;
constexpr uint8_t kFillChroma = 128;

/** Side of a pixelation cell for a box: a power of two, at least 16 and at least a quarter of the shorter
 * side. */
int32_t CellSide(const Rect& rect);

/** Clips a rectangle to the picture; the result may be empty (w or h of 0). */
Rect Clip(const Rect& rect, int32_t width, int32_t height);

/**
 * Covers rectangles for good. `noise` is the state of the random numbers that are added to each pixelated
 * cell (from the system, so that averaging over many frames of a slow walk does not bring back what the cells
 * average).
 */
class Masker {
 public:
  Masker(MaskStyle style, uint64_t noise) : style_(style), noise_(noise) {}
  void Apply(const Picture& picture, const Rect& rect);

 private:
  void Pixelate(const Picture& picture, const Rect& rect);
  int Noise();
  MaskStyle style_;
  uint64_t noise_;
};

/** What a decoded rectangle looks like against what it should. */
struct MaskCheck {
  bool ok = true;
  /** Mean distance from the fill (solid) or from the mean of its cell (pixelate), in levels of 0..255; worst
   * plane. */
  double deviation = 0;
};

/**
 * Whether the rectangle of a decoded picture is covered, allowing for the noise of a lossy encoder: its rim
 * (8 pixels, where the encoder lets neighbours bleed in) is only judged by its mean, its inside pixel by
 * pixel. Rows outside [rowFrom, rowTo) are under the label and not judged.
 */
MaskCheck CheckMask(const Picture& picture, const Rect& rect, MaskStyle style, int32_t rowFrom,
                    int32_t rowTo);

}  // namespace tredive
