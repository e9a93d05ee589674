#include <napi.h>

#include "frame_check.h"
#include "frame_pipe.h"
#include "frame_pump.h"
#include "frame_reader.h"
#include "fsync_directory.h"
#include "unlink_beneath.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("unlinkBeneath", Napi::Function::New(env, tredive::UnlinkBeneath));
  exports.Set("fsyncDirectory", Napi::Function::New(env, tredive::FsyncDirectory));
  exports.Set("openFramePipe", Napi::Function::New(env, tredive::OpenFramePipe));
  exports.Set("openFrameReader", Napi::Function::New(env, tredive::OpenFrameReader));
  exports.Set("pumpFrames", Napi::Function::New(env, tredive::PumpFrames));
  exports.Set("checkFrames", Napi::Function::New(env, tredive::CheckFrames));
  return exports;
}

}  // namespace

NODE_API_MODULE(tredive, Init)
