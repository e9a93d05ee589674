#pragma once
#include <napi.h>

namespace tredive {

/**
 * checkFrames({readFd, style, label?}) -> {done: Promise<{frames, rectangles, worstDeviation}>,
 * expect(batch), expectNoMore(), stop()}. Reads the decoded masked copy, while it is made, and fails
 * (mismatch) on the first frame that is missing, surplus or not covered where it was said to be. Owns the fd.
 */
Napi::Value CheckFrames(const Napi::CallbackInfo& info);

}  // namespace tredive
