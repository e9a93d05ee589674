#pragma once
#include <napi.h>

namespace tredive {

/**
 * pumpFrames({readFd, writeFd, firstFrame, endFrame, onProgress?, ...mask plan}) -> {done:
 * Promise<{framesRead, framesWritten}>, stop()}. NUT in, rectangles covered in place, NUT out with time
 * stamps counted from the first written frame. Owns both fds.
 */
Napi::Value PumpFrames(const Napi::CallbackInfo& info);

}  // namespace tredive
