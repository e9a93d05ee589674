#pragma once
#include <napi.h>

#include <optional>
#include <vector>

#include "label.h"
#include "mask_feed.h"
#include "masking.h"

namespace tredive {

/**
 * From {counts: Uint32Array, rects: Int32Array, texts?: string[], drop?: boolean}: for each frame how many
 * rectangles it has, then all of them as x, y, w, h. Throws a JavaScript TypeError where the parts do not fit
 * together.
 */
std::vector<FrameMask> ToFrameMasks(const Napi::Object& batch);

MaskStyle ToMaskStyle(const Napi::Value& style);

/** From {edge: 'top' | 'bottom', longest: number}; none where it is undefined. */
std::optional<Label> ToLabel(const Napi::Value& label);

}  // namespace tredive
