#pragma once
#include <cstdint>
#include <vector>

#include "cells.h"

namespace tredive {

/**
 * How the whole picture is lit against the model: luma = gain * scene + offset, chroma = 128 + gain * (scene
 * - 128) + offset of its own; and on top of that a shift that depends on how bright the scene is, as a camera
 * that opens its iris or balances its white does more than multiply.
 */
struct Light {
  float gain = 1, offset[3] = {0, 0, 0};
  /** Brightness of the scene at which the shift is known, growing, and the shifts of luma, U and V. */
  struct Knot {
    float luma, shift[3];
  };
  std::vector<Knot> knots;

  float Shift(int plane, float sceneLuma) const;
  /** What a luma of the scene looks like in this light, and the other way round. */
  float Lit(float scene) const { return gain * scene + offset[0] + Shift(0, scene); }
  float Unlit(float now) const;
};

struct LightLook {
  Light light;
  /** A light was switched: much of the picture changed since the look before, and shows the same texture. */
  bool switched = false;
  /** It is only part of the room that is lit otherwise, or unevenly: `light` does not tell. */
  bool uneven = false;
};

/**
 * Medians over blocks of cells, so that people in up to half of the picture do not count. Cells with `skip`
 * are left out (known people, foreground of the look before).
 */
LightLook EstimateLight(const Grid& grid, const std::vector<CellSums>& sums, const std::vector<uint8_t>& skip,
                        const Light& before);

/** Gain of each cell by itself, taken from the neighbourhood where it has `skip`. */
std::vector<float> GainField(const Grid& grid, const std::vector<CellSums>& sums,
                             const std::vector<uint8_t>& skip);

}  // namespace tredive
