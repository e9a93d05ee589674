#pragma once
#include <napi.h>

namespace tredive {

/**
 * openFrameLine({readFd, style, label?: {edge, longest}}) -> {header(), next(), look(rgb, width, height,
 * small, smallWidth, smallHeight), writeTo(fd), release(batch), finish(), close()}: the way of the frames
 * from the decoder to the encoder. JavaScript hears of each frame, may have a small picture of it, and says
 * later what is covered in it; until then the frame waits here. Owns both descriptors from the call on.
 */
Napi::Value OpenFrameLine(const Napi::CallbackInfo& info);

}  // namespace tredive
