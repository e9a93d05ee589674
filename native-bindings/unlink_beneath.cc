#include "unlink_beneath.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "failure.h"
#include "fd_stream.h"
#include "open_beneath.h"

namespace tredive {

namespace {

struct Expected {
  std::string path;
  uint64_t inode;
  uint64_t sizeBytes;
  std::optional<uint64_t> device;
  std::optional<uint64_t> modifiedUs;
};

struct Outcome {
  bool absent = false;
  std::optional<Failure> failure;
};

[[noreturn]] void Changed(const std::string& what) { throw Failure(Trouble::kChanged, what); }

/** Components of a relative path. The path comes from a directory listing or a database: hostile. */
std::vector<std::string> Components(const std::string& path) {
  if (path.empty()) Changed("the path is empty");
  if (path.find('\0') != std::string::npos) Changed("the path has a NUL byte");
  if (path[0] == '/') Changed("the path is absolute");
  std::vector<std::string> parts;
  for (size_t from = 0; from <= path.size();) {
    const size_t to = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, to - from);
    if (part.empty() || part == "." || part == "..") Changed("the path has an empty, '.' or '..' component");
    parts.push_back(part);
    from = to + 1;
  }
  return parts;
}

/** The directory of the file, or an invalid fd where it does not exist. Never follows a link, never leaves
 * the root. */
UniqueFd OpenParent(int root, const std::vector<std::string>& parts) {
  std::string directory;
  for (size_t i = 0; i + 1 < parts.size(); i++) directory += (i == 0 ? "" : "/") + parts[i];
  UniqueFd parent = OpenDirectoryBeneath(root, directory);
  if (parent.valid() || errno == ENOENT) return parent;
  if (errno == ELOOP || errno == ENOTDIR || errno == EXDEV)
    Changed("a directory of the path is a link or not a directory");
  throw Failure::System("opening the directory");
}

void CheckIsExpected(const struct stat& seen, const Expected& expected) {
  if (S_ISLNK(seen.st_mode)) Changed("the file is a symbolic link");
  if (!S_ISREG(seen.st_mode)) Changed("it is not a regular file");
  if (seen.st_ino != expected.inode) {
    Changed("inode " + std::to_string(seen.st_ino) + " where " + std::to_string(expected.inode) +
            " was indexed");
  }
  if (static_cast<uint64_t>(seen.st_size) != expected.sizeBytes) {
    Changed(std::to_string(seen.st_size) + " bytes where " + std::to_string(expected.sizeBytes) +
            " were indexed");
  }
  const int64_t modifiedUs =
      static_cast<int64_t>(seen.st_mtim.tv_sec) * 1000000 + seen.st_mtim.tv_nsec / 1000;
  // One microsecond of slack: JavaScript's mtimeMs is a rounded double.
  if (expected.modifiedUs && std::llabs(modifiedUs - static_cast<int64_t>(*expected.modifiedUs)) > 1) {
    Changed("the file was written to after it was indexed");
  }
  if (expected.device && seen.st_dev != *expected.device)
    Changed("the file is on another device than the indexed one");
}

/** Directories whose removals are not yet on disk: fsynced once each, however many files went. */
class Unsynced {
 public:
  void Add(UniqueFd directory, size_t index) {
    struct stat seen;
    if (fstat(directory.get(), &seen) != 0) throw Failure::System("fstat of the directory");
    Entry& entry = directories_[{seen.st_dev, seen.st_ino}];
    if (!entry.fd.valid()) entry.fd = std::move(directory);
    entry.files.push_back(index);
  }
  /** A failed fsync fails every file of that directory: gone now, but perhaps back after a power cut. */
  void Sync(std::vector<Outcome>& outcomes) {
    for (auto& [key, entry] : directories_) {
      if (fsync(entry.fd.get()) == 0) continue;
      const Failure failure = Failure::System("unlinked, but fsync of the directory failed");
      for (const size_t index : entry.files) outcomes[index].failure = failure;
    }
    directories_.clear();
  }
  size_t size() const { return directories_.size(); }

 private:
  struct Entry {
    UniqueFd fd;
    std::vector<size_t> files;
  };
  std::map<std::pair<dev_t, ino_t>, Entry> directories_;
};

/**
 * The file is looked at through its directory's handle twice: opened without following and compared, and
 * compared once more by name just before unlinkat. Linux has no "unlink if inode": whoever may write to that
 * very directory can still swap the name within those few microseconds, and then one file below the root goes
 * that was not judged.
 */
Outcome UnlinkOne(int root, const Expected& expected, Unsynced& unsynced, size_t index) {
  const std::vector<std::string> parts = Components(expected.path);
  UniqueFd parent = OpenParent(root, parts);
  Outcome outcome;
  if (!parent.valid()) {
    outcome.absent = true;
    return outcome;
  }
  const char* name = parts.back().c_str();
  const UniqueFd file(openat(parent.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat seen;
  if (!file.valid()) {
    if (errno != ENOENT) throw Failure::System("opening the file");
    outcome.absent = true;
  } else {
    if (fstat(file.get(), &seen) != 0) throw Failure::System("fstat");
    CheckIsExpected(seen, expected);
    if (fstatat(parent.get(), name, &seen, AT_SYMLINK_NOFOLLOW) != 0) throw Failure::System("fstatat");
    CheckIsExpected(seen, expected);
    if (unlinkat(parent.get(), name, 0) != 0) throw Failure::System("unlinkat");
  }
  // Also when it was absent: an earlier run may have died between its unlinkat and its fsync.
  unsynced.Add(std::move(parent), index);
  return outcome;
}

/**
 * I/O priority of this thread of the pool, for as long as it lives. Best effort and the lowest of it, not
 * idle: whoever is idle may wait for ever on a disk that others keep busy, with the directory's lock held. A
 * kernel that knows no priorities, or a sandbox that forbids them, changes nothing about what is deleted.
 */
class LowIoPriority {
 public:
  explicit LowIoPriority(bool wanted) : lowered_(wanted && Set(kLowestBestEffort)) {}
  ~LowIoPriority() {
    if (lowered_) Set(kOfItsNiceness);
  }
  LowIoPriority(const LowIoPriority&) = delete;
  LowIoPriority& operator=(const LowIoPriority&) = delete;

 private:
  // <linux/ioprio.h> is no C++ in some releases; glibc has none. Class in the upper bits, level in the
  // lower 13.
  static constexpr int kWhoProcess = 1;
  static constexpr int kLowestBestEffort = (2 << 13) | 7;
  static constexpr int kOfItsNiceness = 0;
  static bool Set(int priority) { return syscall(SYS_ioprio_set, kWhoProcess, 0, priority) == 0; }
  bool lowered_;
};

class UnlinkWorker : public Napi::AsyncWorker {
 public:
  UnlinkWorker(Napi::Env env, std::string root, std::vector<Expected> files, bool yields)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        root_(std::move(root)),
        files_(std::move(files)),
        yields_(yields),
        outcomes_(files_.size()) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    const LowIoPriority priority(yields_);
    // The root itself is configuration and may be reached through links; nothing below it may.
    const UniqueFd root(open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) {
      const Failure failure(Trouble::kRoot, std::string("opening the root: ") + std::strerror(errno), errno);
      for (Outcome& outcome : outcomes_) outcome.failure = failure;
      return;
    }
    Unsynced unsynced;
    for (size_t i = 0; i < files_.size(); i++) {
      try {
        outcomes_[i] = UnlinkOne(root.get(), files_[i], unsynced, i);
      } catch (const Failure& failure) {
        outcomes_[i].failure = failure;
      }
      // Handles of directories are kept until their fsync; not more of them than a process may have open.
      if (unsynced.size() >= 64) unsynced.Sync(outcomes_);
    }
    unsynced.Sync(outcomes_);
  }

  void OnOK() override {
    const Napi::Env env = Env();
    Napi::Array results = Napi::Array::New(env, outcomes_.size());
    for (uint32_t i = 0; i < outcomes_.size(); i++) {
      Napi::Object result = Napi::Object::New(env);
      if (const auto& failure = outcomes_[i].failure) {
        result.Set("code", failure->code());
        result.Set("message", failure->what());
        result.Set("errno", failure->number());
      } else {
        result.Set("outcome", outcomes_[i].absent ? "absent" : "unlinked");
      }
      results.Set(i, result);
    }
    deferred_.Resolve(results);
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::string root_;
  std::vector<Expected> files_;
  bool yields_;
  std::vector<Outcome> outcomes_;
};

std::string BytesOf(const Napi::Value& value) {
  const auto buffer = value.As<Napi::Buffer<char>>();
  return std::string(buffer.Data(), buffer.Length());
}

uint64_t Unsigned(const Napi::Value& value) {
  bool lossless = false;
  const uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw Napi::RangeError::New(value.Env(), "a number beyond 64 bits");
  return number;
}

std::optional<uint64_t> Optional(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  return Unsigned(value);
}

}  // namespace

Napi::Value UnlinkBeneath(const Napi::CallbackInfo& info) {
  std::string root = BytesOf(info[0]);
  if (root.empty() || root.find('\0') != std::string::npos)
    throw Napi::TypeError::New(info.Env(), "no root path");
  const auto list = info[1].As<Napi::Array>();
  std::vector<Expected> files;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto file = list.Get(i).As<Napi::Object>();
    files.push_back({BytesOf(file.Get("path")), Unsigned(file.Get("inode")), Unsigned(file.Get("sizeBytes")),
                     Optional(file.Get("device")), Optional(file.Get("modifiedUs"))});
  }
  auto* worker =
      new UnlinkWorker(info.Env(), std::move(root), std::move(files), info[2].As<Napi::Boolean>().Value());
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace tredive
