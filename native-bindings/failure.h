#pragma once
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace tredive {

/** What kind of trouble; src/platform/native/addon.ts turns each into a GatewayError. */
enum class Trouble {
  kIo,           // a system call failed; errno says how
  kMalformed,    // the bytes are not what they claim to be
  kTruncated,    // the stream ended where it may not
  kMismatch,     // well-formed, but not what was expected
  kInterrupted,  // stopped on request
  kChanged,      // a file is not the one that was named
  kRoot,         // the root directory itself cannot be opened
  kUsage,        // a mistake of the caller
};

class Failure : public std::runtime_error {
 public:
  Failure(Trouble trouble, const std::string& message, int number = 0)
      : std::runtime_error(message), trouble_(trouble), number_(number) {}

  static Failure System(const std::string& doing, int number = errno) {
    return Failure(Trouble::kIo, doing + ": " + std::strerror(number), number);
  }

  Trouble trouble() const { return trouble_; }
  int number() const { return number_; }

  const char* code() const {
    switch (trouble_) {
      case Trouble::kIo:
        return "io";
      case Trouble::kMalformed:
        return "malformed";
      case Trouble::kTruncated:
        return "truncated";
      case Trouble::kMismatch:
        return "mismatch";
      case Trouble::kInterrupted:
        return "interrupted";
      case Trouble::kChanged:
        return "changed";
      case Trouble::kRoot:
        return "root";
      case Trouble::kUsage:
        return "usage";
    }
    return "usage";
  }

 private:
  Trouble trouble_;
  int number_;
};

}  // namespace tredive
