#pragma once
#include <cstdint>
#include <vector>

#include "background.h"
#include "light.h"

namespace tredive {

/**
 * What a fixed camera sees when nobody is there, in luma, U and V, how all of it is lit at this look, and
 * what it sees now. It is learned, or taken over from what is seen, only where the caller says so.
 *
 * At a look: Show(), FollowLight(), Compare(); then what is foreground is known; then Adopt() and Learn().
 */
class EmptyScene {
 public:
  EmptyScene(int32_t width, int32_t height);

  const Grid& grid() const { return grid_; }
  const std::vector<BackgroundPlane>& planes() const { return planes_; }
  const BackgroundPlane& luma() const { return planes_[0]; }
  /** What is seen now, to be taken back to where the camera stood: between Show() and FollowLight(). */
  std::vector<BackgroundPlane>* shown() { return &planes_; }
  /** Of what is shown, before anything was learned from it. */
  const std::vector<CellSums>& sums() const { return sums_; }
  const Light& light() const { return light_; }
  /** Bytes of a picture: luma, then both chroma planes with sides rounded up. */
  size_t pictureBytes() const;

  /** Takes what most of the pictures (at least one; of more than 32 some) have in common, and forgets all
   * else.
   */
  void Prime(const std::vector<const uint8_t*>& pictures);
  void Show(const uint8_t* picture);
  /**
   * Estimates the light. True if one was switched; then the scene is learned anew where it is lit unevenly,
   * but for cells with `skip`, which hold people, and are lit as what surrounds them.
   */
  bool FollowLight(const std::vector<uint8_t>& skip);
  /** Fills in how what is shown strays from the scene. When a light was switched, nothing counts as moved. */
  void Compare(bool lightChanged);
  /** A cell of the scene is what is seen now. */
  void Adopt(size_t cell);
  /** Another scene, but where `guarded`: all is learned anew. */
  void AdoptAllBut(const std::vector<uint8_t>& guarded);
  /** `learn` and `noisy` are of cells, see BackgroundPlane. */
  void Learn(const std::vector<uint8_t>& learn, const std::vector<uint8_t>& noisy, float dtS);

 private:
  void Relight(size_t cell, float gain, const Light& whole);

  Grid grid_;
  std::vector<BackgroundPlane> planes_;
  std::vector<CellSums> sums_;
  Light light_;
  /** Looks since the scene was learned anew. */
  int32_t looks_ = 0;
};

}  // namespace tredive
