#pragma once
#include <cstdint>
#include <vector>

#include "cells.h"
#include "masking.h"

namespace tredive {

/**
 * Where the empty scene itself holds a person: the scene was learned with somebody in it. It shows in that a
 * known person is there for a while without being foreground. Whether that one stays or leaves, such a cell
 * has to be believed to show somebody until none has been known there for a while.
 */
class BakedPeople {
 public:
  explicit BakedPeople(const Grid& grid) : grid_(grid), bakedS_(grid.count(), 0.0f) {}

  bool Holds(size_t cell) const { return bakedS_[cell] >= kBakedS; }
  /** The scene of the cell, or all of it, was learned anew. */
  void Forget(size_t cell) { bakedS_[cell] = 0; }
  void ForgetAll() { bakedS_.assign(bakedS_.size(), 0.0f); }
  /** The scene was learned while somebody was in the cells that are not 0. */
  void Hold(const std::vector<uint8_t>& cells);
  /**
   * `known` are rectangles of people anywhere in and around a picture of width x height, `knownCells` the
   * cells they touch, `foreground` (0 or 1) of its pixels.
   */
  void Follow(const std::vector<Rect>& known, const std::vector<uint8_t>& knownCells,
              const std::vector<uint8_t>& foreground, int32_t width, int32_t height, float dtS);

 private:
  /** Seconds after which a cell is taken to hold a person, and for which it then does without a known one. */
  static constexpr float kBakedS = 1.5f, kBakedForS = 15;

  Grid grid_;
  /** Seconds for which a known person was in a cell without being foreground; above kBakedS, what is left of
   * kBakedForS. */
  std::vector<float> bakedS_;
};

}  // namespace tredive
