#pragma once
#include <napi.h>

namespace tredive {

/**
 * createMotionModel(width, height) -> {prime(pictures: Uint8Array[]), look(picture: Uint8Array, timeS,
 * occupied: Int32Array of x, y, w, h) -> {cols, rows, foreground: Uint8Array, moving: Uint8Array, reliable,
 * lightChanged}}. On the calling thread: a look takes about a millisecond. Errors (usage) for pictures of
 * another size.
 */
Napi::Value CreateMotionModel(const Napi::CallbackInfo& info);

/** shrinkToRgb(yuv420p: Uint8Array, width, height, toWidth, toHeight, "bt601" | "bt709", fullRange) ->
 * Float32Array of planar R, G, B, 0..255. */
Napi::Value ShrunkToRgb(const Napi::CallbackInfo& info);

}  // namespace tredive
