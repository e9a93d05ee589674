#include "camera_motion.h"

#include <algorithm>
#include <cmath>

namespace tredive {

namespace {

/** Side of a block, and how far it is sought, in pixels. Of a block every second pixel of every second row
 * counts. */
constexpr int32_t kBlock = 16, kReach = 6, kStep = 2;
/** Weaker direction of the texture of a block: mean square of its slope, in levels per pixel. */
constexpr float kTexture = 5;
/** Correlation of what is the same block, and of what is it so surely that nothing better is sought. */
constexpr float kSame = 0.8f, kSurely = 0.93f;
/** Blocks that agree lie so near to what all agree on, in pixels; so many are needed, and such a share. */
constexpr float kNear = 0.7f, kMajority = 0.65f;
constexpr int32_t kLeastVotes = 8;

struct Vote {
  float x, y, dx, dy, weight;
};

/** The reference's share of a correlation is the same for all places. */
struct Patch {
  float values[(kBlock / kStep) * (kBlock / kStep)];
  float energy = 0;
};

Patch PatchAt(const LumaView& luma, int32_t left, int32_t top) {
  Patch patch;
  float sum = 0;
  size_t n = 0;
  for (int32_t y = top; y < top + kBlock; y += kStep) {
    for (int32_t x = left; x < left + kBlock; x += kStep)
      sum += patch.values[n++] = luma.pixels[static_cast<size_t>(y) * luma.width + x];
  }
  for (float& value : patch.values) {
    value -= sum / static_cast<float>(n);
    patch.energy += value * value;
  }
  return patch;
}

float Correlation(const Patch& patch, const LumaView& now, int32_t left, int32_t top) {
  constexpr int32_t kSide = kBlock / kStep;
  float sums[kSide] = {}, squares[kSide] = {}, products[kSide] = {};
  const float* from = patch.values;
  for (int32_t y = top; y < top + kBlock; y += kStep, from += kSide) {
    const float* row = &now.pixels[static_cast<size_t>(y) * now.width + left];
    for (int32_t i = 0; i < kSide; i++) {
      const float value = row[i * kStep];
      sums[i] += value;
      squares[i] += value * value;
      products[i] += value * from[i];
    }
  }
  float sum = 0, square = 0, product = 0;
  for (int32_t i = 0; i < kSide; i++) {
    sum += sums[i];
    square += squares[i];
    product += products[i];
  }
  const float energy = square - sum * sum / (kSide * kSide);
  return energy < 1 ? 0 : product / std::sqrt(energy * patch.energy);
}

/** Where between three neighbours the best is, the middle one being the best of them. */
float Peak(float before, float best, float after) {
  const float bend = 2 * best - before - after;
  return bend > 1e-6f ? std::clamp((after - before) / (2 * bend), -0.5f, 0.5f) : 0;
}

/** Weighted least squares of the four numbers of a pose. */
CameraPose Fit(const std::vector<Vote>& votes) {
  float w = 0, wx = 0, wy = 0, wxx = 0, wdx = 0, wdy = 0, grow = 0, turn = 0;
  for (const Vote& v : votes) {
    w += v.weight;
    wx += v.weight * v.x;
    wy += v.weight * v.y;
    wdx += v.weight * v.dx;
    wdy += v.weight * v.dy;
  }
  const float midX = wx / w, midY = wy / w, midDx = wdx / w, midDy = wdy / w;
  for (const Vote& v : votes) {
    const float x = v.x - midX, y = v.y - midY;
    wxx += v.weight * (x * x + y * y);
    grow += v.weight * (x * (v.dx - midDx) + y * (v.dy - midDy));
    turn += v.weight * (x * (v.dy - midDy) - y * (v.dx - midDx));
  }
  CameraPose pose;
  pose.grow = grow / std::max(1.0f, wxx);
  pose.turn = turn / std::max(1.0f, wxx);
  pose.shiftX = midDx - pose.grow * midX + pose.turn * midY;
  pose.shiftY = midDy - pose.turn * midX - pose.grow * midY;
  return pose;
}

float Stray(const CameraPose& pose, const Vote& v) {
  return std::hypot(pose.shiftX + pose.grow * v.x - pose.turn * v.y - v.dx,
                    pose.shiftY + pose.turn * v.x + pose.grow * v.y - v.dy);
}

}  // namespace

float CameraPose::DistanceAt(float x, float y) const {
  return std::hypot(shiftX + grow * x - turn * y, shiftY + turn * x + grow * y);
}

void CameraReference::Set(const LumaView& luma) {
  luma_ = luma;
  blocks_.clear();
  for (int32_t top = kReach; top + kBlock + kReach <= luma.height; top += kBlock) {
    for (int32_t left = kReach; left + kBlock + kReach <= luma.width; left += kBlock) {
      float xx = 0, yy = 0, xy = 0;
      for (int32_t y = top; y < top + kBlock; y++) {
        const float* at = &luma.pixels[static_cast<size_t>(y) * luma.width];
        for (int32_t x = left; x < left + kBlock; x++) {
          const float dx = (at[x + 1] - at[x - 1]) / 2, dy = (at[x + luma.width] - at[x - luma.width]) / 2;
          xx += dx * dx;
          yy += dy * dy;
          xy += dx * dy;
        }
      }
      const float weaker = (xx + yy) / 2 - std::sqrt((xx - yy) * (xx - yy) / 4 + xy * xy);
      if (weaker >= kTexture * kBlock * kBlock) blocks_.push_back({left, top});
    }
  }
}

CameraLook CameraReference::Find(const LumaView& now, const Grid& grid,
                                 const std::vector<uint8_t>& skip) const {
  CameraLook look;
  std::vector<Vote> votes;
  for (const auto& [left, top] : blocks_) {
    bool taken = false;
    for (int32_t y = top; y < top + kBlock; y += kCell) {
      for (int32_t x = left; x < left + kBlock; x += kCell) taken |= skip[grid.At(x / kCell, y / kCell)] != 0;
    }
    if (taken) continue;
    look.asked++;
    const Patch patch = PatchAt(luma_, left, top);
    float best = -1;
    int32_t bestX = 0, bestY = 0;
    const auto seek = [&](int32_t from, int32_t to) {
      for (int32_t y = -to; y <= to; y++) {
        for (int32_t x = -to; x <= to; x++) {
          if (std::max(std::abs(x), std::abs(y)) < from) continue;
          const float score = Correlation(patch, now, left + x, top + y);
          if (score > best) {
            best = score;
            bestX = x;
            bestY = y;
          }
        }
      }
    };
    seek(0, 1);
    if (best < kSurely || bestX != 0 || bestY != 0) seek(2, kReach);
    if (best < kSame) continue;
    look.found++;
    const auto inside = [](int32_t at) { return std::abs(at) < kReach; };
    const auto score = [&](int32_t x, int32_t y) {
      return Correlation(patch, now, left + bestX + x, top + bestY + y);
    };
    const float partX = inside(bestX) ? Peak(score(-1, 0), best, score(1, 0)) : 0;
    const float partY = inside(bestY) ? Peak(score(0, -1), best, score(0, 1)) : 0;
    votes.push_back({static_cast<float>(left + kBlock / 2) - static_cast<float>(now.width) / 2,
                     static_cast<float>(top + kBlock / 2) - static_cast<float>(now.height) / 2,
                     static_cast<float>(bestX) + partX, static_cast<float>(bestY) + partY, 1});
  }
  if (look.found < kLeastVotes) return look;
  for (int round = 0; round < 8; round++) {
    look.pose = Fit(votes);
    for (Vote& v : votes) {
      const float stray = Stray(look.pose, v);
      v.weight = 1 / (1 + 4 * stray * stray);
    }
  }
  std::vector<float> distances;
  for (const Vote& v : votes) {
    if (Stray(look.pose, v) <= kNear) distances.push_back(look.pose.DistanceAt(v.x, v.y));
  }
  if (distances.size() < kLeastVotes || static_cast<float>(distances.size()) < kMajority * look.found)
    return look;
  look.agreed = true;
  const auto tenth = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() * 9 / 10);
  std::nth_element(distances.begin(), tenth, distances.end());
  look.moved = *tenth;
  return look;
}

void TakeBack(const CameraPose& pose, int32_t width, int32_t height, float side, std::vector<float>* plane) {
  const std::vector<float> from = *plane;
  const float midX = static_cast<float>(width) / 2, midY = static_cast<float>(height) / 2;
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      const float dx = static_cast<float>(x) - midX, dy = static_cast<float>(y) - midY;
      const float atX =
          std::clamp(static_cast<float>(x) + pose.shiftX / side + pose.grow * dx - pose.turn * dy, 0.0f,
                     static_cast<float>(width - 1));
      const float atY =
          std::clamp(static_cast<float>(y) + pose.shiftY / side + pose.turn * dx + pose.grow * dy, 0.0f,
                     static_cast<float>(height - 1));
      const auto left = static_cast<int32_t>(atX), top = static_cast<int32_t>(atY);
      const int32_t right = std::min(width - 1, left + 1), bottom = std::min(height - 1, top + 1);
      const float shareX = atX - static_cast<float>(left), shareY = atY - static_cast<float>(top);
      const float* above = &from[static_cast<size_t>(top) * width];
      const float* below = &from[static_cast<size_t>(bottom) * width];
      const float upper = above[left] + shareX * (above[right] - above[left]);
      const float lower = below[left] + shareX * (below[right] - below[left]);
      (*plane)[static_cast<size_t>(y) * width + x] = upper + shareY * (lower - upper);
    }
  }
}

}  // namespace tredive
