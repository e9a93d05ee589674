#pragma once
#include <cstdint>
#include <vector>

#include "baked_people.h"
#include "blobs.h"
#include "empty_scene.h"

namespace tredive {

/**
 * What of a picture is not the empty scene, at the last look: pixels that stray from it, gathered into blobs,
 * of which those that are no person are dropped. Ghosts and specks are handed to the scene to be learned.
 */
class Foreground {
 public:
  explicit Foreground(const EmptyScene& scene);

  /** After scene->Compare(). Nothing is learned in `guarded` cells. */
  void Find(const std::vector<uint8_t>& guarded, float dtS, EmptyScene* scene, BakedPeople* baked);
  /** The scene was learned anew. */
  void Forget();

  const Grid& grid() const { return grid_; }
  /** Of luma pixels: foreground, before blobs were dropped; changed since the look before. 0 or 1. */
  const std::vector<uint8_t>& pixels() const { return pixels_; }
  const std::vector<uint8_t>& moved() const { return moved_; }
  /** Pixels of each cell that are foreground. */
  const std::vector<uint8_t>& shares() const { return shares_; }
  /** Cells with foreground and those next to them. */
  const std::vector<uint8_t>& busy() const { return busy_; }
  /** Whether a cell is in a large blob. */
  bool IsInMuch(size_t cell) const { return marks_[cell] == kMuch; }

 private:
  static constexpr uint8_t kLittle = 1, kMuch = 2;

  void MarkStrays(const EmptyScene& scene);
  void Gather(const BackgroundPlane& luma);
  bool IsPerson(const Blob& blob, const std::vector<uint8_t>& guarded, float dtS, EmptyScene* scene,
                BakedPeople* baked);

  Grid grid_;
  // Of luma pixels.
  std::vector<uint8_t> strength_, moved_, pixels_, scratch_;
  // Of cells.
  std::vector<uint8_t> shares_, marks_, busy_;
  /** Seconds for which a cell looks like a ghost, or a speck. */
  std::vector<float> ghostS_;
};

}  // namespace tredive
