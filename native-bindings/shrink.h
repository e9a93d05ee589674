#pragma once
#include <cstdint>

#include "masking.h"

namespace tredive {

/**
 * One 8-bit plane without padding to another size, each axis by itself: the average over the area that a
 * pixel covers where the axis shrinks (of at most 256 rows, evenly picked), linear between pixel centres
 * where it grows. Sides of 1 to 65535.
 */
void Shrink(const uint8_t* src, int32_t srcWidth, int32_t srcHeight, uint8_t* dst, int32_t dstWidth,
            int32_t dstHeight);

/** The three planes of a picture to the size of another. */
void ShrinkPicture(const Picture& from, const Picture& to);

/** How Y, U and V were made from R, G and B. */
enum class ColourMatrix { kBt601, kBt709 };

/** A picture at another size as planar R, G, B, each 0..255; `planarRgb` has 3 * width * height values. */
void ShrinkToRgb(const Picture& picture, float* planarRgb, int32_t width, int32_t height, ColourMatrix matrix,
                 bool fullRange);

}  // namespace tredive
