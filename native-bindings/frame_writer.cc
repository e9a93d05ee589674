#include "frame_writer.h"

#include <random>

#include "nut_writer.h"

namespace tredive {

namespace {

/** Milliseconds after which it is looked whether the encoder has taken what is lent. */
constexpr std::chrono::milliseconds kPatience(5), kIdle(1000);

uint64_t RandomSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32 | device()) | 1;
}

}  // namespace

FrameWriter::FrameWriter(FrameBelt& belt, MaskStyle style, std::optional<Label> label)
    : belt_(belt), masker_(style, RandomSeed()), label_(std::move(label)) {}

void FrameWriter::Run() {
  VideoInfo info;
  FdSink* sink = belt_.AwaitSink(&info);
  belt_.EndWriting(sink == nullptr ? 0 : WriteAll(*sink, info));
}

size_t FrameWriter::WriteAll(FdSink& sink, const VideoInfo& info) {
  NutWriter nut(sink, info);
  nut.WriteHeader();
  size_t frames = 0;
  int64_t originPts = 0;
  FrameBelt::Job job;
  while (NextTurn(sink, &job) == FrameBelt::Turn::kFrame) {
    if (job.mask.drop) {
      belt_.Drop(job.frame);
    } else {
      const int64_t pts = job.frame.pts;
      Pixels pixels = belt_.Fetch(std::move(job.frame), FrameBytes(info));
      Cover(Picture::Of(info, pixels.data()), job.mask);
      if (frames++ == 0) originPts = pts;
      nut.WriteFrame(pixels.data(), pts - originPts);
      lent_.emplace_back(std::move(pixels), sink.Given());
    }
    TakeBack(sink);
    belt_.Done();
  }
  sink.Drain();
  sink.Close();
  return frames;
}

FrameBelt::Turn FrameWriter::NextTurn(const FdSink& sink, FrameBelt::Job* job) {
  for (;;) {
    const FrameBelt::Turn turn = belt_.Next(lent_.empty() ? kIdle : kPatience, job);
    if (turn != FrameBelt::Turn::kNotYet) return turn;
    // While nothing can be written, what is lent comes back all the same: the reader may wait for it.
    TakeBack(sink);
  }
}

void FrameWriter::Cover(const Picture& picture, const FrameMask& mask) {
  for (const Rect& rect : mask.rects) masker_.Apply(picture, rect);
  if (label_) label_->Draw(picture, mask.text);
}

void FrameWriter::TakeBack(const FdSink& sink) {
  if (lent_.empty()) return;
  const uint64_t consumed = sink.Consumed();
  std::vector<Pixels> taken;
  for (; !lent_.empty() && lent_.front().second <= consumed; lent_.pop_front())
    taken.push_back(std::move(lent_.front().first));
  if (!taken.empty()) belt_.GiveBack(std::move(taken));
}

}  // namespace tredive
