#pragma once
#include <napi.h>

namespace tredive {

/**
 * unlinkBeneath(root: Buffer, files: {path: Buffer, inode: bigint, sizeBytes: bigint, device?: bigint,
 * modifiedUs?: bigint}[])
 *   -> Promise<({outcome: 'unlinked' | 'absent'} | {code, message, errno})[]>, in the order given.
 */
Napi::Value UnlinkBeneath(const Napi::CallbackInfo& info);

}  // namespace tredive
