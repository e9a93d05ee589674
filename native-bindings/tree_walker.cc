#include "tree_walker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "failure.h"
#include "open_beneath.h"

namespace tredive {

namespace {

/** As the kernel lays it out; glibc's readdir copies each entry once more. */
struct LinuxDirent {
  uint64_t d_ino;
  int64_t d_off;
  unsigned short d_reclen;
  unsigned char d_type;
  char d_name[];
};
constexpr unsigned char kTypeDirectory = 4;

/** JavaScript holds whole numbers up to here; a time stamp beyond it is a broken clock or an attack. */
constexpr int64_t kSafe = (int64_t{1} << 53) - 1;

int64_t ToMicroseconds(int64_t seconds, uint32_t nanoseconds) {
  const __int128 us = (static_cast<__int128>(seconds) * 1000000000 + nanoseconds) / 1000;
  return static_cast<int64_t>(std::clamp<__int128>(us, -kSafe, kSafe));
}

char KindOf(unsigned mode) {
  if (S_ISREG(mode)) return 'f';
  if (S_ISDIR(mode)) return 'd';
  return S_ISLNK(mode) ? 'l' : 'o';
}

void AppendNumber(std::string* text, int64_t number, bool isUnsigned = false) {
  char digits[24];
  const auto end = isUnsigned ? std::to_chars(digits, digits + sizeof digits, static_cast<uint64_t>(number))
                              : std::to_chars(digits, digits + sizeof digits, number);
  text->append(digits, end.ptr);
}

/** Every byte that is not printable ASCII, and the backslash: two different names never look alike. */
void AppendEscaped(std::string* text, const std::string& bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  for (const unsigned char byte : bytes) {
    if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
      text->push_back(static_cast<char>(byte));
    } else {
      text->append("\\x");
      text->push_back(kHex[byte >> 4]);
      text->push_back(kHex[byte & 15]);
    }
  }
}

void StopHere(const std::atomic<bool>& stop) {
  if (stop.load(std::memory_order_relaxed)) throw Failure(Trouble::kInterrupted, "the walk was stopped");
}

}  // namespace

bool IsUtf8(const char* bytes, size_t count) {
  for (size_t i = 0; i < count;) {
    const auto first = static_cast<unsigned char>(bytes[i]);
    if (first < 0x80) {
      i++;
      continue;
    }
    size_t more;
    unsigned char low = 0x80, high = 0xbf;  // of the second byte
    if (first >= 0xc2 && first <= 0xdf) {
      more = 1;
    } else if (first >= 0xe0 && first <= 0xef) {
      more = 2;
      if (first == 0xe0) low = 0xa0;
      if (first == 0xed) high = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
      more = 3;
      if (first == 0xf0) low = 0x90;
      if (first == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (count - i <= more) return false;
    for (size_t k = 1; k <= more; k++) {
      const auto byte = static_cast<unsigned char>(bytes[i + k]);
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xbf;
    }
    i += more + 1;
  }
  return true;
}

TreeWalker::TreeWalker(const std::string& rootPath, std::string folder)
    // The root itself is configuration and may be reached through links; nothing below it may.
    : root_(open(rootPath.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      folder_(std::move(folder)),
      buffer_(256 * 1024) {
  if (!root_.valid()) {
    throw Failure(Trouble::kRoot, std::string("opening the root: ") + std::strerror(errno), errno);
  }
}

size_t TreeWalker::Fill(std::string* records, size_t most, const std::atomic<bool>& stop) {
  size_t told = 0;
  if (!begun_) {
    begun_ = true;
    Enter(folder_, records, &told, stop);
  }
  while (told < most && !levels_.empty()) {
    Level& level = levels_.back();
    if (level.next == level.entries.size()) {
      levels_.pop_back();
      continue;
    }
    const Entry& entry = level.entries[level.next++];
    const char* name = level.names.data() + entry.nameAt;
    if (entry.kind == 'd') {
      Enter(level.prefix + std::string(name, entry.nameLength), records, &told, stop);
      continue;
    }
    char kind = entry.kind;
    if (level.utf8 && IsUtf8(name, entry.nameLength)) {
      records->append(level.prefix).append(name, entry.nameLength);
    } else {
      AppendEscaped(records, level.prefix + std::string(name, entry.nameLength));
      kind = static_cast<char>(kind - 'a' + 'A');
    }
    records->push_back('\0');
    records->push_back(kind);
    records->push_back(' ');
    if (entry.kind == 'x') {
      AppendNumber(records, entry.error);
    } else {
      AppendNumber(records, static_cast<int64_t>(entry.inode), true);
      records->push_back(' ');
      AppendNumber(records, static_cast<int64_t>(entry.sizeBytes), true);
      records->push_back(' ');
      AppendNumber(records, entry.modifiedUs);
    }
    records->push_back('\0');
    told++;
  }
  return told;
}

void TreeWalker::Enter(std::string path, std::string* records, size_t* told, const std::atomic<bool>& stop) {
  StopHere(stop);
  Level level;
  level.utf8 = IsUtf8(path.data(), path.size());
  level.prefix = path.empty() ? "" : path + "/";
  int error = 0;
  {
    const UniqueFd directory = OpenDirectoryBeneath(root_.get(), path);
    if (!directory.valid()) {
      error = errno;
    } else {
      try {
        List(directory.get(), &level, stop);
      } catch (const Failure& failure) {
        if (failure.trouble() != Trouble::kIo) throw;
        error = failure.number();
      }
    }
  }
  // Removed since its name was read: nothing is there, and that is known. The folder that was asked for is
  // another matter.
  if (error == ENOENT && path != folder_) return;
  if (level.utf8) {
    records->append(path);
  } else {
    AppendEscaped(records, path);
  }
  records->push_back('\0');
  records->push_back(error == 0 ? (level.utf8 ? 'd' : 'D') : (level.utf8 ? 'x' : 'X'));
  if (error != 0) {
    records->push_back(' ');
    AppendNumber(records, error);
  }
  records->push_back('\0');
  (*told)++;
  // What could be read before the error is told; the record above says that it is not all.
  if (!level.entries.empty()) levels_.push_back(std::move(level));
}

void TreeWalker::List(int directory, Level* level, const std::atomic<bool>& stop) {
  int error = 0;
  for (;;) {
    StopHere(stop);
    const long got = syscall(SYS_getdents64, directory, buffer_.data(), buffer_.size());
    if (got < 0) {
      error = errno;
      break;
    }
    if (got == 0) break;
    for (long at = 0; at < got;) {
      const auto* found = reinterpret_cast<const LinuxDirent*>(buffer_.data() + at);
      at += found->d_reclen;
      const size_t length = std::strlen(found->d_name);
      if (length == 0 ||
          (found->d_name[0] == '.' && (length == 1 || (length == 2 && found->d_name[1] == '.'))))
        continue;
      // A broken or hostile file system: a name that could be a path is never used as one.
      if (std::memchr(found->d_name, '/', length) != nullptr || length > UINT16_MAX) {
        error = EIO;
        continue;
      }
      Entry entry{};
      entry.inode = found->d_ino;
      entry.nameAt = static_cast<uint32_t>(level->names.size());
      entry.nameLength = static_cast<uint16_t>(length);
      entry.kind = found->d_type == kTypeDirectory ? 'd' : '?';
      if (level->names.size() + length + 1 > UINT32_MAX)
        throw Failure(Trouble::kIo, "too many names", EOVERFLOW);
      level->names.append(found->d_name, length + 1);
      level->entries.push_back(entry);
    }
  }
  std::vector<Entry>& entries = level->entries;
  // In the order of the inodes, which on most file systems is the order in which they lie on the disk.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.inode < b.inode; });
  size_t looked = 0;
  for (Entry& entry : entries) {
    if (entry.kind != '?') continue;
    if (++looked % 256 == 0) StopHere(stop);
    Look(directory, level->names.data() + entry.nameAt, &entry);
  }
  // Removed since their names were read.
  entries.erase(
      std::remove_if(entries.begin(), entries.end(), [](const Entry& one) { return one.kind == '?'; }),
      entries.end());
  const char* names = level->names.data();
  std::sort(entries.begin(), entries.end(), [names](const Entry& a, const Entry& b) {
    const size_t common = std::min(a.nameLength, b.nameLength);
    const int order = std::memcmp(names + a.nameAt, names + b.nameAt, common);
    if (order != 0) return order < 0;
    const auto after = [&](const Entry& one) -> int {
      if (one.nameLength > common) return static_cast<unsigned char>(names[one.nameAt + common]);
      return one.kind == 'd' ? '/' : -1;
    };
    return after(a) < after(b);
  });
  if (error != 0) throw Failure::System("reading the directory", error);
}

void TreeWalker::Look(int directory, const char* name, Entry* entry) {
  struct statx seen;
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  constexpr unsigned kWanted = STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME;
  if (statx(directory, name, kFlags, kWanted, &seen) != 0) {
    if (errno == ENOENT) return;
    entry->kind = 'x';
    entry->error = static_cast<uint8_t>(std::min(errno, 255));
    return;
  }
  entry->kind = KindOf(seen.stx_mode);
  entry->inode = seen.stx_ino;
  entry->sizeBytes = seen.stx_size;
  entry->modifiedUs = ToMicroseconds(seen.stx_mtime.tv_sec, seen.stx_mtime.tv_nsec);
}

}  // namespace tredive
