#pragma once
#include <napi.h>

namespace tredive {

/**
 * openTreeWalk(root: Buffer, folder: Buffer) -> { next(): Promise<string | null>, close(): void }: the
 * records of TreeWalker in batches, read by a thread of its own that is a few batches ahead at most. One
 * `next` at a time.
 */
Napi::Value OpenTreeWalk(const Napi::CallbackInfo& info);

}  // namespace tredive
