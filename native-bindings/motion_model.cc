#include "motion_model.h"

#include <algorithm>
#include <cmath>

#include "failure.h"

namespace tredive {

namespace {

EmptyScene SceneOf(int32_t width, int32_t height) {
  if (width < 16 || height < 16 || width > 4096 || height > 4096)
    throw Failure(Trouble::kUsage, "pictures for the motion model have sides of 16 to 4096 pixels");
  return EmptyScene(width, height);
}

}  // namespace

MotionModel::MotionModel(int32_t width, int32_t height)
    : scene_(SceneOf(width, height)),
      foreground_(scene_),
      baked_(scene_.grid()),
      occupied_(grid().count(), 0),
      guarded_(grid().count(), 0) {}

void MotionModel::Prime(const std::vector<const uint8_t*>& pictures) {
  if (pictures.empty()) throw Failure(Trouble::kUsage, "no pictures to learn the empty scene from");
  scene_.Prime(pictures);
  camera_.Forget();
  foreground_.Forget();
  baked_.ForgetAll();
  doubt_.Forget();
  primed_ = true;
  timed_ = false;
}

MotionLook MotionModel::Look(const uint8_t* picture, double timeS, const std::vector<Rect>& occupied) {
  if (!std::isfinite(timeS)) throw Failure(Trouble::kUsage, "the time of a look is no number");
  if (!primed_) Prime({picture});
  const float dtS = StepS(timeS);
  scene_.Show(picture);
  MarkOccupied(occupied);
  MotionLook look;
  switch (camera_.Look(picture, grid(), guarded_, occupied_, dtS, scene_.shown())) {
    case CameraWatch::State::kStands:
      break;
    case CameraWatch::State::kRested:
      LearnRested();
      break;
    case CameraWatch::State::kMoves:
      look.reliable = false;
      look.foreground.assign(grid().count(), 255);
      look.moving = look.foreground;
      return look;
  }
  // What is or was a person must not count for light, and is not learned when it changes.
  std::vector<uint8_t> skip(grid().count());
  for (size_t cell = 0; cell < skip.size(); cell++) skip[cell] = guarded_[cell] || foreground_.busy()[cell];
  look.lightChanged = scene_.FollowLight(skip);
  scene_.Compare(look.lightChanged);
  foreground_.Find(guarded_, dtS, &scene_, &baked_);
  const BackgroundPlane& luma = scene_.luma();
  baked_.Follow(occupied, occupied_, foreground_.pixels(), luma.width, luma.height, dtS);
  if (doubt_.Judge(foreground_, camera_, dtS)) {
    scene_.AdoptAllBut(guarded_);
    camera_.ChooseAnew();
  }
  Learn(dtS);
  Tell(&look);
  return look;
}

/** Seconds since the look before. */
float MotionModel::StepS(double timeS) {
  const double stepS = timed_ ? std::clamp(timeS - timeS_, 0.02, 2.0) : 0.2;
  timeS_ = timeS;
  timed_ = true;
  return static_cast<float>(stepS);
}

void MotionModel::MarkOccupied(const std::vector<Rect>& occupied) {
  std::fill(occupied_.begin(), occupied_.end(), 0);
  std::fill(guarded_.begin(), guarded_.end(), 0);
  const int32_t width = scene_.luma().width, height = scene_.luma().height;
  for (const Rect& given : occupied) {
    const Rect rect = Clip(given, width, height);
    if (rect.w == 0) continue;
    MarkCells(grid(), rect, &occupied_);
    // Arms, bags and the shadow at the feet reach out of a detector's rectangle.
    const int32_t x = kCell + rect.w / 6, y = kCell + rect.h / 8;
    MarkCells(grid(), Clip({rect.x - x, rect.y - y, rect.w + 2 * x, rect.h + 2 * y}, width, height),
              &guarded_);
  }
}

void MotionModel::LearnRested() {
  const CameraWatch::Rest rest = camera_.TakeRest();
  std::vector<const uint8_t*> pictures;
  for (const std::vector<uint8_t>& each : rest.pictures) pictures.push_back(each.data());
  Prime(pictures);
  timed_ = true;
  // Whoever stood here all the time is in the scene now.
  baked_.Hold(rest.occupied);
}

void MotionModel::Learn(float dtS) {
  std::vector<uint8_t> learn(grid().count()), noisy(grid().count());
  for (size_t cell = 0; cell < learn.size(); cell++) {
    learn[cell] = !foreground_.busy()[cell] && !guarded_[cell];
    noisy[cell] = guarded_[cell] ? 0 : foreground_.IsInMuch(cell) ? 2 : 1;
  }
  scene_.Learn(learn, noisy, dtS);
}

void MotionModel::Tell(MotionLook* look) const {
  const BackgroundPlane& luma = scene_.luma();
  look->reliable = doubt_.reliable();
  look->foreground = foreground_.shares();
  look->moving = CountInCells(grid(), foreground_.moved(), luma.width);
  for (size_t cell = 0; cell < grid().count(); cell++) {
    const Rect all = PixelsOf(grid(), cell, luma.width, luma.height, luma.cell);
    for (std::vector<uint8_t>* each : {&look->foreground, &look->moving})
      (*each)[cell] = static_cast<uint8_t>((*each)[cell] * 255 / (all.w * all.h));
    // A scene that holds a person shows nothing when the person is there, and has to be believed either way.
    if (baked_.Holds(cell)) look->foreground[cell] = 255;
  }
}

}  // namespace tredive
