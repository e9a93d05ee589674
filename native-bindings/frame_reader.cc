#include "frame_reader.h"

#include "frame_stream.h"

namespace tredive {

namespace {

/** Up to here a time stamp is exact as a number of JavaScript. */
constexpr int64_t kExact = 1ll << 53;

/** Times as they may be told: growing, and exact. */
class Growing {
 public:
  /** Two frames at one moment would be one to a player, and time that goes back is none: each comes a tick
   * later. */
  int64_t After(int64_t pts) {
    if (latest_ && pts <= *latest_) pts = *latest_ + 1;
    latest_ = pts;
    if (pts > kExact || pts < -kExact) throw Failure(Trouble::kMalformed, "an impossible time stamp");
    return pts;
  }

 private:
  std::optional<int64_t> latest_;
};

void ReadAll(FdSource& source, bool timesApart, FrameBelt& belt) {
  FrameStream stream(source);
  const VideoInfo info = stream.ReadHeader();
  if (stream.HasTimes() == timesApart)
    throw Failure(Trouble::kMalformed, timesApart ? "frames have two times" : "frames have no times");
  belt.Announce(info);
  Growing times;
  while (std::optional<Pixels> pixels = belt.Empty()) {
    pixels->resize(FrameBytes(info));
    int64_t pts;
    if (!stream.ReadFrame(pixels->data(), &pts)) return;
    belt.Bring({std::move(*pixels), times.After(pts)});
  }
}

void ReadAllTimes(FdSource& source, FrameBelt& belt) {
  NutReader nut(source);
  const VideoInfo info = nut.ReadHeader();
  belt.AnnounceTimes(info);
  Growing times;
  std::vector<uint8_t> corner(FrameBytes(info));
  for (NutReader::Frame frame; nut.ReadFrame(corner.data(), &frame);) belt.BringTime(times.After(frame.pts));
}

/** To the end of the stream; what goes wrong in it is told to whoever waits for what is missing. */
template <typename Read>
std::optional<Failure> ToTheEnd(FdSource& source, Read read) {
  std::optional<Failure> failure;
  try {
    read();
  } catch (const Failure& caught) {
    failure = caught;
  }
  source.Close();
  return failure;
}

}  // namespace

void ReadFrames(FdSource& source, bool timesApart, FrameBelt& belt) {
  belt.EndReading(ToTheEnd(source, [&] { ReadAll(source, timesApart, belt); }));
}

void ReadTimes(FdSource& source, FrameBelt& belt) {
  belt.EndTimes(ToTheEnd(source, [&] { ReadAllTimes(source, belt); }));
}

}  // namespace tredive
