// Files that are either whole and on disk, or as they were.
#pragma once

#include <hanaper/values.hpp>

#include <sys/types.h>

#include <utility>

namespace hanaper::files {

// not_found; unavailable; malformed when larger than `limit` octets, and for what is no regular file, which
// is never waited for.
Result<std::string> read(const std::string& path, std::size_t limit);

// The same from whatever is there, pipes included: for commands, whose caller says what they wait for.
Result<std::string> read_stream(const std::string& path, std::size_t limit);

// An open file, closed with this.
class Descriptor {
 public:
  explicit Descriptor(int handle = -1) noexcept : handle_(handle) {}
  Descriptor(Descriptor&& other) noexcept : handle_(std::exchange(other.handle_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Descriptor();

  int handle() const noexcept { return handle_; }  // below 0: none

 private:
  int handle_;
};

// not_found; unavailable; malformed for what is no regular file.
Result<Descriptor> open_regular(const std::string& path);

// Opens a file that decides something, like a configuration, a plugin or a list of accounts. Nobody but root
// and the user of this process may have put it there: one of them owns the file, every link and every folder
// on the way to it, and nobody else may write any of these, save folders with the sticky bit, where nobody
// can replace what is another's. What the descriptor reads is what was judged, whatever becomes of the path.
// forbidden, with the part that is wrong; not_found; unavailable.
Result<Descriptor> open_trusted(const std::string& path);

// What is left to read of it; `path` is for messages. unavailable; malformed when larger than `limit` octets.
Result<std::string> read(const Descriptor& file, const std::string& path, std::size_t limit);

// Both: a whole file that decides something; malformed when larger than `limit` octets.
Result<std::string> read_trusted(const std::string& path, std::size_t limit);

// Writes a file beside it, syncs, renames over it, syncs the folder.
Status replace(const std::string& path, std::string_view content, mode_t mode);

// The same for a file that must not exist; conflict when it does.
Status create(const std::string& path, std::string_view content, mode_t mode);

// Creates the folder and those above it with mode 0700.
Status create_folder(const std::string& path);

}  // namespace hanaper::files
