#pragma once
#include <napi.h>

namespace tredive {

/**
 * checkFrames({readFd, ...mask plan}) -> {done: Promise<{frames, rectangles, worstDeviation}>, stop()}.
 * Reads the decoded masked copy and fails (mismatch) on the first frame that is missing, at another time, or
 * not covered where the plan says so. Times count from the first frame on both sides. Owns the fd.
 */
Napi::Value CheckFrames(const Napi::CallbackInfo& info);

}  // namespace tredive
