#pragma once
#include "camera_watch.h"
#include "foreground.h"

namespace tredive {

/** Whether the model still knows the scene, from how much of the picture is foreground and for how long. */
class SelfDoubt {
 public:
  /** At each look. True when another scene rests in front of the camera, and should be learned. */
  bool Judge(const Foreground& foreground, const CameraWatch& camera, float dtS);
  /** The scene was learned anew. */
  void Forget();
  /** If not, foreground says nothing. */
  bool reliable() const { return reliable_; }

 private:
  /** Seconds for which most of the picture is foreground; of these, without motion. */
  float hopelessS_ = 0, stillS_ = 0;
  bool reliable_ = true;
};

}  // namespace tredive
