#pragma once
#include "fd_stream.h"
#include "frame_belt.h"

namespace tredive {

/**
 * First thread of a frame line: from the pipe into buffers. It waits for the decoder and for a free buffer,
 * and touches nothing else. It closes the pipe when it ends, so that a decoder of which no more is wanted is
 * not stuck. What goes wrong in the stream is left on the belt for whoever asks for the frame that is
 * missing; those before it are good.
 *
 * The bytes are hostile, see NutReader. Times of frames grow on the belt, whatever they do in the stream.
 */
void ReadFrames(FdSource& source, FrameBelt& belt);

}  // namespace tredive
