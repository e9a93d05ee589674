#include <malloc.h>
#include <napi.h>

#include "file_lock.h"
#include "folder_mount.h"
#include "frame_check.h"
#include "frame_line.h"
#include "frame_pipe.h"
#include "fsync_directory.h"
#include "motion.h"
#include "quiet_reading.h"
#include "unlink_beneath.h"
#include "walk_tree.h"

namespace {

/**
 * The C library gives each thread a heap of its own, up to eight for each core, and keeps in each what was
 * freed. Two of them hold what is needed by all threads that detect, in 20 MB less, and no slower: large
 * blocks are not taken from there.
 */
void ShareHeaps() {
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, 2);
#endif
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  ShareHeaps();
  exports.Set("unlinkBeneath", Napi::Function::New(env, tredive::UnlinkBeneath));
  exports.Set("fsyncDirectory", Napi::Function::New(env, tredive::FsyncDirectory));
  exports.Set("openTreeWalk", Napi::Function::New(env, tredive::OpenTreeWalk));
  exports.Set("folderMount", Napi::Function::New(env, tredive::FolderMount));
  exports.Set("tryLock", Napi::Function::New(env, tredive::TryLock));
  exports.Set("lowerThreadPriority", Napi::Function::New(env, tredive::LowerThreadPriority));
  exports.Set("dropFromCache", Napi::Function::New(env, tredive::DropFromCache));
  exports.Set("openFramePipe", Napi::Function::New(env, tredive::OpenFramePipe));
  exports.Set("openFrameLine", Napi::Function::New(env, tredive::OpenFrameLine));
  exports.Set("checkFrames", Napi::Function::New(env, tredive::CheckFrames));
  exports.Set("createMotionModel", Napi::Function::New(env, tredive::CreateMotionModel));
  exports.Set("shrinkToRgb", Napi::Function::New(env, tredive::ShrunkToRgb));
  return exports;
}

}  // namespace

NODE_API_MODULE(tredive, Init)
