#pragma once
#include <cstdint>
#include <vector>

#include "background.h"
#include "light.h"

namespace tredive {

/** Foreground that hangs together, in cells. */
struct Blob {
  std::vector<uint32_t> cells;
  /** Pixels in it, of these clearly strayed, and changed since the look before. */
  int32_t area = 0, strong = 0, moved = 0;
  /** Mean step across its outline in the picture and in the empty scene; 0 without an outline. */
  float stepNow = 0, stepScene = 0;

  /**
   * The outline is in the scene and not in the picture: whoever stood here when the scene was learned has
   * left. One who has come makes an outline in the picture, and where a background full of edges makes it
   * doubtful it is no ghost.
   */
  bool LooksLikeGhost(float times) const { return stepScene > times * stepNow + 2; }
};

/** Per-pixel masks of luma size (not 0 is set) that blobs are made of. */
struct BlobMasks {
  const std::vector<uint8_t>* foreground;
  const std::vector<uint8_t>* strength;
  const std::vector<uint8_t>* moved;
};

/** Blobs of cells of which at least a quarter is foreground, diagonal neighbours included, in reading order.
 * `shares` has the foreground pixels of each cell. */
std::vector<Blob> FindBlobs(const Grid& grid, const BackgroundPlane& luma, const BlobMasks& masks,
                            const std::vector<uint8_t>& shares);

/** Fills in stepNow and stepScene; `planes` are luma, U, V. */
void MeasureOutline(const Grid& grid, const std::vector<BackgroundPlane>& planes,
                    const std::vector<uint8_t>& foreground, const Light& light, Blob* blob);

}  // namespace tredive
