#pragma once
#include <cstdint>

#include "nut.h"

namespace tredive {

/** Interleaved or planar 8-bit RGB to planar R, G, B floats 0..255; `into` has 3 * width * height of them. */
void ToPlanarFloat(const VideoInfo& info, const uint8_t* pixels, float* into);

}  // namespace tredive
