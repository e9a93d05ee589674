#pragma once
#include <napi.h>

namespace tredive {

/** folderMount(path: Buffer) -> { filesystem: string, readOnly: boolean }: on what a folder lies, by statfs.
 */
Napi::Value FolderMount(const Napi::CallbackInfo& info);

}  // namespace tredive
