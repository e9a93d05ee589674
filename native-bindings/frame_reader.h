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
 * The bytes are hostile, see FrameStream. Times of frames grow on the belt, whatever they do in the stream.
 */
void ReadFrames(FdSource& source, bool timesApart, FrameBelt& belt);

/**
 * Where the times of the frames come apart from their pictures, a thread of its own reads them, from a stream
 * of small pictures: ffmpeg may write a picture before its time or after it, and whoever waited for one would
 * hold up the other.
 */
void ReadTimes(FdSource& source, FrameBelt& belt);

}  // namespace tredive
