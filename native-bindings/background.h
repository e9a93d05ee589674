#pragma once
#include <cstdint>
#include <vector>

#include "light.h"

namespace tredive {

/**
 * What one plane of the empty scene looks like, pixel by pixel, and how it usually strays from that. All
 * values are levels of 0..255 of blurred pictures. Nothing is learned but where the caller says so.
 */
struct BackgroundPlane {
  /** `cell` is the side of a cell in this plane, `zero` the level that a gain leaves alone. */
  BackgroundPlane(int32_t width, int32_t height, int32_t cell, float zero);

  /** Takes the median of some pictures (at least one) for the empty scene. */
  void Prime(const std::vector<const uint8_t*>& pictures);

  /** Compares `now` with the scene as it would be lit: fills rest, strength and moved. */
  void Compare(const Light& light, int plane, const BackgroundPlane& luma);

  /** Learns slowly in pixels with `learn`; `noisy` (pixels, too) says where repetitive motion may be got used
   * to: 0 no, 1 soon, 2 late. */
  void Learn(const std::vector<uint8_t>& learn, const std::vector<uint8_t>& noisy, float gain, float meanRate,
             float dtS);

  /** The scene is what is seen now; `sceneNow` is that without its light. */
  void Adopt(size_t pixel, float sceneNow);

  size_t count() const { return scene.size(); }

  int32_t width, height, cell;
  float zero;
  std::vector<float> now, scene, noise;
  /** What repetitive motion may stray beyond the noise. */
  std::vector<float> used;
  /** How far the picture is from the scene, at this look and at the one before. */
  std::vector<float> rest, restBefore;
  /** Returns to the scene after a stray, fading; many of them are leaves, a clock, flicker. */
  std::vector<float> returns;
  /** 0 the scene, 1 strays from it, 2 strays clearly. */
  std::vector<uint8_t> strength, strengthBefore;
  /** Changed since the look before. */
  std::vector<uint8_t> moved;
};

/** What each cell holds; `planes` are luma, U, V. */
std::vector<CellSums> SumCells(const Grid& grid, const std::vector<BackgroundPlane>& planes);

}  // namespace tredive
