#include "mask_plan.h"

#include "failure.h"

namespace tredive {

namespace {

[[noreturn]] void Wrong(const Napi::Env env, const char* what) { throw Napi::TypeError::New(env, what); }

}  // namespace

void MaskPlan::CheckTime(size_t index, int64_t seen, int64_t seenOrigin, int64_t expectedOrigin,
                         const VideoInfo& info) const {
  if (index >= frameCount()) {
    throw Failure(Trouble::kMismatch, "more than the expected " + std::to_string(frameCount()) + " frames");
  }
  // Both as fractions of a second, multiplied out: exact, whatever the two time bases are. 61 + 31 + 31 bits
  // fit.
  const __int128 left =
      static_cast<__int128>(seen - seenOrigin) * info.timeBaseNum * static_cast<__int128>(timeBaseDen);
  const __int128 right = static_cast<__int128>(pts[index] - expectedOrigin) *
                         static_cast<__int128>(timeBaseNum) * info.timeBaseDen;
  if (left != right) {
    throw Failure(Trouble::kMismatch,
                  "frame " + std::to_string(index) + " is at " + std::to_string(seen - seenOrigin) + "*" +
                      std::to_string(info.timeBaseNum) + "/" + std::to_string(info.timeBaseDen) +
                      " s, expected " + std::to_string(pts[index] - expectedOrigin) + "*" +
                      std::to_string(timeBaseNum) + "/" + std::to_string(timeBaseDen) + " s");
  }
}

MaskPlan ToMaskPlan(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  MaskPlan plan;
  const auto offsets = options.Get("offsets").As<Napi::Uint32Array>();
  const auto rects = options.Get("rects").As<Napi::Int32Array>();
  const auto pts = options.Get("expectedPts").As<Napi::BigInt64Array>();
  plan.offsets.assign(offsets.Data(), offsets.Data() + offsets.ElementLength());
  plan.pts.assign(pts.Data(), pts.Data() + pts.ElementLength());
  if (rects.ElementLength() % 4 != 0) Wrong(env, "rects is not made of x, y, w, h");
  for (size_t i = 0; i < rects.ElementLength(); i += 4) {
    plan.rects.push_back({rects[i], rects[i + 1], rects[i + 2], rects[i + 3]});
    if (rects[i + 2] < 0 || rects[i + 3] < 0) Wrong(env, "a rectangle of negative size");
  }
  if (plan.offsets.size() != plan.pts.size() + 1 || plan.offsets[0] != 0 ||
      plan.offsets.back() != plan.rects.size()) {
    Wrong(env, "offsets do not fit the frames and rectangles");
  }
  for (size_t i = 0; i + 1 < plan.offsets.size(); i++) {
    if (plan.offsets[i] > plan.offsets[i + 1]) Wrong(env, "offsets go backwards");
    // Frames at the same moment would be one frame to a player, and then nothing can be counted.
    if (i > 0 && plan.pts[i] <= plan.pts[i - 1]) Wrong(env, "time stamps do not grow");
    if (plan.pts[i] > (1ll << 60) || plan.pts[i] < -(1ll << 60)) Wrong(env, "an impossible time stamp");
  }
  const auto timeBase = options.Get("timeBase").As<Napi::Object>();
  const int64_t num = timeBase.Get("num").As<Napi::Number>().Int64Value();
  const int64_t den = timeBase.Get("den").As<Napi::Number>().Int64Value();
  if (num <= 0 || den <= 0 || num > INT32_MAX || den > INT32_MAX) Wrong(env, "an impossible time base");
  plan.timeBaseNum = static_cast<uint64_t>(num);
  plan.timeBaseDen = static_cast<uint64_t>(den);
  const std::string style = options.Get("style").As<Napi::String>();
  if (style != "solid" && style != "pixelate") Wrong(env, "an unknown style");
  plan.style = style == "solid" ? MaskStyle::kSolid : MaskStyle::kPixelate;
  const Napi::Value given = options.Get("label");
  if (!given.IsUndefined()) {
    const auto label = given.As<Napi::Object>();
    const auto list = label.Get("texts").As<Napi::Array>();
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < list.Length(); i++) texts.push_back(list.Get(i).As<Napi::String>());
    const auto ofFrame = label.Get("textOfFrame").As<Napi::Uint32Array>();
    plan.textOfFrame.assign(ofFrame.Data(), ofFrame.Data() + ofFrame.ElementLength());
    if (plan.textOfFrame.size() != plan.pts.size()) Wrong(env, "textOfFrame does not fit the frames");
    for (const uint32_t text : plan.textOfFrame) {
      if (text >= texts.size()) Wrong(env, "textOfFrame names a text that is not there");
    }
    const bool bottom = label.Get("edge").As<Napi::String>().Utf8Value() == "bottom";
    plan.label.emplace(std::move(texts), bottom ? Label::Edge::kBottom : Label::Edge::kTop);
  }
  return plan;
}

}  // namespace tredive
