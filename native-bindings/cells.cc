#include "cells.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tredive {

void CellSums::Add(const CellSums& other) {
  count += other.count;
  scene += other.scene;
  now += other.now;
  sceneScene += other.sceneScene;
  nowNow += other.nowNow;
  sceneNow += other.sceneNow;
  chroma += other.chroma;
  sceneU += other.sceneU;
  nowU += other.nowU;
  sceneV += other.sceneV;
  nowV += other.nowV;
}

float CellSums::SceneVariance() const { return (sceneScene - scene * scene / count) / count; }

float CellSums::Correlation() const {
  const float product = (sceneScene - scene * scene / count) * (nowNow - now * now / count);
  if (!(product > 1e-3f)) return 0;
  return (sceneNow - scene * now / count) / std::sqrt(product);
}

float CellSums::Slope() const {
  return (sceneNow - scene * now / count) / std::max(1e-3f, sceneScene - scene * scene / count);
}

Rect PixelsOf(const Grid& grid, size_t cell, int32_t width, int32_t height, int32_t side) {
  const auto index = static_cast<int32_t>(cell);
  const int32_t x = index % grid.cols * side, y = index / grid.cols * side;
  return {x, y, std::min(side, width - x), std::min(side, height - y)};
}

std::vector<uint8_t> CountInCells(const Grid& grid, const std::vector<uint8_t>& mask, int32_t width) {
  std::vector<uint8_t> counts(grid.count(), 0);
  const uint8_t* from = mask.data();
  for (size_t y = 0; y * width < mask.size(); y++) {
    uint8_t* row = &counts[grid.At(0, static_cast<int32_t>(y) / kCell)];
    for (int32_t x = 0; x < width; x++, from++)
      row[x / kCell] = static_cast<uint8_t>(row[x / kCell] + (*from != 0));
  }
  return counts;
}

void MarkCells(const Grid& grid, const Rect& rect, std::vector<uint8_t>* cells) {
  if (rect.w == 0) return;
  for (int32_t row = rect.y / kCell; row <= (rect.y + rect.h - 1) / kCell; row++) {
    for (int32_t col = rect.x / kCell; col <= (rect.x + rect.w - 1) / kCell; col++)
      (*cells)[grid.At(col, row)] = 1;
  }
}

std::vector<uint8_t> Widened(const Grid& grid, const std::vector<uint8_t>& cells) {
  std::vector<uint8_t> wide(grid.count(), 0);
  for (int32_t row = 0; row < grid.rows; row++) {
    for (int32_t col = 0; col < grid.cols; col++) {
      if (cells[grid.At(col, row)] == 0) continue;
      for (int32_t y = std::max(0, row - 1); y <= std::min(grid.rows - 1, row + 1); y++) {
        for (int32_t x = std::max(0, col - 1); x <= std::min(grid.cols - 1, col + 1); x++)
          wide[grid.At(x, y)] = 1;
      }
    }
  }
  return wide;
}

void SpreadCells(const Grid& grid, const std::vector<uint8_t>& cells, int32_t width, int32_t height,
                 int32_t side, std::vector<uint8_t>* pixels) {
  pixels->resize(static_cast<size_t>(width) * height);
  for (int32_t y = 0; y < height; y++) {
    uint8_t* row = pixels->data() + static_cast<size_t>(y) * width;
    if (y % side != 0) {
      std::memcpy(row, row - width, static_cast<size_t>(width));
      continue;
    }
    const uint8_t* from = &cells[grid.At(0, y / side)];
    for (int32_t left = 0; left < width; left += side, from++) {
      for (int32_t x = left; x < std::min(width, left + side); x++) row[x] = *from;
    }
  }
}

}  // namespace tredive
