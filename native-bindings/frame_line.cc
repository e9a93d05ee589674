#include "frame_line.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>

#include "delay_store.h"
#include "label.h"
#include "mask_feed.h"
#include "nut_reader.h"
#include "nut_writer.h"
#include "promises.h"
#include "shrink.h"

namespace tredive {

namespace {

/** Frame buffers that go round: read ahead, in hand, and on the way to the encoder. */
constexpr size_t kBuffers = 7;
/** Frames read ahead; more would only take memory, as one side is always the slower one. */
constexpr size_t kAhead = 3;
/** Frames whose masks are known and that are not written yet; the encoder is the slower side when there are
 * more. */
constexpr size_t kBacklog = 12;

/** Up to here a time stamp is exact as a number of JavaScript. */
constexpr int64_t kExact = 1ll << 53;

uint64_t RandomSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32 | device()) | 1;
}

class FrameLine : public Background {
 public:
  FrameLine(int fd, MaskStyle style, std::optional<Label> label)
      : source_(fd, stop_), nut_(source_), masker_(style, RandomSeed()), label_(std::move(label)) {}

  void Launch(Napi::Env env) {
    Start(env, "tredive frame line",
          {[this] { Guarded([this] { ReadAll(); }); }, [this] { Guarded([this] { AnswerAll(); }); },
           [this] { Guarded([this] { WriteAll(); }); }});
    KeepAlive(env, false);
  }

  struct Request {
    enum class Kind { kHeader, kNext, kLook, kFinish };
    Napi::Promise::Deferred deferred;
    Kind kind;
    /** Arrays that are written on our thread. Plain pointers, freed on the JavaScript thread only: when the
     * environment goes first, they go with it. */
    std::vector<Napi::ObjectReference*> held;
    float* rgb = nullptr;
    int32_t width = 0, height = 0;
    bool bt709 = false, fullRange = false;
    uint8_t* small = nullptr;
    int32_t smallWidth = 0, smallHeight = 0;
  };

  Napi::Promise Ask(Napi::Env env, Request request) {
    const Napi::Promise promise = request.deferred.Promise();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) {
      for (Napi::ObjectReference* held : request.held) delete held;
      request.deferred.Reject(ToError(env, WhyStopped()).Value());
      return promise;
    }
    if (pending_++ == 0) KeepAlive(env, true);
    requests_.push_back(std::move(request));
    changed_.notify_all();
    return promise;
  }

  /** A line that has ended closes it at once: whoever reads there must not wait. Throws Failure (usage) where
   * frames would be missing in what is written. */
  void WriteTo(UniqueFd fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return;
    if (sink_ || written_ > 0) throw Failure(Trouble::kUsage, "frames have gone elsewhere already");
    sink_.emplace(fd.Release(), stop_);
    changed_.notify_all();
  }

  /** Masks of the next frames in order. False if they are more than there are frames. */
  bool Release(std::vector<FrameMask> masks) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (released_ + masks.size() > read_) return false;
    released_ += masks.size();
    for (FrameMask& mask : masks) masks_.push_back(std::move(mask));
    changed_.notify_all();
    return true;
  }

 private:
  using Pixels = std::vector<uint8_t>;
  struct Slot {
    Pixels pixels;
    int64_t pts;
  };
  /** A frame that was read and not written: in a buffer or in the store. */
  struct Waiting {
    std::optional<Pixels> pixels;
    uint32_t place;
    int64_t pts;
  };

  void OnStop() override {
    Background::OnStop();
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  Failure WhyStopped() const {
    return failure_ ? *failure_ : Failure(Trouble::kInterrupted, "the frame line is closed");
  }

  void ThrowIfStopped() const {
    if (stopped_) throw WhyStopped();
  }

  /** The first failure is the one that is told; it stops the other threads. The last one to end tells who
   * still asks. */
  void Guarded(const std::function<void()>& work) {
    try {
      work();
    } catch (const Failure& failure) {
      Fail(failure);
    } catch (const std::exception& error) {
      Fail(Failure(Trouble::kIo, error.what(), ENOMEM));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--running_ > 0) return;
    source_.Close();
    if (sink_) sink_->Close();
    for (Request& request : requests_) Reject(std::move(request), WhyStopped());
    requests_.clear();
    // The object itself goes when JavaScript collects it, which may be much later; pictures do not wait for
    // that.
    store_ = DelayStore();
    waiting_.clear();
    incoming_.clear();
    free_.clear();
    current_.reset();
  }

  void Fail(const Failure& failure) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_) failure_ = failure;
    }
    OnStop();
  }

  /** First thread: pipe to buffers. What ends here is told to whoever asks for the next frame. */
  void ReadAll() {
    std::optional<Failure> failure;
    try {
      const VideoInfo info = nut_.ReadHeader();
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        info_ = info;
        for (size_t i = 0; i < kBuffers; i++) free_.emplace_back();
        changed_.notify_all();
      }
      int64_t latest = 0;
      for (bool first = true;; first = false) {
        Pixels pixels;
        {
          std::unique_lock<std::mutex> lock(mutex_);
          changed_.wait(lock, [this] {
            return stopped_ || complete_ || (!free_.empty() && incoming_.size() < kAhead);
          });
          ThrowIfStopped();
          if (complete_) break;
          pixels = std::move(free_.back());
          free_.pop_back();
        }
        pixels.resize(FrameBytes(info));
        NutReader::Frame frame;
        if (!nut_.ReadFrame(pixels.data(), &frame)) break;
        // Two frames at one moment would be one to a player, and time that goes back is none: each comes a
        // tick later.
        if (!first && frame.pts <= latest) frame.pts = latest + 1;
        latest = frame.pts;
        if (latest > kExact || latest < -kExact)
          throw Failure(Trouble::kMalformed, "an impossible time stamp");
        const std::lock_guard<std::mutex> lock(mutex_);
        incoming_.push_back({std::move(pixels), frame.pts});
        changed_.notify_all();
      }
    } catch (const Failure& caught) {
      failure = caught;
    }
    source_.Close();
    const std::lock_guard<std::mutex> lock(mutex_);
    readEnd_ = true;
    readFailure_ = failure;
    changed_.notify_all();
  }

  /** Second thread: requests, in order. */
  void AnswerAll() {
    for (;;) {
      Request request = TakeRequest();
      try {
        switch (request.kind) {
          case Request::Kind::kHeader:
            AnswerHeader(std::move(request));
            break;
          case Request::Kind::kNext:
            AnswerNext(std::move(request));
            break;
          case Request::Kind::kLook:
            AnswerLook(std::move(request));
            break;
          case Request::Kind::kFinish:
            AnswerFinish(std::move(request));
            return;
        }
      } catch (const Failure& failure) {
        // It goes to whoever asked, and ends everything: a frame that is lost here would be missing in the
        // copy.
        Fail(failure);
        Reject(std::move(request), failure);
        return;
      }
    }
  }

  Request TakeRequest() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || !requests_.empty(); });
    ThrowIfStopped();
    Request request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

  void AnswerHeader(Request request) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || info_ || readEnd_; });
    ThrowIfStopped();
    if (!info_) throw *readFailure_;
    const VideoInfo info = *info_;
    if (info.format != PixelFormat::kYuv420p)
      throw Failure(Trouble::kMalformed, "the frames are not yuv420p");
    Resolve(std::move(request), [info](Napi::Env env) -> Napi::Value {
      Napi::Object timeBase = Napi::Object::New(env);
      timeBase.Set("num", info.timeBaseNum);
      timeBase.Set("den", info.timeBaseDen);
      Napi::Object header = Napi::Object::New(env);
      header.Set("width", info.width);
      header.Set("height", info.height);
      header.Set("timeBase", timeBase);
      return header;
    });
  }

  void AnswerNext(Request request) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || readEnd_ || !incoming_.empty(); });
      ThrowIfStopped();
      if (incoming_.empty()) {
        if (readFailure_) throw *readFailure_;
        // The last frame stays in hand: it is always worth a look.
        Resolve(std::move(request), [](Napi::Env env) { return env.Null(); });
        return;
      }
    }
    PutAway();
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || released_ - written_ <= kBacklog; });
    ThrowIfStopped();
    current_ = std::move(incoming_.front());
    incoming_.pop_front();
    changed_.notify_all();
    const double index = static_cast<double>(read_++);
    Resolve(std::move(request),
            [index, pts = static_cast<double>(current_->pts)](Napi::Env env) -> Napi::Value {
              Napi::Object frame = Napi::Object::New(env);
              frame.Set("index", index);
              frame.Set("pts", pts);
              return frame;
            });
  }

  /** The frame in hand goes to the writer, into the store until its masks are known, or away. */
  void PutAway() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!current_) return;
    Slot slot = std::move(*current_);
    current_.reset();
    const size_t index = read_ - 1;
    const bool known = index < released_;
    const bool dropped = known && masks_[index - written_].drop;
    if (!sink_ || dropped) {
      if (!sink_) {
        // Nobody will ever write: whoever reads alone releases nothing.
        written_ = released_ = index + 1;
        masks_.clear();
      } else {
        waiting_.emplace(index, Waiting{std::nullopt, kNowhere, slot.pts});
      }
      free_.push_back(std::move(slot.pixels));
    } else if (known) {
      waiting_.emplace(index, Waiting{std::move(slot.pixels), kNowhere, slot.pts});
    } else {
      lock.unlock();
      uint32_t place;
      {
        const std::lock_guard<std::mutex> storing(storeMutex_);
        place = store_.Put(slot.pixels.data(), slot.pixels.size());
      }
      lock.lock();
      waiting_.emplace(index, Waiting{std::nullopt, place, slot.pts});
      free_.push_back(std::move(slot.pixels));
    }
    changed_.notify_all();
  }

  void AnswerLook(Request request) {
    VideoInfo info;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!current_) throw Failure(Trouble::kUsage, "there is no frame in hand");
      info = *info_;
    }
    // Only this thread takes the frame in hand away.
    const Picture picture = Picture::Of(info, current_->pixels.data());
    if (request.rgb != nullptr) {
      ShrinkToRgb(picture, request.rgb, request.width, request.height,
                  request.bt709 ? ColourMatrix::kBt709 : ColourMatrix::kBt601, request.fullRange);
    }
    if (request.small != nullptr) {
      VideoInfo small;
      small.width = static_cast<uint32_t>(request.smallWidth);
      small.height = static_cast<uint32_t>(request.smallHeight);
      ShrinkPicture(picture, Picture::Of(small, request.small));
    }
    Resolve(std::move(request), [](Napi::Env env) { return env.Undefined(); });
  }

  void AnswerFinish(Request request) {
    PutAway();
    std::unique_lock<std::mutex> lock(mutex_);
    // Nothing can be written before it is known what.
    changed_.wait(lock, [this] { return stopped_ || info_ || readEnd_; });
    ThrowIfStopped();
    if (!info_) throw *readFailure_;
    if (sink_ && released_ != read_) {
      throw Failure(Trouble::kUsage, "finished with frames whose masks were never given");
    }
    complete_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return stopped_ || writeEnd_; });
    if (failure_) throw *failure_;
    const double frames = static_cast<double>(framesWritten_);
    Resolve(std::move(request), [frames](Napi::Env env) { return Napi::Number::New(env, frames); });
    lock.unlock();
    // The reader may still wait for frames behind the range, which nobody wants.
    OnStop();
  }

  /** Third thread: covers and writes. */
  void WriteAll() {
    VideoInfo info;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || complete_ || (info_ && sink_); });
      ThrowIfStopped();
      if (!sink_) {
        writeEnd_ = true;
        changed_.notify_all();
        return;
      }
      info = *info_;
    }
    NutWriter writer(*sink_, info);
    writer.WriteHeader();
    std::optional<int64_t> origin;
    // Written frames are lent to the pipe: their memory is used again when the encoder has taken them.
    std::deque<std::pair<Pixels, uint64_t>> lent;
    const auto takeBack = [&] {
      const uint64_t consumed = lent.empty() ? 0 : sink_->Consumed();
      const std::lock_guard<std::mutex> lock(mutex_);
      for (; !lent.empty() && lent.front().second <= consumed; lent.pop_front())
        free_.push_back(std::move(lent.front().first));
      changed_.notify_all();
    };
    for (;;) {
      FrameMask mask;
      Waiting frame;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto ready = [this] {
          return stopped_ || (complete_ && written_ == read_) ||
                 (!masks_.empty() && waiting_.count(written_) > 0);
        };
        // While nothing can be written, what is lent comes back all the same: the reader may wait for it.
        while (!changed_.wait_for(lock, std::chrono::milliseconds(lent.empty() ? 1000 : 5), ready)) {
          lock.unlock();
          takeBack();
          lock.lock();
        }
        ThrowIfStopped();
        if (masks_.empty()) break;
        mask = std::move(masks_.front());
        const auto found = waiting_.find(written_);
        frame = std::move(found->second);
        waiting_.erase(found);
      }
      std::optional<Pixels> pixels = std::move(frame.pixels);
      if (frame.place != kNowhere) {
        if (!mask.drop) pixels = Spare(FrameBytes(info));
        const std::lock_guard<std::mutex> storing(storeMutex_);
        if (mask.drop) {
          store_.Forget(frame.place);
        } else {
          store_.Take(frame.place, pixels->data(), pixels->size());
        }
      }
      if (!mask.drop) {
        const Picture picture = Picture::Of(info, pixels->data());
        for (const Rect& rect : mask.rects) masker_.Apply(picture, rect);
        if (label_) label_->Draw(picture, mask.text);
        if (!origin) origin = frame.pts;
        writer.WriteFrame(pixels->data(), frame.pts - *origin);
        framesWritten_++;
        lent.emplace_back(std::move(*pixels), sink_->Given());
        pixels.reset();
      }
      takeBack();
      const std::lock_guard<std::mutex> lock(mutex_);
      if (pixels) free_.push_back(std::move(*pixels));
      masks_.pop_front();
      written_++;
      changed_.notify_all();
    }
    sink_->Drain();
    sink_->Close();
    const std::lock_guard<std::mutex> lock(mutex_);
    writeEnd_ = true;
    changed_.notify_all();
  }

  /** A buffer that is free just now, else one more: the frames that go round make sure that there are never
   * many. */
  Pixels Spare(size_t bytes) {
    Pixels pixels;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
      pixels = std::move(free_.back());
      free_.pop_back();
    }
    pixels.resize(bytes);
    return pixels;
  }

  void Resolve(Request request, std::function<Napi::Value(Napi::Env)> value) {
    Post([self = shared_from_this(), this, request = std::move(request),
          value = std::move(value)](Napi::Env env) {
      Done(env, request);
      request.deferred.Resolve(value(env));
    });
  }

  void Reject(Request request, Failure failure) {
    Post([self = shared_from_this(), this, request = std::move(request),
          failure = std::move(failure)](Napi::Env env) {
      Done(env, request);
      request.deferred.Reject(ToError(env, failure).Value());
    });
  }

  void Done(Napi::Env env, const Request& request) {
    for (Napi::ObjectReference* held : request.held) delete held;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--pending_ == 0) KeepAlive(env, false);
  }

  static constexpr uint32_t kNowhere = UINT32_MAX;

  FdSource source_;
  NutReader nut_;
  Masker masker_;
  std::optional<Label> label_;
  std::optional<FdSink> sink_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> requests_;
  std::deque<Pixels> free_;
  std::deque<Slot> incoming_;
  std::optional<Slot> current_;
  /** Masks of the frames [written_, released_), in order. */
  std::deque<FrameMask> masks_;
  std::map<size_t, Waiting> waiting_;
  std::optional<VideoInfo> info_;
  std::optional<Failure> failure_;
  std::optional<Failure> readFailure_;
  size_t read_ = 0;      // frames handed to JavaScript
  size_t released_ = 0;  // frames whose masks are known
  size_t written_ = 0;   // frames that were written or dropped
  size_t framesWritten_ = 0;
  uint32_t pending_ = 0;
  int running_ = 3;
  bool readEnd_ = false;
  bool writeEnd_ = false;
  bool complete_ = false;
  bool stopped_ = false;

  /** Taken alone: copying a frame must not hold up who only asks. */
  std::mutex storeMutex_;
  DelayStore store_;
};

/** look(rgb | null, width, height, bt709, fullRange, small | null, smallWidth, smallHeight) */
Napi::Value Look(const std::shared_ptr<FrameLine>& line, const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  FrameLine::Request request{Napi::Promise::Deferred::New(env), FrameLine::Request::Kind::kLook, {}};
  const auto side = [&](size_t at) {
    const int32_t value = call[at].As<Napi::Number>();
    if (value < 1 || value > static_cast<int32_t>(kMaxSide))
      throw Napi::RangeError::New(env, "an impossible size");
    return value;
  };
  // The cast alone looks at nothing: an array of smaller elements would be written past its end.
  const auto typed = [&](size_t at, napi_typedarray_type type) {
    if (!call[at].IsTypedArray() || call[at].As<Napi::TypedArray>().TypedArrayType() != type)
      throw Napi::TypeError::New(env, "an array of another kind");
  };
  if (!call[0].IsNull()) {
    typed(0, napi_float32_array);
    auto rgb = call[0].As<Napi::Float32Array>();
    request.width = side(1);
    request.height = side(2);
    if (rgb.ElementLength() != static_cast<size_t>(request.width) * request.height * 3)
      throw Napi::RangeError::New(env, "the array does not have 3 * width * height elements");
    request.bt709 = call[3].ToBoolean();
    request.fullRange = call[4].ToBoolean();
    request.rgb = rgb.Data();
  }
  if (!call[5].IsNull()) {
    typed(5, napi_uint8_array);
    auto small = call[5].As<Napi::Uint8Array>();
    const size_t w = static_cast<size_t>(side(6)), h = static_cast<size_t>(side(7));
    if (small.ElementLength() != w * h + 2 * ((w + 1) / 2) * ((h + 1) / 2))
      throw Napi::RangeError::New(env, "the array does not hold a yuv420p picture of that size");
    request.smallWidth = static_cast<int32_t>(w);
    request.smallHeight = static_cast<int32_t>(h);
    request.small = small.Data();
  }
  // Only now: nothing above may throw with a reference in hand.
  for (const size_t at : {size_t{0}, size_t{5}}) {
    if (!call[at].IsNull())
      request.held.push_back(new Napi::ObjectReference(Napi::Persistent(call[at].As<Napi::Object>())));
  }
  return line->Ask(env, std::move(request));
}

}  // namespace

Napi::Value OpenFrameLine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].As<Napi::Object>();
  UniqueFd readFd(options.Get("readFd").As<Napi::Number>().Int32Value());
  const MaskStyle style = ToMaskStyle(options.Get("style"));
  std::optional<Label> label = ToLabel(options.Get("label"));
  std::shared_ptr<FrameLine> line;
  try {
    line = std::make_shared<FrameLine>(readFd.Release(), style, std::move(label));
  } catch (const Failure& failure) {
    throw ToError(env, failure);
  }
  line->Launch(env);
  Napi::Object object = Napi::Object::New(env);
  // A line that is forgotten instead of closed must not keep its threads and its children.
  object.AddFinalizer(
      [](Napi::Env, std::shared_ptr<FrameLine>* held) {
        (*held)->Stop();
        delete held;
      },
      new std::shared_ptr<FrameLine>(line));
  const auto ask = [&](const char* name, FrameLine::Request::Kind kind) {
    object.Set(name, Napi::Function::New(env, [line, kind](const Napi::CallbackInfo& call) -> Napi::Value {
                 return line->Ask(call.Env(), {Napi::Promise::Deferred::New(call.Env()), kind, {}});
               }));
  };
  ask("header", FrameLine::Request::Kind::kHeader);
  ask("next", FrameLine::Request::Kind::kNext);
  ask("finish", FrameLine::Request::Kind::kFinish);
  object.Set("look",
             Napi::Function::New(env, [line](const Napi::CallbackInfo& call) { return Look(line, call); }));
  object.Set("writeTo", Napi::Function::New(env, [line](const Napi::CallbackInfo& call) {
               UniqueFd fd(call[0].As<Napi::Number>().Int32Value());
               try {
                 line->WriteTo(std::move(fd));
               } catch (const Failure& failure) {
                 throw ToError(call.Env(), failure);
               }
             }));
  object.Set("release", Napi::Function::New(env, [line](const Napi::CallbackInfo& call) {
               if (!line->Release(ToFrameMasks(call[0].As<Napi::Object>())))
                 throw Napi::RangeError::New(call.Env(), "masks for frames that were not read yet");
             }));
  object.Set("close", Napi::Function::New(env, [line](const Napi::CallbackInfo&) { line->Stop(); }));
  return object;
}

}  // namespace tredive
