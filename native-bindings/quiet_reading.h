#pragma once
#include <napi.h>

namespace tredive {

/**
 * lowerThreadPriority() -> boolean: from now on the calling thread alone reads and writes behind everybody
 * else (the lowest of the best-effort classes, so that it is slow and never starved), and runs behind them
 * too. False where the system knows no such priorities. Never call it on the main thread.
 */
Napi::Value LowerThreadPriority(const Napi::CallbackInfo& info);

/**
 * dropFromCache(fd: number) -> boolean: writes the file to the disk and drops it from memory, so that the
 * next read comes from the disk. False where the file system keeps it in memory all the same. Waits for the
 * disk: for threads of their own.
 */
Napi::Value DropFromCache(const Napi::CallbackInfo& info);

}  // namespace tredive
