#include <hanaper/toolkit/files.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace hanaper::files {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path, std::string_view what) {
  const int code = errno;
  Error error = unavailable(path + ": " + std::string(what) + ": " + std::strerror(code));
  if (code == ENOENT) error.code = Code::not_found;
  return error;
}

struct Handle {
  explicit Handle(int value) : fd(value) {}
  ~Handle() {
    if (fd >= 0) ::close(fd);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  int fd;
};

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) content.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Status sync_folder(const std::string& path) {
  const Handle folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) return failed(path, "cannot be synced");
  return {};
}

// `publish` gives the temporary file its name and says whether that worked.
template <class Publish>
Status write_then(const std::string& path, std::string_view content, mode_t mode, Publish&& publish) {
  const fs::path target(path);
  const std::string folder = target.parent_path().empty() ? "." : target.parent_path().string();
  std::string temporary = folder + "/." + target.filename().string() + ".XXXXXX";
  {
    const Handle file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (file.fd < 0) return failed(path, "cannot be written");
    if (::fchmod(file.fd, mode) != 0 || !write_all(file.fd, content) || ::fsync(file.fd) != 0) {
      const Error error = failed(path, "cannot be written");
      ::unlink(temporary.c_str());
      return error;
    }
  }
  if (!publish(temporary.c_str(), path.c_str())) {
    Error error = failed(path, "cannot be written");
    if (errno == EEXIST) error = conflict(path + " exists already");
    ::unlink(temporary.c_str());
    return error;
  }
  return sync_folder(folder);
}

}  // namespace

Result<std::string> read(const std::string& path, std::size_t limit) {
  const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return failed(path, "cannot be opened");
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(file.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path, "cannot be read");
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > limit) return malformed(path + ": larger than " + std::to_string(limit) + " octets");
  }
}

Status replace(const std::string& path, std::string_view content, mode_t mode) {
  return write_then(path, content, mode,
                    [](const char* from, const char* to) { return ::rename(from, to) == 0; });
}

Status create(const std::string& path, std::string_view content, mode_t mode) {
  // link, unlike rename, never replaces.
  return write_then(path, content, mode, [](const char* from, const char* to) {
    if (::link(from, to) != 0) return false;
    ::unlink(from);
    return true;
  });
}

Status create_folder(const std::string& path) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) return {};
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty() && parent != path) fs::create_directories(parent, ec);
  if (ec) return unavailable(path + ": cannot be created: " + ec.message());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed(path, "cannot be created");
  return {};
}

}  // namespace hanaper::files
