#include "open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tredive {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/** Component by component for kernels (< 5.6) and sandboxes without openat2; O_NOFOLLOW holds for each of
 * them. */
UniqueFd WalkDown(int root, const std::string& path) {
  UniqueFd at(openat(root, ".", kDirectory));
  for (size_t from = 0; at.valid() && from < path.size();) {
    const size_t to = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, to - from);
    // The one component that would leave the root without being a link.
    if (part == "..") {
      errno = EXDEV;
      return UniqueFd();
    }
    at = UniqueFd(openat(at.get(), part.c_str(), kDirectory));
    from = to + 1;
  }
  return at;
}

}  // namespace

UniqueFd OpenDirectoryBeneath(int root, const std::string& path) {
  if (path.empty()) return WalkDown(root, path);
  open_how how{};
  how.flags = kDirectory;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd directory(static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
  // EPERM is what old seccomp profiles of container engines answer; EAGAIN: something was renamed meanwhile.
  if (!directory.valid() && (errno == ENOSYS || errno == EPERM || errno == EAGAIN)) {
    directory = WalkDown(root, path);
  }
  return directory;
}

}  // namespace tredive
