#pragma once
#include <napi.h>

namespace tredive {

/** fsyncDirectory(path: Buffer) -> Promise<void>: a rename or unlink in it is on disk afterwards. */
Napi::Value FsyncDirectory(const Napi::CallbackInfo& info);

}  // namespace tredive
