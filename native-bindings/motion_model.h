#pragma once
#include <cstdint>
#include <vector>

#include "baked_people.h"
#include "camera_watch.h"
#include "empty_scene.h"
#include "foreground.h"
#include "masking.h"
#include "self_doubt.h"

namespace tredive {

/** What a look at a picture says about each cell of 4x4 luma pixels, row by row. */
struct MotionLook {
  /** Share of a cell that is not the empty scene, and that changed since the look before, 0..255. */
  std::vector<uint8_t> foreground, moving;
  /** Whether the model still knows the scene; if not (the camera moves), foreground says nothing. */
  bool reliable = true;
  /** A light was switched, and the scene learned anew but for people. */
  bool lightChanged = false;
};

/**
 * Tells the empty scene of a fixed camera from all else, in small 4:2:0 pictures, looked at in order of time.
 *
 * Invariants: foreground is never learned, so that whoever stands still stays in it, with two exceptions that
 * are no person: a ghost (the scene was learned with somebody in it who has left) and specks. Nothing is
 * learned in occupied rectangles and around them. The same pictures give the same looks.
 *
 * A camera that trembles or sags by a pixel or two is taken back to where it stood. One that moves further
 * makes looks unreliable until it has rested; then the scene is learned anew.
 *
 * Here is the order of a look; each step of it is a class of its own.
 */
class MotionModel {
 public:
  /** Throws Failure (usage) unless 16 <= width, height <= 4096. */
  MotionModel(int32_t width, int32_t height);

  /** Bytes of a picture: luma, then both chroma planes with sides rounded up. */
  size_t pictureBytes() const { return scene_.pictureBytes(); }
  const Grid& grid() const { return scene_.grid(); }

  /** Takes what most of the pictures (at least one; of more than 32 some) have in common for the empty
   * scene, and forgets all else. */
  void Prime(const std::vector<const uint8_t*>& pictures);

  /**
   * Without Prime the first picture is the empty scene. `timeS` counts seconds; where it does not grow, a
   * short step is taken. Rectangles may lie anywhere. Throws Failure (usage) if a time is no number.
   */
  MotionLook Look(const uint8_t* picture, double timeS, const std::vector<Rect>& occupied);

 private:
  float StepS(double timeS);
  void MarkOccupied(const std::vector<Rect>& occupied);
  void LearnRested();
  void Learn(float dtS);
  void Tell(MotionLook* look) const;

  EmptyScene scene_;
  CameraWatch camera_;
  Foreground foreground_;
  BakedPeople baked_;
  SelfDoubt doubt_;
  bool primed_ = false;
  double timeS_ = 0;
  bool timed_ = false;
  /** Cells in an occupied rectangle; in or close to one. */
  std::vector<uint8_t> occupied_, guarded_;
};

}  // namespace tredive
