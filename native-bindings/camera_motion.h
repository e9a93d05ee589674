#pragma once
#include <cstdint>
#include <vector>

#include "cells.h"

namespace tredive {

/** A blurred luma plane that belongs to the caller. */
struct LumaView {
  const float* pixels;
  int32_t width, height;
};

/**
 * How a camera stands now against how it stood: what was at (x, y), counted from the middle of the picture,
 * is at (x, y) + (shiftX + grow * x - turn * y, shiftY + turn * x + grow * y).
 */
struct CameraPose {
  float shiftX = 0, shiftY = 0, grow = 0, turn = 0;
  /** How far a point moved, in pixels. */
  float DistanceAt(float x, float y) const;
};

/** What the textured blocks of a picture say. */
struct CameraLook {
  /** Blocks that could vote; of these, how many were found again. */
  int32_t asked = 0, found = 0;
  /** Most of those that were found agree on `pose`, and there are enough of them. */
  bool agreed = false;
  CameraPose pose;
  /** Pixels by which a tenth of those that agree moved at least. */
  float moved = 0;
};

/**
 * Tells the motion of the camera from motion in front of it. Every block of the reference that has texture in
 * both directions is sought in the picture; whoever walks in front of it makes that it is not found, and does
 * not count. Brightness and contrast do not matter.
 */
class CameraReference {
 public:
  /** Chooses the blocks. `luma` has to stay where it is. */
  void Set(const LumaView& luma);
  /** `skip` (cells) is what must not vote: people who are known. `now` is as large as the reference. */
  CameraLook Find(const LumaView& now, const Grid& grid, const std::vector<uint8_t>& skip) const;

 private:
  struct Block {
    int32_t x, y;
  };
  LumaView luma_{};
  std::vector<Block> blocks_;
};

/** What a plane would show had the camera not moved. `side` is 1 for luma and 2 for chroma; what was outside
 * is repeated from the edge. */
void TakeBack(const CameraPose& pose, int32_t width, int32_t height, float side, std::vector<float>* plane);

}  // namespace tredive
