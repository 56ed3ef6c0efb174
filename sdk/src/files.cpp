#include <hanaper/toolkit/files.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace hanaper::files {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path, std::string_view what) {
  const int code = errno;
  Error error = unavailable(path + ": " + std::string(what) + ": " + std::strerror(code));
  if (code == ENOENT) error.code = Code::not_found;
  return error;
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) content.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Status sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.handle() < 0 || ::fsync(folder.handle()) != 0) return failed(path, "cannot be synced");
  return {};
}

// `publish` gives the temporary file its name and says whether that worked.
template <class Publish>
Status write_then(const std::string& path, std::string_view content, mode_t mode, Publish&& publish) {
  const fs::path target(path);
  const std::string folder = target.parent_path().empty() ? "." : target.parent_path().string();
  std::string temporary = folder + "/." + target.filename().string() + ".XXXXXX";
  {
    const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (file.handle() < 0) return failed(path, "cannot be written");
    if (::fchmod(file.handle(), mode) != 0 || !write_all(file.handle(), content) ||
        ::fsync(file.handle()) != 0) {
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

Descriptor::~Descriptor() {
  if (handle_ >= 0) ::close(handle_);
}

namespace {

// Who may decide what this process does: root, its own user, and whoever owns "/", which is root where a
// user namespace has no name for it.
bool may_decide(uid_t user) {
  static const uid_t roots = [] {
    struct stat status {};
    return ::stat("/", &status) == 0 ? status.st_uid : uid_t{0};
  }();
  return user == 0 || user == roots || user == ::geteuid();
}

Status judge(const struct stat& status, const std::string& path) {
  if (!may_decide(status.st_uid))
    return forbidden(path + ": owned by user " + std::to_string(status.st_uid) + "; root " +
                     (::geteuid() == 0 ? "" : "or user " + std::to_string(::geteuid()) + " ") +
                     "must own it");
  const bool shared_folder = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if (S_ISLNK(status.st_mode) || shared_folder || (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return forbidden(path + ": others may write it; take that right away (chmod go-w)");
}

// A path part by part, the next one last.
std::vector<std::string> parts_of(const fs::path& path) {
  std::vector<std::string> parts;
  for (const fs::path& part : path)
    if (!part.empty() && part != "/" && part != ".") parts.push_back(part.string());
  std::ranges::reverse(parts);
  return parts;
}

}  // namespace

Result<std::string> read(const Descriptor& file, const std::string& path, std::size_t limit) {
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(file.handle(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path, "cannot be read");
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > limit) return malformed(path + ": larger than " + std::to_string(limit) + " octets");
  }
}

Result<std::string> read(const std::string& path, std::size_t limit) {
  HANAPER_TRY(const Descriptor file, open_regular(path));
  return read(file, path, limit);
}

Result<std::string> read_stream(const std::string& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.handle() < 0) return failed(path, "cannot be opened");
  return read(file, path, limit);
}

Result<Descriptor> open_regular(const std::string& path) {
  // A pipe without a writer would keep the thread for ever.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (file.handle() < 0 || ::fstat(file.handle(), &status) != 0) return failed(path, "cannot be opened");
  if (!S_ISREG(status.st_mode)) return malformed(path + ": is no regular file");
  return file;
}

Result<Descriptor> open_trusted(const std::string& path) {
  constexpr int max_links = 40;  // as the kernel's
  std::error_code ec;
  std::vector<std::string> rest = parts_of(fs::absolute(path, ec));
  Descriptor folder(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string shown;
  int links = 0;
  while (!rest.empty()) {
    const std::string name = std::move(rest.back());
    rest.pop_back();
    const std::string here = shown + "/" + name;
    Descriptor part(::openat(folder.handle(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (part.handle() < 0 || ::fstat(part.handle(), &status) != 0) return failed(path, "cannot be opened");
    HANAPER_CHECK(judge(status, here));
    if (S_ISLNK(status.st_mode)) {
      char target[4096];
      const ssize_t length = ::readlinkat(part.handle(), "", target, sizeof target);
      if (length < 0 || ++links > max_links) return unavailable(path + ": cannot be opened: too many links");
      const fs::path to(std::string(target, static_cast<std::size_t>(length)));
      for (std::string& more : parts_of(to)) rest.push_back(std::move(more));
      if (!to.is_absolute()) continue;
      folder = Descriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
      shown.clear();
      continue;
    }
    if (rest.empty()) {
      if (!S_ISREG(status.st_mode)) return forbidden(here + ": is no regular file");
      // Judged once more by what will be read.
      Descriptor file(
          ::openat(folder.handle(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (file.handle() < 0 || ::fstat(file.handle(), &status) != 0) return failed(path, "cannot be opened");
      if (!S_ISREG(status.st_mode)) return forbidden(here + ": is no regular file");
      HANAPER_CHECK(judge(status, here));
      return file;
    }
    folder = std::move(part);
    shown = name == ".." ? fs::path(shown).parent_path().string() : here;
    if (shown == "/") shown.clear();
  }
  return forbidden(path + ": is no regular file");
}

Result<std::string> read_trusted(const std::string& path, std::size_t limit) {
  HANAPER_TRY(const Descriptor file, open_trusted(path));
  return read(file, path, limit);
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
