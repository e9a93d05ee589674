#pragma once
#include <cstdint>
#include <vector>

#include "background.h"
#include "cells.h"

namespace tredive {

/**
 * Clears luma strays that are only shadow or light: what falls on a surface leaves its texture and colour. On
 * flat surfaces nothing tells shade from a person in one colour, so there it stays. `planes` are luma, U, V,
 * compared; `strength` is of luma size.
 */
void DropShade(const Grid& grid, const std::vector<BackgroundPlane>& planes,
               const std::vector<CellSums>& sums, std::vector<uint8_t>* strength);

}  // namespace tredive
