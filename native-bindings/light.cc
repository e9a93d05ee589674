#include "light.h"

#include <algorithm>
#include <cmath>

#include "smooth.h"

namespace tredive {

namespace {

/** Cells to a side of a block. */
constexpr int32_t kBlock = 4;
/** Added to both sides of a ratio: near black a level more or less is no change of light. */
constexpr float kDark = 4;
constexpr float kLeastGain = 0.2f, kMostGain = 5;
/** Variance of a block from which its texture says something. */
constexpr float kTextured = 16;

float GainOf(const CellSums& sums) {
  const float dark = kDark * sums.count;
  return std::clamp((sums.now + dark) / (sums.scene + dark), kLeastGain, kMostGain);
}

/** The blocks of which at least a quarter is not left out. */
std::vector<CellSums> Blocks(const Grid& grid, const std::vector<CellSums>& sums,
                             const std::vector<uint8_t>& skip) {
  std::vector<CellSums> blocks;
  for (int32_t top = 0; top < grid.rows; top += kBlock) {
    for (int32_t left = 0; left < grid.cols; left += kBlock) {
      CellSums block;
      int32_t cells = 0, open = 0;
      for (int32_t row = top; row < std::min(grid.rows, top + kBlock); row++) {
        for (int32_t col = left; col < std::min(grid.cols, left + kBlock); col++) {
          const size_t cell = grid.At(col, row);
          cells++;
          if (skip[cell]) continue;
          block.Add(sums[cell]);
          open++;
        }
      }
      if (open * 4 >= cells) blocks.push_back(block);
    }
  }
  return blocks;
}

bool IsAsLit(const CellSums& block, const Light& light) {
  const float expected = light.Lit(block.scene / block.count);
  return std::abs(block.now / block.count - expected) < std::max(8.0f, 0.08f * expected);
}

/** What is left of one plane of a block when gain and offset are taken off. */
float Left(const CellSums& block, const Light& light, int plane) {
  if (plane == 0) return (block.now - light.gain * block.scene) / block.count - light.offset[0];
  const float scene = (plane == 1 ? block.sceneU : block.sceneV) / block.chroma - 128;
  const float now = (plane == 1 ? block.nowU : block.nowV) / block.chroma - 128;
  return now - light.gain * scene - light.offset[plane];
}

/** The shifts of blocks that are alike in brightness, where most of them agree. */
void FindKnots(std::vector<CellSums> blocks, Light* light) {
  const size_t parts = std::min<size_t>(6, blocks.size() / 10);
  std::stable_sort(blocks.begin(), blocks.end(), [](const CellSums& a, const CellSums& b) {
    return a.scene * b.count < b.scene * a.count;
  });
  std::vector<float> values;
  for (size_t part = 0; part < parts; part++) {
    const size_t from = part * blocks.size() / parts, to = (part + 1) * blocks.size() / parts;
    const CellSums& middle = blocks[(from + to) / 2];
    Light::Knot knot{middle.scene / middle.count, {0, 0, 0}};
    for (int plane = 0; plane < 3; plane++) {
      values.clear();
      for (size_t i = from; i < to; i++) values.push_back(Left(blocks[i], *light, plane));
      const float shift = Median(&values, 0), tolerance = std::max(2.0f, 0.3f * std::abs(shift));
      const auto agreeing = std::count_if(values.begin(), values.end(),
                                          [&](float value) { return std::abs(value - shift) < tolerance; });
      if (static_cast<size_t>(agreeing) * 10 >= values.size() * 7) knot.shift[plane] = shift;
    }
    light->knots.push_back(knot);
  }
}

/** Whether so much changed against how the picture was lit before, with the texture kept, that a light was
 * switched. */
bool IsSwitched(const std::vector<CellSums>& blocks, const Light& before) {
  size_t changed = 0, textured = 0, alike = 0;
  std::vector<float> gains;
  for (const CellSums& block : blocks) {
    if (IsAsLit(block, before)) continue;
    changed++;
    gains.push_back(GainOf(block));
    if (block.SceneVariance() < kTextured) continue;
    textured++;
    alike += block.Correlation() > 0.8f;
  }
  if (changed * 10 < blocks.size() * 3) return false;
  if (textured >= 3 && textured * 10 >= changed) return alike * 10 >= textured * 6;
  // Nothing but flat areas: then only one and the same change nearly everywhere is taken for light.
  if (changed * 10 < blocks.size() * 6) return false;
  std::sort(gains.begin(), gains.end());
  return gains[gains.size() * 3 / 4] < 1.25f * gains[gains.size() / 4];
}

}  // namespace

float Light::Shift(int plane, float sceneLuma) const {
  if (knots.empty()) return 0;
  if (sceneLuma <= knots.front().luma) return knots.front().shift[plane];
  for (size_t i = 1; i < knots.size(); i++) {
    const Knot& a = knots[i - 1];
    const Knot& b = knots[i];
    if (sceneLuma >= b.luma) continue;
    return a.shift[plane] + (b.shift[plane] - a.shift[plane]) * (sceneLuma - a.luma) / (b.luma - a.luma);
  }
  return knots.back().shift[plane];
}

float Light::Unlit(float now) const {
  const float rough = (now - offset[0]) / std::max(0.1f, gain);
  return rough - Shift(0, rough) / std::max(0.1f, gain);
}

LightLook EstimateLight(const Grid& grid, const std::vector<CellSums>& sums, const std::vector<uint8_t>& skip,
                        const Light& before) {
  LightLook look;
  const std::vector<CellSums> blocks = Blocks(grid, sums, skip);
  const size_t all = (grid.count() + kBlock * kBlock - 1) / (kBlock * kBlock);
  // Too little of the empty scene in sight to say anything.
  if (blocks.empty() || blocks.size() * 8 < all) {
    look.light = before;
    return look;
  }
  look.switched = IsSwitched(blocks, before);

  Light& light = look.light;
  std::vector<float> values;
  for (const CellSums& block : blocks) values.push_back(GainOf(block));
  light.gain = Median(&values, 1);
  for (int plane = 0; plane < 3; plane++) {
    values.clear();
    for (const CellSums& block : blocks) values.push_back(Left(block, light, plane));
    light.offset[plane] = Median(&values, 0);
  }
  FindKnots(blocks, &light);
  const auto lit = std::count_if(blocks.begin(), blocks.end(),
                                 [&](const CellSums& block) { return IsAsLit(block, light); });
  look.uneven = static_cast<size_t>(lit) * 10 < blocks.size() * 9;
  return look;
}

std::vector<float> GainField(const Grid& grid, const std::vector<CellSums>& sums,
                             const std::vector<uint8_t>& skip) {
  std::vector<float> gains(grid.count(), 1.0f);
  std::vector<uint8_t> known(grid.count(), 0), after;
  for (size_t cell = 0; cell < grid.count(); cell++) {
    if (skip[cell] || sums[cell].count <= 0) continue;
    gains[cell] = GainOf(sums[cell]);
    known[cell] = 1;
  }
  // Grows inwards by a cell a round, each time as the mean of the neighbours known so far.
  for (bool grown = true; grown;) {
    grown = false;
    after = known;
    for (int32_t row = 0; row < grid.rows; row++) {
      for (int32_t col = 0; col < grid.cols; col++) {
        if (known[grid.At(col, row)]) continue;
        float sum = 0, count = 0;
        for (int32_t y = std::max(0, row - 1); y <= std::min(grid.rows - 1, row + 1); y++) {
          for (int32_t x = std::max(0, col - 1); x <= std::min(grid.cols - 1, col + 1); x++) {
            if (!known[grid.At(x, y)]) continue;
            sum += gains[grid.At(x, y)];
            count++;
          }
        }
        if (count == 0) continue;
        gains[grid.At(col, row)] = sum / count;
        after[grid.At(col, row)] = 1;
        grown = true;
      }
    }
    known.swap(after);
  }
  return gains;
}

}  // namespace tredive
