#include "empty_scene.h"

#include <algorithm>

#include "smooth.h"

namespace tredive {

namespace {

/** Seconds in which the scene follows what it is not told by the light of the whole picture. */
constexpr float kMeanS = 15;
constexpr size_t kPrimedWith = 32;

}  // namespace

EmptyScene::EmptyScene(int32_t width, int32_t height)
    : grid_{(width + kCell - 1) / kCell, (height + kCell - 1) / kCell} {
  planes_.emplace_back(width, height, kCell, 0.0f);
  for (int chroma = 0; chroma < 2; chroma++)
    planes_.emplace_back((width + 1) / 2, (height + 1) / 2, kCell / 2, 128.0f);
  sums_.resize(grid_.count());
}

size_t EmptyScene::pictureBytes() const { return planes_[0].count() + 2 * planes_[1].count(); }

void EmptyScene::Prime(const std::vector<const uint8_t*>& pictures) {
  const size_t used = std::min(kPrimedWith, pictures.size());
  size_t offset = 0;
  for (BackgroundPlane& plane : planes_) {
    std::vector<const uint8_t*> starts;
    for (size_t i = 0; i < used; i++) starts.push_back(pictures[i * pictures.size() / used] + offset);
    plane.Prime(starts);
    offset += plane.count();
  }
  light_ = Light();
  looks_ = static_cast<int32_t>(used);
}

void EmptyScene::Show(const uint8_t* picture) {
  for (BackgroundPlane& plane : planes_) {
    Blur(picture, plane.width, plane.height, plane.now.data());
    picture += plane.count();
  }
}

bool EmptyScene::FollowLight(const std::vector<uint8_t>& skip) {
  sums_ = SumCells(grid_, planes_);
  const LightLook look = EstimateLight(grid_, sums_, skip, light_);
  light_ = look.light;
  if (!look.switched || !look.uneven) return look.switched;
  const std::vector<float> gains = GainField(grid_, sums_, skip);
  const Light whole = light_;
  light_ = Light();
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    if (skip[cell]) {
      Relight(cell, gains[cell], whole);
    } else {
      Adopt(cell);
    }
  }
  looks_ = 0;
  return true;
}

/** The scene of a cell in a light of its own, which then counts for no light at all. */
void EmptyScene::Relight(size_t cell, float gain, const Light& whole) {
  for (size_t p = 0; p < planes_.size(); p++) {
    BackgroundPlane& plane = planes_[p];
    const float shift = p == 0 ? 0 : whole.offset[p];
    const Rect all = PixelsOf(grid_, cell, plane.width, plane.height, plane.cell);
    for (int32_t y = all.y; y < all.y + all.h; y++) {
      for (int32_t x = all.x; x < all.x + all.w; x++) {
        float& scene = plane.scene[static_cast<size_t>(y) * plane.width + x];
        scene = std::clamp(plane.zero + gain * (scene - plane.zero) + shift, 0.0f, 255.0f);
      }
    }
  }
}

void EmptyScene::Compare(bool lightChanged) {
  for (int p = 0; p < 3; p++) planes_[p].Compare(light_, p, planes_[0]);
  if (!lightChanged) return;
  for (BackgroundPlane& plane : planes_) std::fill(plane.moved.begin(), plane.moved.end(), 0);
}

void EmptyScene::Adopt(size_t cell) {
  for (size_t p = 0; p < planes_.size(); p++) {
    BackgroundPlane& plane = planes_[p];
    const Rect all = PixelsOf(grid_, cell, plane.width, plane.height, plane.cell);
    for (int32_t y = all.y; y < all.y + all.h; y++) {
      for (int32_t x = all.x; x < all.x + all.w; x++) {
        const size_t i = static_cast<size_t>(y) * plane.width + x;
        if (p == 0) {
          plane.Adopt(i, light_.Unlit(plane.now[i]));
          continue;
        }
        const int32_t lumaY = std::min(planes_[0].height - 1, 2 * y);
        const float bright =
            light_.Unlit(planes_[0].now[static_cast<size_t>(lumaY) * planes_[0].width + 2 * x]);
        const float shift = light_.offset[p] + light_.Shift(static_cast<int>(p), bright);
        plane.Adopt(i, 128 + (plane.now[i] - 128 - shift) / std::max(0.1f, light_.gain));
      }
    }
  }
}

void EmptyScene::AdoptAllBut(const std::vector<uint8_t>& guarded) {
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    if (!guarded[cell]) Adopt(cell);
  }
  light_ = Light();
  looks_ = 0;
}

void EmptyScene::Learn(const std::vector<uint8_t>& learn, const std::vector<uint8_t>& noisy, float dtS) {
  looks_ = std::min(looks_ + 1, 1000);
  const float rate = std::max(std::min(0.5f, dtS / kMeanS), 1.0f / static_cast<float>(looks_ + 1));
  std::vector<uint8_t> learnPixels, noisyPixels;
  for (BackgroundPlane& plane : planes_) {
    SpreadCells(grid_, learn, plane.width, plane.height, plane.cell, &learnPixels);
    SpreadCells(grid_, noisy, plane.width, plane.height, plane.cell, &noisyPixels);
    plane.Learn(learnPixels, noisyPixels, light_.gain, rate, dtS);
  }
}

}  // namespace tredive
