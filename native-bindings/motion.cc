#include "motion.h"

#include <memory>

#include "failure.h"
#include "motion_model.h"
#include "promises.h"
#include "shrink.h"

namespace tredive {

namespace {

Napi::Error Usage(const Napi::Env env, const std::string& what) {
  return ToError(env, Failure(Trouble::kUsage, what));
}

const uint8_t* PictureOf(const Napi::Value& value, size_t bytes) {
  if (!value.IsTypedArray()) throw Usage(value.Env(), "a picture is no Uint8Array");
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array || array.ByteLength() != bytes) {
    throw Usage(value.Env(), "a picture has " + std::to_string(array.ByteLength()) + " bytes, expected are " +
                                 std::to_string(bytes));
  }
  return array.As<Napi::Uint8Array>().Data();
}

std::vector<Rect> RectsOf(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    throw Usage(value.Env(), "rectangles are no Int32Array");
  const auto array = value.As<Napi::Int32Array>();
  if (array.ElementLength() % 4 != 0) throw Usage(value.Env(), "rectangles are not made of x, y, w, h");
  std::vector<Rect> rects;
  for (size_t i = 0; i < array.ElementLength(); i += 4)
    rects.push_back({array[i], array[i + 1], array[i + 2], array[i + 3]});
  return rects;
}

Napi::Value Bytes(const Napi::Env env, const std::vector<uint8_t>& bytes) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), array.Data());
  return array;
}

void Prime(MotionModel* model, const Napi::CallbackInfo& info) {
  if (!info[0].IsArray()) throw Usage(info.Env(), "no list of pictures");
  const auto list = info[0].As<Napi::Array>();
  // What is read from the list is kept, so that nothing it points to can be collected in between.
  std::vector<Napi::Value> values;
  std::vector<const uint8_t*> pictures;
  for (uint32_t i = 0; i < list.Length(); i++) {
    values.push_back(list.Get(i));
    pictures.push_back(PictureOf(values.back(), model->pictureBytes()));
  }
  model->Prime(pictures);
}

Napi::Value Look(MotionModel* model, const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint8_t* picture = PictureOf(info[0], model->pictureBytes());
  if (!info[1].IsNumber()) throw Usage(env, "the time of a look is no number");
  const MotionLook look = model->Look(picture, info[1].As<Napi::Number>(), RectsOf(info[2]));
  Napi::Object result = Napi::Object::New(env);
  result.Set("cols", model->grid().cols);
  result.Set("rows", model->grid().rows);
  result.Set("foreground", Bytes(env, look.foreground));
  result.Set("moving", Bytes(env, look.moving));
  result.Set("reliable", look.reliable);
  result.Set("lightChanged", look.lightChanged);
  return result;
}

/** `work`, with a Failure as a JavaScript error. */
template <typename Work>
auto Guarded(const Napi::CallbackInfo& info, Work work) {
  try {
    return work();
  } catch (const Failure& failure) {
    throw ToError(info.Env(), failure);
  } catch (const std::bad_alloc&) {
    throw ToError(info.Env(), Failure(Trouble::kIo, "not enough memory", ENOMEM));
  }
}

int32_t SideOf(const Napi::Value& value) {
  const int64_t side = value.IsNumber() ? value.As<Napi::Number>().Int64Value() : 0;
  if (side < 1 || side > 65535) throw Usage(value.Env(), "a side is not from 1 to 65535");
  return static_cast<int32_t>(side);
}

}  // namespace

Napi::Value CreateMotionModel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int32_t width = SideOf(info[0]), height = SideOf(info[1]);
  const auto model = Guarded(info, [&] { return std::make_shared<MotionModel>(width, height); });
  Napi::Object object = Napi::Object::New(env);
  object.Set("prime", Napi::Function::New(env, [model](const Napi::CallbackInfo& call) {
               Guarded(call, [&] { Prime(model.get(), call); });
             }));
  object.Set("look", Napi::Function::New(env, [model](const Napi::CallbackInfo& call) {
               return Guarded(call, [&] { return Look(model.get(), call); });
             }));
  return object;
}

Napi::Value ShrunkToRgb(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  VideoInfo video;
  video.width = static_cast<uint32_t>(SideOf(info[1]));
  video.height = static_cast<uint32_t>(SideOf(info[2]));
  const int32_t width = SideOf(info[3]), height = SideOf(info[4]);
  // Only read from.
  auto* pixels = const_cast<uint8_t*>(PictureOf(info[0], FrameBytes(video)));
  const bool bt709 = info[5].ToString().Utf8Value() == "bt709";
  Napi::Float32Array rgb = Napi::Float32Array::New(env, 3 * static_cast<size_t>(width) * height);
  Guarded(info, [&] {
    ShrinkToRgb(Picture::Of(video, pixels), rgb.Data(), width, height,
                bt709 ? ColourMatrix::kBt709 : ColourMatrix::kBt601, info[6].ToBoolean());
  });
  return rgb;
}

}  // namespace tredive
