#include "mask_arguments.h"

namespace tredive {

namespace {

[[noreturn]] void Wrong(const Napi::Env env, const char* what) { throw Napi::TypeError::New(env, what); }

}  // namespace

std::vector<FrameMask> ToFrameMasks(const Napi::Object& batch) {
  const Napi::Env env = batch.Env();
  // The cast alone looks at nothing: an array of smaller elements would be read past its end.
  const auto typed = [&](const char* name, napi_typedarray_type type) {
    const Napi::Value value = batch.Get(name);
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
      Wrong(env, "masks are an Uint32Array of counts and an Int32Array of rectangles");
    return value;
  };
  const auto counts = typed("counts", napi_uint32_array).As<Napi::Uint32Array>();
  const auto rects = typed("rects", napi_int32_array).As<Napi::Int32Array>();
  const Napi::Value texts = batch.Get("texts");
  const bool drop = batch.Get("drop").ToBoolean();
  if (rects.ElementLength() % 4 != 0) Wrong(env, "rects is not made of x, y, w, h");
  std::vector<FrameMask> masks(counts.ElementLength());
  size_t at = 0;
  for (size_t frame = 0; frame < masks.size(); frame++) {
    if (counts[frame] > (rects.ElementLength() - at) / 4) Wrong(env, "counts do not fit the rectangles");
    masks[frame].drop = drop;
    for (uint32_t i = 0; i < counts[frame]; i++, at += 4) {
      if (rects[at + 2] < 0 || rects[at + 3] < 0) Wrong(env, "a rectangle of negative size");
      masks[frame].rects.push_back({rects[at], rects[at + 1], rects[at + 2], rects[at + 3]});
    }
  }
  if (at != rects.ElementLength()) Wrong(env, "counts do not fit the rectangles");
  if (!texts.IsUndefined()) {
    const auto list = texts.As<Napi::Array>();
    if (list.Length() != masks.size()) Wrong(env, "texts do not fit the frames");
    for (uint32_t frame = 0; frame < list.Length(); frame++)
      masks[frame].text = list.Get(frame).As<Napi::String>();
  }
  return masks;
}

MaskStyle ToMaskStyle(const Napi::Value& style) {
  const std::string name = style.As<Napi::String>();
  if (name != "solid" && name != "pixelate") Wrong(style.Env(), "an unknown style");
  return name == "solid" ? MaskStyle::kSolid : MaskStyle::kPixelate;
}

std::optional<Label> ToLabel(const Napi::Value& label) {
  if (label.IsUndefined()) return std::nullopt;
  const auto options = label.As<Napi::Object>();
  const bool bottom = options.Get("edge").As<Napi::String>().Utf8Value() == "bottom";
  const uint32_t longest = options.Get("longest").As<Napi::Number>();
  return Label(bottom ? Label::Edge::kBottom : Label::Edge::kTop, longest);
}

}  // namespace tredive
