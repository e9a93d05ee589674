#pragma once
#include <napi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "label.h"
#include "masking.h"

namespace tredive {

/** What is expected of each frame and done to it; a copy of what JavaScript gave, so that no thread looks
 * into its memory. */
struct MaskPlan {
  std::vector<uint32_t> offsets;  // frameCount + 1
  std::vector<Rect> rects;
  std::vector<int64_t> pts;
  uint64_t timeBaseNum = 1;
  uint64_t timeBaseDen = 1;
  MaskStyle style = MaskStyle::kSolid;
  std::optional<Label> label;
  std::vector<uint32_t> textOfFrame;

  size_t frameCount() const { return pts.size(); }
  /** Throws Failure (mismatch) unless frame `index` at `pts` of `info` is the expected one, counted from the
   * given origins. */
  void CheckTime(size_t index, int64_t seen, int64_t seenOrigin, int64_t expectedOrigin,
                 const VideoInfo& info) const;
};

/**
 * From {offsets: Uint32Array, rects: Int32Array, expectedPts: BigInt64Array, timeBase: {num, den}, style,
 * label?: {texts, textOfFrame, edge}}. Throws a JavaScript TypeError where the parts do not fit together.
 */
MaskPlan ToMaskPlan(const Napi::Object& options);

}  // namespace tredive
