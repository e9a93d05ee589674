#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "fd_stream.h"

namespace tredive {

/**
 * Everything below a folder, read in bulk: each directory whole, its files looked at in the order in which
 * they lie on disk, and told in the byte order of whole relative paths (a directory sorts as its name with
 * '/'), which is the order of the index. No link is followed. Names are hostile bytes.
 *
 * Memory: the directories on the way down, each with what was not told yet; about 50 bytes and the name for a
 * file.
 */
class TreeWalker {
 public:
  /** Throws Failure kRoot where `rootPath` cannot be opened. `folder` is relative to it, empty for all of it.
   */
  TreeWalker(const std::string& rootPath, std::string folder);

  /**
   * Appends records, about `most` of them, and says how many; 0 at the end. A record is a path, NUL, a stamp,
   * NUL:
   *
   *   f INODE SIZE MTIME   a regular file; MTIME in microseconds since 1970, cut towards zero
   *   l INODE SIZE MTIME   a symbolic link itself
   *   o INODE SIZE MTIME   neither file, folder nor link
   *   d                    a directory that could be read
   *   x ERRNO              a directory or a name that the system gives no answer about: what is there is
   * unknown
   *
   * Where the path is no valid UTF-8 the letter is upper case and each strange byte, and the backslash, is
   * written \xff. Throws Failure kInterrupted soon after `stop` is set.
   */
  size_t Fill(std::string* records, size_t most, const std::atomic<bool>& stop);

 private:
  struct Entry {
    uint64_t inode;
    uint64_t sizeBytes;
    int64_t modifiedUs;
    uint32_t nameAt;
    uint16_t nameLength;
    char kind;  // as in a stamp; '?' until it was looked at
    uint8_t error;
  };
  struct Level {
    std::string prefix;  // with its '/', empty at the top
    bool utf8;
    std::string names;  // each with a NUL behind it
    std::vector<Entry> entries;
    size_t next = 0;
  };

  void Enter(std::string path, std::string* records, size_t* told, const std::atomic<bool>& stop);
  void List(int directory, Level* level, const std::atomic<bool>& stop);
  void Look(int directory, const char* name, Entry* entry);

  UniqueFd root_;
  std::string folder_;
  bool begun_ = false;
  std::vector<Level> levels_;
  std::vector<char> buffer_;
};

/** Whether the bytes are UTF-8 that every reader takes for the same text: no overlong forms, no surrogates.
 */
bool IsUtf8(const char* bytes, size_t count);

}  // namespace tredive
