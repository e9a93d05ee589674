#pragma once
#include <napi.h>

namespace tredive {

/** openFramePipe() -> {readFd, writeFd}: close-on-exec, as large as the kernel allows up to 1 MiB. */
Napi::Value OpenFramePipe(const Napi::CallbackInfo& info);

}  // namespace tredive
