#include "camera_watch.h"

#include <cmath>

namespace tredive {

namespace {

/** A camera that stands within so many pixels of where it stood is taken back; more, and it has moved. */
constexpr float kTakenBack = 2.5f, kUnmoved = 0.12f;
/** A moved camera rests when it stays within so many pixels for so long. */
constexpr float kRestPixels = 1, kRestS = 2;
constexpr size_t kRestPictures = 32;
/** Less than this share of the blocks of the scene, of at least so many, is too little. */
constexpr float kLostShare = 0.15f;
constexpr int32_t kLostBlocks = 12;
/** Looks after which blocks of the scene are chosen anew. */
constexpr int32_t kChooseLooks = 60;

LumaView Shown(const BackgroundPlane& luma) { return {luma.now.data(), luma.width, luma.height}; }

}  // namespace

CameraWatch::State CameraWatch::Look(const uint8_t* picture, const Grid& grid,
                                     const std::vector<uint8_t>& guarded,
                                     const std::vector<uint8_t>& occupied, float dtS,
                                     std::vector<BackgroundPlane>* planes) {
  if (moves_)
    return HasRested(picture, grid, guarded, occupied, dtS, *planes) ? State::kRested : State::kMoves;
  BackgroundPlane& luma = (*planes)[0];
  if (looks_ % kChooseLooks == 0) scene_.Set({luma.scene.data(), luma.width, luma.height});
  looks_++;
  const CameraLook seen = scene_.Find(Shown(luma), grid, guarded);
  const bool lost = seen.asked >= kLostBlocks && seen.found < kLostShare * static_cast<float>(seen.asked);
  bool moved = seen.agreed && seen.moved > kTakenBack;
  // Turned faster than the scene can be sought in it. Who fills the picture loses it, too, but not all that
  // is left of it moves alike.
  if (lost && !anchor_.empty()) {
    resting_.Set({anchor_.data(), luma.width, luma.height});
    const CameraLook since = resting_.Find(Shown(luma), grid, guarded);
    moved = moved || (since.agreed && since.moved > kRestPixels && 2 * since.found > since.asked);
  }
  lostS_ = lost ? lostS_ + dtS : 0;
  if (moved) {
    moves_ = true;
    LetRestAnew(luma);
    return State::kMoves;
  }
  anchor_ = luma.now;
  if (!seen.agreed || seen.moved < kUnmoved) return State::kStands;
  for (size_t p = 0; p < planes->size(); p++) {
    BackgroundPlane& plane = (*planes)[p];
    TakeBack(seen.pose, plane.width, plane.height, p == 0 ? 1 : 2, &plane.now);
  }
  return State::kStands;
}

bool CameraWatch::HasRested(const uint8_t* picture, const Grid& grid, const std::vector<uint8_t>& guarded,
                            const std::vector<uint8_t>& occupied, float dtS,
                            const std::vector<BackgroundPlane>& planes) {
  const BackgroundPlane& luma = planes[0];
  const CameraLook since = resting_.Find(Shown(luma), grid, guarded);
  bool rests = since.agreed && since.moved <= kRestPixels;
  if (since.asked < kLostBlocks) {
    // Too little texture to tell.
    size_t changed = 0;
    for (size_t i = 0; i < anchor_.size(); i++) changed += std::abs(luma.now[i] - anchor_[i]) > 12;
    rests = rests || changed * 10 < anchor_.size();
  }
  if (!rests) {
    LetRestAnew(luma);
    return false;
  }
  if (rest_.pictures.empty()) rest_.occupied = occupied;
  for (size_t cell = 0; cell < grid.count(); cell++) rest_.occupied[cell] &= occupied[cell];
  size_t bytes = 0;
  for (const BackgroundPlane& plane : planes) bytes += plane.count();
  if (rest_.pictures.size() < kRestPictures) rest_.pictures.emplace_back(picture, picture + bytes);
  restS_ += dtS;
  return restS_ >= kRestS;
}

/** From what is shown now. */
void CameraWatch::LetRestAnew(const BackgroundPlane& luma) {
  anchor_ = luma.now;
  resting_.Set({anchor_.data(), luma.width, luma.height});
  restS_ = 0;
  rest_.pictures.clear();
}

CameraWatch::Rest CameraWatch::TakeRest() {
  Rest rest = std::move(rest_);
  rest_ = Rest();
  return rest;
}

void CameraWatch::Forget() {
  lostS_ = 0;
  moves_ = false;
  looks_ = 0;
}

}  // namespace tredive
