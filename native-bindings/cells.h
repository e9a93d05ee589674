#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "masking.h"

namespace tredive {

/** Side of a cell in luma pixels; the last cells of a row or column may be cut. */
constexpr int32_t kCell = 4;

struct Grid {
  int32_t cols, rows;
  size_t count() const { return static_cast<size_t>(cols) * rows; }
  size_t At(int32_t col, int32_t row) const { return static_cast<size_t>(row) * cols + col; }
};

/** What one cell, or several together, hold of the empty scene (`scene`) and of the picture (`now`). */
struct CellSums {
  float count = 0, scene = 0, now = 0, sceneScene = 0, nowNow = 0, sceneNow = 0;
  float chroma = 0, sceneU = 0, nowU = 0, sceneV = 0, nowV = 0;

  void Add(const CellSums& other);
  float SceneVariance() const;
  /** Correlation of the two luma textures, -1..1; 0 where either has none. */
  float Correlation() const;
  /** By how much the contrast grew; 1 is unchanged. */
  float Slope() const;
};

/** The pixels of a cell in a plane in which cells have sides of `side`. */
Rect PixelsOf(const Grid& grid, size_t cell, int32_t width, int32_t height, int32_t side);

/** How many pixels of each cell are not 0, in a mask of luma size. */
std::vector<uint8_t> CountInCells(const Grid& grid, const std::vector<uint8_t>& mask, int32_t width);

/** Sets the cells that a rectangle inside the picture touches. */
void MarkCells(const Grid& grid, const Rect& rect, std::vector<uint8_t>* cells);

/** Cells that are not 0 and the eight around each. */
std::vector<uint8_t> Widened(const Grid& grid, const std::vector<uint8_t>& cells);

/** The values of the cells of a row of luma, or of chroma with half the side, for each pixel of a plane. */
void SpreadCells(const Grid& grid, const std::vector<uint8_t>& cells, int32_t width, int32_t height,
                 int32_t side, std::vector<uint8_t>* pixels);

}  // namespace tredive
