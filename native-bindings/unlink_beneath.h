#pragma once
#include <napi.h>

namespace tredive {

/**
 * unlinkBeneath(root: Buffer, files: {path: Buffer, inode: bigint, sizeBytes: bigint, device?: bigint,
 * modifiedUs?: bigint}[], yields: boolean)
 *   -> Promise<({outcome: 'unlinked' | 'absent'} | {code, message, errno})[]>, in the order given.
 * `yields`: with a low I/O priority.
 */
Napi::Value UnlinkBeneath(const Napi::CallbackInfo& info);

}  // namespace tredive
