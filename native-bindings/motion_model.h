#pragma once
#include <cstdint>
#include <vector>

#include "background.h"
#include "blobs.h"
#include "camera_motion.h"
#include "light.h"
#include "masking.h"

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
 */
class MotionModel {
 public:
  /** Throws Failure (usage) unless 16 <= width, height <= 4096. */
  MotionModel(int32_t width, int32_t height);

  /** Bytes of a picture: luma, then both chroma planes with sides rounded up. */
  size_t pictureBytes() const;
  const Grid& grid() const { return grid_; }

  /** Takes what most of the pictures (at least one; of more than 32 some) have in common for the empty
   * scene, and forgets all else. */
  void Prime(const std::vector<const uint8_t*>& pictures);

  /**
   * Without Prime the first picture is the empty scene. `timeS` counts seconds; where it does not grow, a
   * short step is taken. Rectangles may lie anywhere. Throws Failure (usage) if a time is no number.
   */
  MotionLook Look(const uint8_t* picture, double timeS, const std::vector<Rect>& occupied);

 private:
  /** Takes the planes back to where the camera stood; false while it moves, and the scene is not known. */
  bool FollowCamera(const uint8_t* picture, float dtS);
  /** Whether it has rested for long enough, and the scene was learned anew. */
  bool HasRested(const uint8_t* picture, float dtS);
  void LetRestAnew();
  LumaView NowLuma() const;
  LumaView AnchorLuma() const;
  void MarkOccupied(const std::vector<Rect>& occupied);
  /** Learns anew and returns true if a light was switched. */
  bool FollowLight();
  void MarkStrays();
  void FindForeground(float dtS);
  bool IsPerson(const Blob& blob, float dtS);
  void FindBaked(const std::vector<Rect>& occupied, float dtS);
  void Learn(float dtS);
  void JudgeItself(float dtS);
  void AdoptCell(size_t cell);

  Grid grid_;
  std::vector<BackgroundPlane> planes_;
  Light light_;
  bool primed_ = false;
  double timeS_ = 0;
  bool timed_ = false;
  /** Looks since the scene was learned anew. */
  int32_t looks_ = 0;
  /** Seconds for which most of the picture is foreground; of these, without motion. */
  float hopelessS_ = 0, hopelessStillS_ = 0;
  bool reliable_ = true;

  /** Where the camera stood; chosen anew now and then, as the scene is learned. */
  CameraReference scene_;
  int32_t sceneLooks_ = 0;
  /** Seconds for which next to nothing of the scene was found again. */
  float lostS_ = 0;
  /** The camera moves, or has not rested for long. What it sees since it began to rest, and for how long. */
  bool cameraMoves_ = false;
  float restS_ = 0;
  std::vector<float> anchor_;
  CameraReference resting_;
  std::vector<std::vector<uint8_t>> rested_;
  /** Cells in which somebody was in all of this time. */
  std::vector<uint8_t> restOccupied_;

  // Of cells.
  std::vector<CellSums> sums_;
  /** In an occupied rectangle; in or close to one. */
  std::vector<uint8_t> occupied_, guarded_;
  /** Foreground pixels at this look. */
  std::vector<uint8_t> shares_;
  /** 1 in foreground, 2 in much of it; of the last look. */
  std::vector<uint8_t> blobs_;
  /** In or next to foreground of the last look. */
  std::vector<uint8_t> busy_;
  /** Seconds for which a cell looks like a ghost, or a speck. */
  std::vector<float> ghostS_;
  /** Seconds for which a known person was here without being foreground: from kBakedS on the scene itself is
   * taken to hold a person, and without one being known for as many seconds more. */
  std::vector<float> bakedS_;

  // Of luma pixels.
  std::vector<uint8_t> strength_, moved_, foreground_, scratch_;
};

}  // namespace tredive
