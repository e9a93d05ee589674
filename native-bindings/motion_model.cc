#include "motion_model.h"

#include <algorithm>
#include <cmath>

#include "failure.h"
#include "shade.h"
#include "smooth.h"

namespace tredive {

namespace {

/** Seconds in which the scene follows what it is not told by the light of the whole picture. */
constexpr float kMeanS = 15;
/** Seconds for which a still blob without an outline of its own must look like a ghost; a speck be still. */
constexpr float kGhostS = 2, kBakedGhostS = 0.6f, kSpeckS = 5;
constexpr float kBakedS = 1.5f, kBakedForS = 15;
constexpr float kHopelessS = 1, kStillS = 2;
/** A camera that stands within so many pixels of where it stood is taken back; more, and it has moved. */
constexpr float kTakenBack = 2.5f, kUnmoved = 0.12f;
/** A moved camera rests when it stays within so many pixels for so long. */
constexpr float kRestPixels = 1, kRestS = 2;
/** The scene is lost where less than this share of its blocks, of so many, is found again for so long. */
constexpr float kLostShare = 0.15f, kLostS = 1;
constexpr int32_t kLostBlocks = 12;
/** Looks after which blocks of the scene are chosen anew. */
constexpr int32_t kChooseLooks = 60;
constexpr uint8_t kFew = 1, kMany = 2;

}  // namespace

MotionModel::MotionModel(int32_t width, int32_t height) {
  if (width < 16 || height < 16 || width > 4096 || height > 4096)
    throw Failure(Trouble::kUsage, "pictures for the motion model have sides of 16 to 4096 pixels");
  grid_ = {(width + kCell - 1) / kCell, (height + kCell - 1) / kCell};
  planes_.emplace_back(width, height, kCell, 0.0f);
  for (int chroma = 0; chroma < 2; chroma++)
    planes_.emplace_back((width + 1) / 2, (height + 1) / 2, kCell / 2, 128.0f);
  sums_.resize(grid_.count());
  for (std::vector<uint8_t>* each : {&occupied_, &guarded_, &shares_, &blobs_, &busy_})
    each->assign(grid_.count(), 0);
  for (std::vector<float>* each : {&ghostS_, &bakedS_}) each->assign(grid_.count(), 0);
  for (std::vector<uint8_t>* each : {&strength_, &moved_, &foreground_}) each->assign(planes_[0].count(), 0);
}

size_t MotionModel::pictureBytes() const { return planes_[0].count() + 2 * planes_[1].count(); }

void MotionModel::Prime(const std::vector<const uint8_t*>& pictures) {
  if (pictures.empty()) throw Failure(Trouble::kUsage, "no pictures to learn the empty scene from");
  const size_t used = std::min<size_t>(32, pictures.size());
  size_t offset = 0;
  for (BackgroundPlane& plane : planes_) {
    std::vector<const uint8_t*> starts;
    for (size_t i = 0; i < used; i++) starts.push_back(pictures[i * pictures.size() / used] + offset);
    plane.Prime(starts);
    offset += plane.count();
  }
  for (std::vector<uint8_t>* each : {&blobs_, &busy_}) std::fill(each->begin(), each->end(), 0);
  for (std::vector<float>* each : {&ghostS_, &bakedS_}) std::fill(each->begin(), each->end(), 0.0f);
  light_ = Light();
  primed_ = reliable_ = true;
  timed_ = false;
  looks_ = static_cast<int32_t>(used);
  hopelessS_ = hopelessStillS_ = lostS_ = 0;
  cameraMoves_ = false;
  sceneLooks_ = 0;
}

MotionLook MotionModel::Look(const uint8_t* picture, double timeS, const std::vector<Rect>& occupied) {
  if (!std::isfinite(timeS)) throw Failure(Trouble::kUsage, "the time of a look is no number");
  if (!primed_) Prime({picture});
  const auto dtS = static_cast<float>(timed_ ? std::clamp(timeS - timeS_, 0.02, 2.0) : 0.2);
  timeS_ = timeS;
  timed_ = true;
  const uint8_t* from = picture;
  for (BackgroundPlane& plane : planes_) {
    Blur(picture, plane.width, plane.height, plane.now.data());
    picture += plane.count();
  }
  MarkOccupied(occupied);
  MotionLook look;
  if (!FollowCamera(from, dtS)) {
    look.reliable = false;
    look.foreground.assign(grid_.count(), 255);
    look.moving = look.foreground;
    return look;
  }
  sums_ = SumCells(grid_, planes_);
  look.lightChanged = FollowLight();
  for (int p = 0; p < 3; p++) planes_[p].Compare(light_, p, planes_[0]);
  if (look.lightChanged) {
    for (BackgroundPlane& plane : planes_) std::fill(plane.moved.begin(), plane.moved.end(), 0);
  }
  MarkStrays();
  FindForeground(dtS);
  FindBaked(occupied, dtS);
  JudgeItself(dtS);
  busy_ = Widened(grid_, shares_);
  Learn(dtS);
  look.reliable = reliable_;
  look.foreground = shares_;
  look.moving = CountInCells(grid_, moved_, planes_[0].width);
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    const Rect all = PixelsOf(grid_, cell, planes_[0].width, planes_[0].height, planes_[0].cell);
    for (std::vector<uint8_t>* each : {&look.foreground, &look.moving})
      (*each)[cell] = static_cast<uint8_t>((*each)[cell] * 255 / (all.w * all.h));
    // A scene that holds a person shows nothing when the person is there, and has to be believed either way.
    if (bakedS_[cell] >= kBakedS) look.foreground[cell] = 255;
  }
  return look;
}

LumaView MotionModel::NowLuma() const { return {planes_[0].now.data(), planes_[0].width, planes_[0].height}; }

LumaView MotionModel::AnchorLuma() const { return {anchor_.data(), planes_[0].width, planes_[0].height}; }

void MotionModel::LetRestAnew() {
  resting_.Set(AnchorLuma());
  restS_ = 0;
  rested_.clear();
}

bool MotionModel::FollowCamera(const uint8_t* picture, float dtS) {
  if (cameraMoves_) return HasRested(picture, dtS);
  if (sceneLooks_ % kChooseLooks == 0)
    scene_.Set({planes_[0].scene.data(), planes_[0].width, planes_[0].height});
  sceneLooks_++;
  const CameraLook seen = scene_.Find(NowLuma(), grid_, guarded_);
  const bool lost = seen.asked >= kLostBlocks && seen.found < kLostShare * static_cast<float>(seen.asked);
  bool moved = seen.agreed && seen.moved > kTakenBack;
  // Turned faster than the scene can be sought in it. Who fills the picture loses it, too, but not all that
  // is left of it moves alike.
  if (lost && !anchor_.empty()) {
    resting_.Set(AnchorLuma());
    const CameraLook since = resting_.Find(NowLuma(), grid_, guarded_);
    moved = moved || (since.agreed && since.moved > kRestPixels && 2 * since.found > since.asked);
  }
  lostS_ = lost ? lostS_ + dtS : 0;
  anchor_ = planes_[0].now;
  if (moved) {
    cameraMoves_ = true;
    LetRestAnew();
    return false;
  }
  if (!seen.agreed || seen.moved < kUnmoved) return true;
  TakeBack(seen.pose, planes_[0].width, planes_[0].height, 1, &planes_[0].now);
  for (int p = 1; p < 3; p++) TakeBack(seen.pose, planes_[p].width, planes_[p].height, 2, &planes_[p].now);
  return true;
}

bool MotionModel::HasRested(const uint8_t* picture, float dtS) {
  const CameraLook since = resting_.Find(NowLuma(), grid_, guarded_);
  bool rests = since.agreed && since.moved <= kRestPixels;
  if (since.asked < kLostBlocks) {
    // Too little texture to tell.
    size_t changed = 0;
    for (size_t i = 0; i < anchor_.size(); i++) changed += std::abs(planes_[0].now[i] - anchor_[i]) > 12;
    rests = rests || changed * 10 < anchor_.size();
  }
  if (!rests) {
    anchor_ = planes_[0].now;
    LetRestAnew();
    return false;
  }
  if (rested_.empty()) restOccupied_ = occupied_;
  for (size_t cell = 0; cell < grid_.count(); cell++) restOccupied_[cell] &= occupied_[cell];
  if (rested_.size() < 32) rested_.emplace_back(picture, picture + pictureBytes());
  restS_ += dtS;
  if (restS_ < kRestS) return false;
  std::vector<const uint8_t*> pictures;
  for (const std::vector<uint8_t>& each : rested_) pictures.push_back(each.data());
  const double timeS = timeS_;
  Prime(pictures);
  timeS_ = timeS;
  timed_ = true;
  rested_.clear();
  // Whoever stood here all the time is in the scene now.
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    if (restOccupied_[cell]) bakedS_[cell] = kBakedS + kBakedForS;
  }
  return true;
}

void MotionModel::MarkOccupied(const std::vector<Rect>& occupied) {
  std::fill(occupied_.begin(), occupied_.end(), 0);
  std::fill(guarded_.begin(), guarded_.end(), 0);
  const int32_t width = planes_[0].width, height = planes_[0].height;
  for (const Rect& given : occupied) {
    const Rect rect = Clip(given, width, height);
    if (rect.w == 0) continue;
    MarkCells(grid_, rect, &occupied_);
    // Arms, bags and the shadow at the feet reach out of a detector's rectangle.
    const int32_t x = kCell + rect.w / 6, y = kCell + rect.h / 8;
    MarkCells(grid_, Clip({rect.x - x, rect.y - y, rect.w + 2 * x, rect.h + 2 * y}, width, height),
              &guarded_);
  }
}

bool MotionModel::FollowLight() {
  // What is or was a person must not count for light, and is not learned when it changes.
  std::vector<uint8_t> skip(grid_.count());
  for (size_t cell = 0; cell < grid_.count(); cell++) skip[cell] = guarded_[cell] || busy_[cell];
  const LightLook look = EstimateLight(grid_, sums_, skip, light_);
  light_ = look.light;
  if (!look.switched || !look.uneven) return look.switched;
  const std::vector<float> gains = GainField(grid_, sums_, skip);
  const Light whole = light_;
  light_ = Light();
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    if (!skip[cell]) {
      AdoptCell(cell);
      continue;
    }
    for (size_t p = 0; p < planes_.size(); p++) {
      BackgroundPlane& plane = planes_[p];
      const float shift = p == 0 ? 0 : whole.offset[p];
      const Rect all = PixelsOf(grid_, cell, plane.width, plane.height, plane.cell);
      for (int32_t y = all.y; y < all.y + all.h; y++) {
        for (int32_t x = all.x; x < all.x + all.w; x++) {
          float& scene = plane.scene[static_cast<size_t>(y) * plane.width + x];
          scene = std::clamp(plane.zero + gains[cell] * (scene - plane.zero) + shift, 0.0f, 255.0f);
        }
      }
    }
  }
  looks_ = 0;
  return true;
}

void MotionModel::MarkStrays() {
  const BackgroundPlane& luma = planes_[0];
  std::copy(luma.strength.begin(), luma.strength.end(), strength_.begin());
  std::copy(luma.moved.begin(), luma.moved.end(), moved_.begin());
  DropShade(grid_, planes_, sums_, &strength_);
  for (int32_t y = 0; y < luma.height; y++) {
    const size_t row = static_cast<size_t>(y) * luma.width;
    const size_t half = static_cast<size_t>(y / 2) * planes_[1].width;
    for (int32_t x = 0; x < luma.width; x++) {
      const size_t from = half + x / 2;
      strength_[row + x] =
          std::max({strength_[row + x], planes_[1].strength[from], planes_[2].strength[from]});
      moved_[row + x] |= planes_[1].moved[from] | planes_[2].moved[from];
    }
  }
}

void MotionModel::FindForeground(float dtS) {
  const BackgroundPlane& luma = planes_[0];
  Vote(strength_, luma.width, luma.height, 1, 5, &foreground_);
  // Holes where coat and wall are alike.
  Vote(foreground_, luma.width, luma.height, 3, 26, &scratch_);
  for (size_t i = 0; i < foreground_.size(); i++) foreground_[i] |= scratch_[i];
  Vote(moved_, luma.width, luma.height, 1, 4, &scratch_);
  moved_.swap(scratch_);
  shares_ = CountInCells(grid_, foreground_, planes_[0].width);

  const BlobMasks masks{&foreground_, &strength_, &moved_};
  std::fill(blobs_.begin(), blobs_.end(), 0);
  const size_t much = luma.count() / 400;
  std::vector<float> before(grid_.count(), 0);
  before.swap(ghostS_);
  for (Blob& blob : FindBlobs(grid_, luma, masks, shares_)) {
    MeasureOutline(grid_, planes_, foreground_, light_, &blob);
    for (const uint32_t cell : blob.cells) ghostS_[cell] = before[cell];
    if (!IsPerson(blob, dtS)) continue;
    const uint8_t mark = static_cast<size_t>(blob.area) > much ? kMany : kFew;
    for (const uint32_t cell : blob.cells) {
      if (shares_[cell] > 0) blobs_[cell] = mark;
    }
  }
  // Rims of what was kept stay, all else was noise.
  const std::vector<uint8_t> near = Widened(grid_, blobs_);
  for (size_t cell = 0; cell < grid_.count(); cell++) shares_[cell] = near[cell] ? shares_[cell] : 0;
}

/** False for noise, and for ghosts and specks, which are learned when they have been seen for long enough. */
bool MotionModel::IsPerson(const Blob& blob, float dtS) {
  const auto pixels = static_cast<int32_t>(planes_[0].count());
  const int32_t least = std::max(10, pixels / 3600);
  if (blob.area < least) return false;
  if (blob.strong * 20 < blob.area && blob.area < 4 * least) return false;
  const bool still = blob.moved * 30 <= blob.area;
  size_t baked = 0;
  for (const uint32_t cell : blob.cells) baked += bakedS_[cell] >= kBakedS;
  const bool wasPerson = baked * 2 > blob.cells.size();
  const bool speck = blob.area < 2 * least;
  const bool ghost = blob.LooksLikeGhost(wasPerson ? 1.0f : 1.7f);
  const float wantedS = ghost ? (wasPerson ? kBakedGhostS : kGhostS) : kSpeckS;
  size_t gone = 0;
  for (const uint32_t cell : blob.cells) {
    float& seenS = ghostS_[cell];
    const bool counts = still && (ghost || speck) && !guarded_[cell];
    seenS = counts ? seenS + dtS : std::max(0.0f, seenS - 2 * dtS);
    if (!counts || seenS < wantedS) continue;
    AdoptCell(cell);
    shares_[cell] = 0;
    bakedS_[cell] = ghostS_[cell] = 0;
    gone++;
  }
  return gone < blob.cells.size();
}

void MotionModel::FindBaked(const std::vector<Rect>& occupied, float dtS) {
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    if (occupied_[cell] || bakedS_[cell] == 0) continue;
    bakedS_[cell] -= dtS;
    if (bakedS_[cell] < kBakedS) bakedS_[cell] = 0;
  }
  for (const Rect& given : occupied) {
    const Rect rect = Clip(given, planes_[0].width, planes_[0].height);
    if (rect.w == 0) continue;
    int32_t area = 0;
    for (int32_t y = rect.y; y < rect.y + rect.h; y++) {
      for (int32_t x = rect.x; x < rect.x + rect.w; x++)
        area += foreground_[static_cast<size_t>(y) * planes_[0].width + x];
    }
    const bool unseen = area * 10 < rect.w * rect.h;
    for (int32_t row = rect.y / kCell; row <= (rect.y + rect.h - 1) / kCell; row++) {
      for (int32_t col = rect.x / kCell; col <= (rect.x + rect.w - 1) / kCell; col++) {
        float& seenS = bakedS_[grid_.At(col, row)];
        if (seenS >= kBakedS) {
          seenS = kBakedS + kBakedForS;
        } else {
          seenS = unseen ? seenS + dtS : 0;
        }
      }
    }
  }
}

void MotionModel::JudgeItself(float dtS) {
  size_t all = 0, moving = 0;
  for (size_t i = 0; i < foreground_.size(); i++) {
    all += foreground_[i];
    moving += moved_[i];
  }
  const size_t pixels = planes_[0].count();
  if (all * 2 > pixels) {
    hopelessS_ = std::min(3.0f, hopelessS_ + dtS);
  } else if (all * 3 < pixels) {
    hopelessS_ = std::max(0.0f, hopelessS_ - 2 * dtS);
  }
  if (hopelessS_ >= kHopelessS || lostS_ >= kLostS) reliable_ = false;
  if (hopelessS_ == 0 && lostS_ == 0) reliable_ = true;
  // A camera that was turned and rests shows another scene up to every edge, which a person does not.
  const auto shareOf = [&](int32_t fromCol, int32_t toCol, int32_t fromRow, int32_t toRow) {
    int32_t set = 0, cells = 0;
    for (int32_t row = fromRow; row < toRow; row++) {
      for (int32_t col = fromCol; col < toCol; col++, cells++) set += shares_[grid_.At(col, row)] > 0;
    }
    return static_cast<float>(set) / static_cast<float>(cells);
  };
  const float edges =
      std::min({shareOf(0, grid_.cols, 0, 2), shareOf(0, grid_.cols, grid_.rows - 2, grid_.rows),
                shareOf(0, 2, 0, grid_.rows), shareOf(grid_.cols - 2, grid_.cols, 0, grid_.rows)});
  const bool rests = all * 2 > pixels && moving * 20 < pixels && edges > 0.35f;
  hopelessStillS_ = rests ? hopelessStillS_ + dtS : 0;
  if (hopelessStillS_ < kStillS) return;
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    if (!guarded_[cell]) AdoptCell(cell);
  }
  light_ = Light();
  hopelessStillS_ = 0;
  looks_ = sceneLooks_ = 0;
}

void MotionModel::Learn(float dtS) {
  std::vector<uint8_t> learn(grid_.count()), noisy(grid_.count()), learnPixels, noisyPixels;
  for (size_t cell = 0; cell < grid_.count(); cell++) {
    learn[cell] = !busy_[cell] && !guarded_[cell];
    noisy[cell] = guarded_[cell] ? 0 : blobs_[cell] == kMany ? kMany : kFew;
  }
  looks_ = std::min(looks_ + 1, 1000);
  const float rate = std::max(std::min(0.5f, dtS / kMeanS), 1.0f / static_cast<float>(looks_ + 1));
  for (BackgroundPlane& plane : planes_) {
    SpreadCells(grid_, learn, plane.width, plane.height, plane.cell, &learnPixels);
    SpreadCells(grid_, noisy, plane.width, plane.height, plane.cell, &noisyPixels);
    plane.Learn(learnPixels, noisyPixels, light_.gain, rate, dtS);
  }
}

void MotionModel::AdoptCell(size_t cell) {
  for (size_t p = planes_.size(); p-- > 0;) {
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

}  // namespace tredive
