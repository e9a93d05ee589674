#pragma once
#include <cstdint>
#include <vector>

#include "background.h"
#include "camera_motion.h"

namespace tredive {

/**
 * Whether the camera stands where it stood when the scene was learned. One that trembles or sags by a pixel
 * or two is taken back; one that moves further is waited for until it has rested, and what it saw meanwhile
 * is kept to learn the scene from.
 */
class CameraWatch {
 public:
  enum class State {
    kStands,  // what is shown fits the scene, taken back where it had to be
    kMoves,   // the scene is not known
    kRested,  // it stands elsewhere; the scene is to be learned from TakeRest()
  };
  /**
   * `picture` is what `planes` show, unblurred. What must not vote is in `guarded` cells; `occupied` ones
   * hold known people.
   */
  State Look(const uint8_t* picture, const Grid& grid, const std::vector<uint8_t>& guarded,
             const std::vector<uint8_t>& occupied, float dtS, std::vector<BackgroundPlane>* planes);

  struct Rest {
    std::vector<std::vector<uint8_t>> pictures;
    /** Cells in which somebody was in all of them. */
    std::vector<uint8_t> occupied;
  };
  Rest TakeRest();

  /** The scene was learned anew, and the camera stands there. */
  void Forget();
  /** The scene has changed: other blocks of it may be better to find it by. */
  void ChooseAnew() { looks_ = 0; }

  /** Next to nothing of the scene was found again for a while; at the last look. */
  bool lostForLong() const { return lostS_ >= kLostS; }
  bool lost() const { return lostS_ > 0; }

 private:
  /** The scene is lost where too little of it is found again for so long. */
  static constexpr float kLostS = 1;

  bool HasRested(const uint8_t* picture, const Grid& grid, const std::vector<uint8_t>& guarded,
                 const std::vector<uint8_t>& occupied, float dtS, const std::vector<BackgroundPlane>& planes);
  void LetRestAnew(const BackgroundPlane& luma);

  /** Where the camera stood; its blocks are chosen anew now and then, as the scene is learned. */
  CameraReference scene_;
  int32_t looks_ = 0;
  float lostS_ = 0;
  bool moves_ = false;
  /** The picture that `resting_` looks into: of the look before, or when the camera began to rest. */
  std::vector<float> anchor_;
  CameraReference resting_;
  float restS_ = 0;
  Rest rest_;
};

}  // namespace tredive
