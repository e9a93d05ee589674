#pragma once
#include <string>

#include "fd_stream.h"

namespace tredive {

/**
 * The directory `path` (relative, hostile; empty for the root itself) below an open root: follows no link,
 * never leaves the root. Invalid where it cannot be opened, with errno: ENOENT gone; ELOOP, ENOTDIR or EXDEV
 * a link or no directory.
 */
UniqueFd OpenDirectoryBeneath(int root, const std::string& path);

}  // namespace tredive
