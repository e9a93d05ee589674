#include "smooth.h"

#include <algorithm>

namespace tredive {

void Blur(const uint8_t* src, int32_t width, int32_t height, float* dst) {
  const auto stride = static_cast<size_t>(width);
  std::vector<uint16_t> sums(stride + 2);
  for (int32_t y = 0; y < height; y++) {
    const uint8_t* above = src + static_cast<size_t>(std::max(0, y - 1)) * stride;
    const uint8_t* here = src + static_cast<size_t>(y) * stride;
    const uint8_t* below = src + static_cast<size_t>(std::min(height - 1, y + 1)) * stride;
    for (int32_t x = 0; x < width; x++) sums[x + 1] = static_cast<uint16_t>(above[x] + here[x] + below[x]);
    sums[0] = sums[1];
    sums[stride + 1] = sums[stride];
    float* __restrict row = dst + static_cast<size_t>(y) * stride;
    const uint16_t* three = sums.data();
    for (int32_t x = 0; x < width; x++)
      row[x] = static_cast<float>(three[x] + three[x + 1] + three[x + 2]) * (1.0f / 9.0f);
  }
}

void Vote(const std::vector<uint8_t>& src, int32_t width, int32_t height, int32_t radius, int32_t least,
          std::vector<uint8_t>* dst) {
  const auto stride = static_cast<size_t>(width), wide = static_cast<size_t>(2 * radius + 1);
  dst->resize(src.size());
  std::vector<uint8_t> sums(stride + wide);
  for (int32_t y = 0; y < height; y++) {
    uint8_t* __restrict column = sums.data() + radius;
    std::fill(sums.begin(), sums.end(), 0);
    for (int32_t other = std::max(0, y - radius); other <= std::min(height - 1, y + radius); other++) {
      const uint8_t* row = src.data() + static_cast<size_t>(other) * stride;
      for (int32_t x = 0; x < width; x++) column[x] = static_cast<uint8_t>(column[x] + (row[x] != 0));
    }
    uint8_t* __restrict out = dst->data() + static_cast<size_t>(y) * stride;
    for (int32_t x = 0; x < width; x++) out[x] = 0;
    for (size_t shift = 0; shift < wide; shift++) {
      const uint8_t* from = sums.data() + shift;
      for (int32_t x = 0; x < width; x++) out[x] = static_cast<uint8_t>(out[x] + from[x]);
    }
    for (int32_t x = 0; x < width; x++) out[x] = out[x] >= least;
  }
}

float Median(std::vector<float>* values, float fallback) {
  if (values->empty()) return fallback;
  const auto middle = values->begin() + static_cast<std::ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return *middle;
}

}  // namespace tredive
