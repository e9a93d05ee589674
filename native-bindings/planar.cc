#include "planar.h"

#include <algorithm>

namespace tredive {

void ToPlanarFloat(const VideoInfo& info, const uint8_t* pixels, float* into) {
  const size_t count = static_cast<size_t>(info.width) * info.height;
  if (info.format == PixelFormat::kGbrp) {
    std::copy(pixels + 2 * count, pixels + 3 * count, into);
    std::copy(pixels, pixels + 2 * count, into + count);
    return;
  }
  float* red = into;
  float* green = into + count;
  float* blue = into + 2 * count;
  for (size_t i = 0; i < count; i++) {
    red[i] = pixels[3 * i];
    green[i] = pixels[3 * i + 1];
    blue[i] = pixels[3 * i + 2];
  }
}

}  // namespace tredive
