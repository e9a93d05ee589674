#pragma once
#include <cstdint>
#include <vector>

namespace tredive {

/** Mean over 3x3 pixels, the outermost repeated. What a sensor and an encoder add to single pixels is mostly
 * gone, people are not. */
void Blur(const uint8_t* src, int32_t width, int32_t height, float* dst);

/** Sets the pixels of `dst` around which (radius to each side, at most 7) at least `least` of `src` are not
 * 0; beyond the edges there is nothing. `dst` holds 0 and 1. */
void Vote(const std::vector<uint8_t>& src, int32_t width, int32_t height, int32_t radius, int32_t least,
          std::vector<uint8_t>* dst);

/** The middle one of some values, which it puts in another order; `fallback` where there are none. */
float Median(std::vector<float>* values, float fallback);

}  // namespace tredive
