#pragma once
#include <napi.h>

namespace tredive {

/**
 * tryLock(fd: number) -> true | false | null: an exclusive flock on the open file, without waiting. It ends
 * with the last copy of the descriptor, however its process ends. false: another open file has it. null: this
 * file system keeps no locks.
 */
Napi::Value TryLock(const Napi::CallbackInfo& info);

}  // namespace tredive
