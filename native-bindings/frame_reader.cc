#include "frame_reader.h"

#include "nut_reader.h"

namespace tredive {

namespace {

/** Up to here a time stamp is exact as a number of JavaScript. */
constexpr int64_t kExact = 1ll << 53;

void ReadAll(FdSource& source, FrameBelt& belt) {
  NutReader nut(source);
  const VideoInfo info = nut.ReadHeader();
  belt.Announce(info);
  std::optional<int64_t> latest;
  while (std::optional<Pixels> pixels = belt.Empty()) {
    pixels->resize(FrameBytes(info));
    NutReader::Frame frame;
    if (!nut.ReadFrame(pixels->data(), &frame)) return;
    // Two frames at one moment would be one to a player, and time that goes back is none: each comes a tick
    // later.
    if (latest && frame.pts <= *latest) frame.pts = *latest + 1;
    latest = frame.pts;
    if (frame.pts > kExact || frame.pts < -kExact)
      throw Failure(Trouble::kMalformed, "an impossible time stamp");
    belt.Bring({std::move(*pixels), frame.pts});
  }
}

}  // namespace

void ReadFrames(FdSource& source, FrameBelt& belt) {
  std::optional<Failure> failure;
  try {
    ReadAll(source, belt);
  } catch (const Failure& caught) {
    failure = caught;
  }
  source.Close();
  belt.EndReading(failure);
}

}  // namespace tredive
