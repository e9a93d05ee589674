#include "frame_line.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "frame_belt.h"
#include "frame_hand.h"
#include "frame_reader.h"
#include "frame_writer.h"
#include "mask_arguments.h"
#include "promises.h"

namespace tredive {

namespace {

/**
 * The threads around a FrameBelt, and the promises that the second one keeps. What the threads do is in
 * frame_reader, frame_hand and frame_writer; here is how they begin, end and are asked.
 *
 * The first failure is the one that is told; it stops the other threads. Requests are answered in order, each
 * of them once: by the second thread, or, when there is none any more, with why everything stopped.
 */
class FrameLine : public Background {
 public:
  FrameLine(UniqueFd pictures, UniqueFd times, MaskStyle style, std::optional<Label> label)
      : pictures_(pictures.Release(), stop_), style_(style), label_(std::move(label)) {
    if (times.valid()) times_.emplace(times.Release(), stop_);
  }

  void Launch(Napi::Env env) {
    std::vector<std::function<void()>> threads = {
        [this] { Guarded([this] { ReadFrames(pictures_, times_.has_value(), belt_); }); },
        [this] { Guarded([this] { AnswerAll(); }); },
        [this] { Guarded([this] { FrameWriter(belt_, style_, std::move(label_)).Run(); }); }};
    if (times_) {
      belt_.ExpectTimes();
      threads.emplace_back([this] { Guarded([this] { ReadTimes(*times_, belt_); }); });
    }
    running_ = threads.size();
    Start(env, "tredive frame line", std::move(threads));
    KeepAlive(env, false);
  }

  struct Request {
    enum class Kind { kHeader, kNext, kLook, kFinish };
    Napi::Promise::Deferred deferred;
    Kind kind;
    LookInto into;
    /** The arrays that `into` points to. Plain pointers, freed on the JavaScript thread only: when the
     * environment goes first, they go with it. */
    std::vector<Napi::ObjectReference*> held;
  };

  /** On the JavaScript thread. */
  Napi::Promise Ask(Napi::Env env, Request request) {
    const Napi::Promise promise = request.deferred.Promise();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) {
      for (Napi::ObjectReference* held : request.held) delete held;
      request.deferred.Reject(ToError(env, belt_.Why()).Value());
      return promise;
    }
    if (pending_++ == 0) KeepAlive(env, true);
    requests_.push_back(std::move(request));
    asked_.notify_one();
    return promise;
  }

  void WriteTo(UniqueFd fd) { belt_.WriteTo(std::move(fd), stop_); }
  bool Release(std::vector<FrameMask> masks) { return belt_.Release(std::move(masks)); }

 private:
  using Value = std::function<Napi::Value(Napi::Env)>;

  void OnStop() override {
    Background::OnStop();
    belt_.Stop();
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    asked_.notify_one();
  }

  void Fail(const Failure& failure) {
    belt_.Fail(failure);
    OnStop();
  }

  /** What a thread does, to its end, which may be that of everything. */
  void Guarded(const std::function<void()>& work) {
    try {
      work();
    } catch (const Failure& failure) {
      Fail(failure);
    } catch (const std::exception& error) {
      Fail(Failure(Trouble::kIo, error.what(), ENOMEM));
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (--running_ > 0) return;
      // The second thread ends with a stop and no sooner, so no request comes after these.
      for (Request& request : requests_) Reject(std::move(request), belt_.Why());
      requests_.clear();
    }
    // The object itself goes when JavaScript collects it, which may be much later; pictures do not wait for
    // that.
    pictures_.Close();
    if (times_) times_->Close();
    belt_.Clear();
  }

  void AnswerAll() {
    FrameHand hand(belt_);
    for (;;) {
      Request request = NextRequest();
      Value value;
      try {
        value = Answer(hand, request);
      } catch (const std::exception& error) {
        // It goes to whoever asked, and ends everything: a frame that is lost here would be missing in the
        // copy.
        const auto* known = dynamic_cast<const Failure*>(&error);
        const Failure failure = known != nullptr ? *known : Failure(Trouble::kIo, error.what(), ENOMEM);
        Fail(failure);
        Reject(std::move(request), failure);
        return;
      }
      const bool last = request.kind == Request::Kind::kFinish;
      Resolve(std::move(request), std::move(value));
      if (!last) continue;
      // The reader may still wait for frames behind the range, which nobody wants.
      OnStop();
      return;
    }
  }

  Request NextRequest() {
    std::unique_lock<std::mutex> lock(mutex_);
    asked_.wait(lock, [this] { return stopped_ || !requests_.empty(); });
    if (stopped_) throw belt_.Why();
    Request request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

  /** What a request comes to, to be made a value on the JavaScript thread. */
  static Value Answer(FrameHand& hand, const Request& request) {
    switch (request.kind) {
      case Request::Kind::kHeader:
        return [info = hand.Header()](Napi::Env env) -> Napi::Value {
          Napi::Object timeBase = Napi::Object::New(env);
          timeBase.Set("num", info.timeBaseNum);
          timeBase.Set("den", info.timeBaseDen);
          Napi::Object header = Napi::Object::New(env);
          header.Set("width", info.width);
          header.Set("height", info.height);
          header.Set("timeBase", timeBase);
          return header;
        };
      case Request::Kind::kNext:
        return [told = hand.Next()](Napi::Env env) -> Napi::Value {
          if (!told) return env.Null();
          Napi::Object frame = Napi::Object::New(env);
          frame.Set("index", static_cast<double>(told->number));
          frame.Set("pts", static_cast<double>(told->pts));
          return frame;
        };
      case Request::Kind::kLook:
        hand.Look(request.into);
        break;
      case Request::Kind::kFinish:
        return [frames = static_cast<double>(hand.Finish())](Napi::Env env) -> Napi::Value {
          return Napi::Number::New(env, frames);
        };
    }
    return [](Napi::Env env) { return env.Undefined(); };
  }

  void Resolve(Request request, Value value) {
    Post([self = shared_from_this(), this, request = std::move(request),
          value = std::move(value)](Napi::Env env) {
      Settled(env, request);
      request.deferred.Resolve(value(env));
    });
  }

  void Reject(Request request, Failure failure) {
    Post([self = shared_from_this(), this, request = std::move(request),
          failure = std::move(failure)](Napi::Env env) {
      Settled(env, request);
      request.deferred.Reject(ToError(env, failure).Value());
    });
  }

  void Settled(Napi::Env env, const Request& request) {
    for (Napi::ObjectReference* held : request.held) delete held;
    if (--pending_ == 0) KeepAlive(env, false);
  }

  /** Used by the thread that reads there, and by the last one to end. */
  FdSource pictures_;
  std::optional<FdSource> times_;
  /** For the third thread. */
  const MaskStyle style_;
  std::optional<Label> label_;

  FrameBelt belt_;

  /** Never taken while the belt's is held. */
  std::mutex mutex_;
  std::condition_variable asked_;
  std::deque<Request> requests_;
  bool stopped_ = false;
  size_t running_ = 0;

  /** Promises that were given and not kept yet; of the JavaScript thread alone. */
  uint32_t pending_ = 0;
};

/** look(rgb | null, width, height, bt709, fullRange, small | null, smallWidth, smallHeight) */
Napi::Value Look(const std::shared_ptr<FrameLine>& line, const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  FrameLine::Request request{Napi::Promise::Deferred::New(env), FrameLine::Request::Kind::kLook, {}, {}};
  LookInto& into = request.into;
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
    into.width = side(1);
    into.height = side(2);
    if (rgb.ElementLength() != static_cast<size_t>(into.width) * into.height * 3)
      throw Napi::RangeError::New(env, "the array does not have 3 * width * height elements");
    into.matrix = call[3].ToBoolean() ? ColourMatrix::kBt709 : ColourMatrix::kBt601;
    into.fullRange = call[4].ToBoolean();
    into.rgb = rgb.Data();
  }
  if (!call[5].IsNull()) {
    typed(5, napi_uint8_array);
    auto small = call[5].As<Napi::Uint8Array>();
    const size_t w = static_cast<size_t>(side(6)), h = static_cast<size_t>(side(7));
    if (small.ElementLength() != w * h + 2 * ((w + 1) / 2) * ((h + 1) / 2))
      throw Napi::RangeError::New(env, "the array does not hold a yuv420p picture of that size");
    into.smallWidth = static_cast<int32_t>(w);
    into.smallHeight = static_cast<int32_t>(h);
    into.small = small.Data();
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
  UniqueFd timesFd;
  if (options.Get("timesFd").IsNumber())
    timesFd = UniqueFd(options.Get("timesFd").As<Napi::Number>().Int32Value());
  const MaskStyle style = ToMaskStyle(options.Get("style"));
  std::optional<Label> label = ToLabel(options.Get("label"));
  std::shared_ptr<FrameLine> line;
  try {
    line = std::make_shared<FrameLine>(std::move(readFd), std::move(timesFd), style, std::move(label));
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
                 return line->Ask(call.Env(), {Napi::Promise::Deferred::New(call.Env()), kind, {}, {}});
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
