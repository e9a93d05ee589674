#include "blobs.h"

#include <algorithm>
#include <cmath>

namespace tredive {

namespace {

/** Pixels to each side of an outline between which a step is measured: past what blurring softens. */
constexpr int32_t kReach = 3;

template <typename Visit>
void EachPixel(const Grid& grid, const BackgroundPlane& luma, uint32_t cell, Visit visit) {
  const Rect all = PixelsOf(grid, cell, luma.width, luma.height, kCell);
  for (int32_t y = all.y; y < all.y + all.h; y++) {
    for (int32_t x = all.x; x < all.x + all.w; x++) visit(x, y);
  }
}

}  // namespace

std::vector<Blob> FindBlobs(const Grid& grid, const BackgroundPlane& luma, const BlobMasks& masks,
                            const std::vector<uint8_t>& shares) {
  std::vector<Blob> blobs;
  std::vector<uint8_t> open(grid.count());
  for (size_t cell = 0; cell < grid.count(); cell++) open[cell] = shares[cell] * 4 >= kCell * kCell;
  for (size_t start = 0; start < grid.count(); start++) {
    if (!open[start]) continue;
    Blob blob;
    blob.cells.push_back(static_cast<uint32_t>(start));
    open[start] = 0;
    for (size_t next = 0; next < blob.cells.size(); next++) {
      const uint32_t cell = blob.cells[next];
      EachPixel(grid, luma, cell, [&](int32_t x, int32_t y) {
        const size_t i = static_cast<size_t>(y) * luma.width + x;
        if (!(*masks.foreground)[i]) return;
        blob.area++;
        blob.strong += (*masks.strength)[i] > 1;
        blob.moved += (*masks.moved)[i] != 0;
      });
      const int32_t col = static_cast<int32_t>(cell) % grid.cols,
                    row = static_cast<int32_t>(cell) / grid.cols;
      for (int32_t y = std::max(0, row - 1); y <= std::min(grid.rows - 1, row + 1); y++) {
        for (int32_t x = std::max(0, col - 1); x <= std::min(grid.cols - 1, col + 1); x++) {
          if (!open[grid.At(x, y)]) continue;
          open[grid.At(x, y)] = 0;
          blob.cells.push_back(static_cast<uint32_t>(grid.At(x, y)));
        }
      }
    }
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

void MeasureOutline(const Grid& grid, const std::vector<BackgroundPlane>& planes,
                    const std::vector<uint8_t>& foreground, const Light& light, Blob* blob) {
  const BackgroundPlane& luma = planes[0];
  float now = 0, scene = 0;
  int32_t steps = 0;
  for (const uint32_t cell : blob->cells) {
    EachPixel(grid, luma, cell, [&](int32_t x, int32_t y) {
      if (!foreground[static_cast<size_t>(y) * luma.width + x]) return;
      constexpr int32_t kSides[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
      for (const auto& side : kSides) {
        const int32_t nextX = x + side[0], nextY = y + side[1];
        const int32_t outX = x + kReach * side[0], outY = y + kReach * side[1];
        const int32_t inX = x - kReach * side[0], inY = y - kReach * side[1];
        const auto inside = [&](int32_t px, int32_t py) {
          return px >= 0 && py >= 0 && px < luma.width && py < luma.height;
        };
        if (!inside(outX, outY) || !inside(inX, inY)) continue;
        if (foreground[static_cast<size_t>(nextY) * luma.width + nextX]) continue;
        // A thin part, or another blob close by: no step from figure to ground.
        if (foreground[static_cast<size_t>(outY) * luma.width + outX]) continue;
        if (!foreground[static_cast<size_t>(inY) * luma.width + inX]) continue;
        for (size_t p = 0; p < planes.size(); p++) {
          const BackgroundPlane& plane = planes[p];
          const int32_t by = p == 0 ? 1 : 2;
          const size_t out = static_cast<size_t>(outY / by) * plane.width + outX / by;
          const size_t in = static_cast<size_t>(inY / by) * plane.width + inX / by;
          now += std::abs(plane.now[in] - plane.now[out]);
          scene += light.gain * std::abs(plane.scene[in] - plane.scene[out]);
        }
        steps++;
      }
    });
  }
  if (steps == 0) return;
  blob->stepNow = now / static_cast<float>(steps);
  blob->stepScene = scene / static_cast<float>(steps);
}

}  // namespace tredive
