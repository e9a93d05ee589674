#include "foreground.h"

#include <algorithm>

#include "shade.h"
#include "smooth.h"

namespace tredive {

namespace {

/** Seconds for which a still blob without an outline of its own must look like a ghost; a speck be still. */
constexpr float kGhostS = 2, kBakedGhostS = 0.6f, kSpeckS = 5;

}  // namespace

Foreground::Foreground(const EmptyScene& scene) : grid_(scene.grid()) {
  for (std::vector<uint8_t>* each : {&shares_, &marks_, &busy_}) each->assign(grid_.count(), 0);
  ghostS_.assign(grid_.count(), 0);
  for (std::vector<uint8_t>* each : {&strength_, &moved_, &pixels_}) each->assign(scene.luma().count(), 0);
}

void Foreground::Forget() {
  for (std::vector<uint8_t>* each : {&marks_, &busy_}) std::fill(each->begin(), each->end(), 0);
  std::fill(ghostS_.begin(), ghostS_.end(), 0.0f);
}

void Foreground::Find(const std::vector<uint8_t>& guarded, float dtS, EmptyScene* scene, BakedPeople* baked) {
  const BackgroundPlane& luma = scene->luma();
  MarkStrays(*scene);
  Gather(luma);
  const BlobMasks masks{&pixels_, &strength_, &moved_};
  std::fill(marks_.begin(), marks_.end(), 0);
  const size_t much = luma.count() / 400;
  std::vector<float> before(grid_.count(), 0);
  before.swap(ghostS_);
  for (Blob& blob : FindBlobs(grid_, luma, masks, shares_)) {
    MeasureOutline(grid_, scene->planes(), pixels_, scene->light(), &blob);
    for (const uint32_t cell : blob.cells) ghostS_[cell] = before[cell];
    if (!IsPerson(blob, guarded, dtS, scene, baked)) continue;
    const uint8_t mark = static_cast<size_t>(blob.area) > much ? kMuch : kLittle;
    for (const uint32_t cell : blob.cells) {
      if (shares_[cell] > 0) marks_[cell] = mark;
    }
  }
  // Rims of what was kept stay, all else was noise.
  const std::vector<uint8_t> near = Widened(grid_, marks_);
  for (size_t cell = 0; cell < grid_.count(); cell++) shares_[cell] = near[cell] ? shares_[cell] : 0;
  busy_ = Widened(grid_, shares_);
}

/** Of luma and chroma together, without shade. */
void Foreground::MarkStrays(const EmptyScene& scene) {
  const BackgroundPlane& luma = scene.luma();
  const BackgroundPlane& u = scene.planes()[1];
  const BackgroundPlane& v = scene.planes()[2];
  std::copy(luma.strength.begin(), luma.strength.end(), strength_.begin());
  std::copy(luma.moved.begin(), luma.moved.end(), moved_.begin());
  DropShade(grid_, scene.planes(), scene.sums(), &strength_);
  for (int32_t y = 0; y < luma.height; y++) {
    const size_t row = static_cast<size_t>(y) * luma.width;
    const size_t half = static_cast<size_t>(y / 2) * u.width;
    for (int32_t x = 0; x < luma.width; x++) {
      const size_t from = half + x / 2;
      strength_[row + x] = std::max({strength_[row + x], u.strength[from], v.strength[from]});
      moved_[row + x] |= u.moved[from] | v.moved[from];
    }
  }
}

/** Single pixels are noise: the neighbours vote. */
void Foreground::Gather(const BackgroundPlane& luma) {
  Vote(strength_, luma.width, luma.height, 1, 5, &pixels_);
  // Holes where coat and wall are alike.
  Vote(pixels_, luma.width, luma.height, 3, 26, &scratch_);
  for (size_t i = 0; i < pixels_.size(); i++) pixels_[i] |= scratch_[i];
  Vote(moved_, luma.width, luma.height, 1, 4, &scratch_);
  moved_.swap(scratch_);
  shares_ = CountInCells(grid_, pixels_, luma.width);
}

/** False for noise, and for ghosts and specks, which are learned when they have been seen for long enough. */
bool Foreground::IsPerson(const Blob& blob, const std::vector<uint8_t>& guarded, float dtS, EmptyScene* scene,
                          BakedPeople* baked) {
  const auto pixels = static_cast<int32_t>(pixels_.size());
  const int32_t least = std::max(10, pixels / 3600);
  if (blob.area < least) return false;
  if (blob.strong * 20 < blob.area && blob.area < 4 * least) return false;
  const bool still = blob.moved * 30 <= blob.area;
  size_t held = 0;
  for (const uint32_t cell : blob.cells) held += baked->Holds(cell);
  const bool wasPerson = held * 2 > blob.cells.size();
  const bool speck = blob.area < 2 * least;
  const bool ghost = blob.LooksLikeGhost(wasPerson ? 1.0f : 1.7f);
  const float wantedS = ghost ? (wasPerson ? kBakedGhostS : kGhostS) : kSpeckS;
  size_t gone = 0;
  for (const uint32_t cell : blob.cells) {
    float& seenS = ghostS_[cell];
    const bool counts = still && (ghost || speck) && !guarded[cell];
    seenS = counts ? seenS + dtS : std::max(0.0f, seenS - 2 * dtS);
    if (!counts || seenS < wantedS) continue;
    scene->Adopt(cell);
    baked->Forget(cell);
    shares_[cell] = 0;
    seenS = 0;
    gone++;
  }
  return gone < blob.cells.size();
}

}  // namespace tredive
