#include "shade.h"

#include <algorithm>

namespace tredive {

namespace {

/** Whether the texture around is that of the scene, more or less brightly lit. */
bool IsTextureOfScene(const CellSums& around, float noise) {
  if (around.SceneVariance() < std::max(25.0f, 8 * noise * noise)) return false;
  const float gain = around.now / std::max(1.0f, around.scene);
  // Light multiplies: brightness and contrast alike.
  const float slope = around.Slope();
  if (gain < 0.4f || gain > 2.5f || slope < 0.6f * gain || slope > 1.6f * gain) return false;
  return around.Correlation() >= 0.93f;
}

template <typename Visit>
void EachPixel(const BackgroundPlane& plane, const Grid& grid, size_t cell, Visit visit) {
  const Rect all = PixelsOf(grid, cell, plane.width, plane.height, plane.cell);
  for (int32_t y = all.y; y < all.y + all.h; y++) {
    for (int32_t x = all.x; x < all.x + all.w; x++) visit(static_cast<size_t>(y) * plane.width + x);
  }
}

}  // namespace

void DropShade(const Grid& grid, const std::vector<BackgroundPlane>& planes,
               const std::vector<CellSums>& sums, std::vector<uint8_t>* strength) {
  for (int32_t row = 0; row < grid.rows; row++) {
    for (int32_t col = 0; col < grid.cols; col++) {
      const size_t cell = grid.At(col, row);
      int32_t strays = 0, coloured = 0;
      float noise = 0;
      EachPixel(planes[0], grid, cell, [&](size_t i) {
        strays += (*strength)[i] != 0;
        noise = std::max(noise, planes[0].noise[i]);
      });
      if (strays == 0) continue;
      EachPixel(planes[1], grid, cell,
                [&](size_t i) { coloured += planes[1].strength[i] || planes[2].strength[i]; });
      if (coloured > 1) continue;
      CellSums around;
      for (int32_t y = std::max(0, row - 1); y <= std::min(grid.rows - 1, row + 1); y++) {
        for (int32_t x = std::max(0, col - 1); x <= std::min(grid.cols - 1, col + 1); x++)
          around.Add(sums[grid.At(x, y)]);
      }
      if (!IsTextureOfScene(around, noise)) continue;
      EachPixel(planes[0], grid, cell, [&](size_t i) { (*strength)[i] = 0; });
    }
  }
}

}  // namespace tredive
