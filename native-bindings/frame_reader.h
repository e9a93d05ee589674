#pragma once
#include <napi.h>

namespace tredive {

/**
 * openFrameReader(readFd) -> {header(): Promise<header>, next(into: Float32Array | null): Promise<{index,
 * pts} | null>, close()}. Owns the fd from the call on, whatever happens. Reads ahead while JavaScript works
 * on the frame before.
 */
Napi::Value OpenFrameReader(const Napi::CallbackInfo& info);

}  // namespace tredive
