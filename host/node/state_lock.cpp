#include "state_lock.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace hanaper {

Status check_state_owner(const std::string& state_folder) {
  struct stat status {};
  if (::stat(state_folder.c_str(), &status) != 0)
    return unavailable(state_folder + ": " + std::strerror(errno));
  if (status.st_uid == ::geteuid()) return {};
  const passwd* owner = ::getpwuid(status.st_uid);
  const std::string name = owner != nullptr ? owner->pw_name : "#" + std::to_string(status.st_uid);
  return forbidden(state_folder + ": belongs to user " + name +
                   ", who could not read what others write there; run this as that user (runuser -u " + name +
                   " -- ...)");
}

Result<std::string> state_id(const std::string& state_folder) {
  constexpr std::size_t longest = 64;
  const std::string path = state_folder + "/id";
  if (!std::filesystem::exists(path)) HANAPER_CHECK(files::create(path, crypto::random_name(9) + "\n", 0600));
  HANAPER_TRY(std::string id, files::read(path, longest));
  while (!id.empty() && id.back() == '\n') id.pop_back();
  const auto odd = [](char c) { return c <= ' ' || c > '~'; };
  if (id.empty() || std::ranges::any_of(id, odd))
    return malformed(path + ": is not an id; remove the file, and a new one is made");
  return id;
}

bool is_open_to_others(const std::string& state_folder) {
  struct stat status {};
  return ::stat(state_folder.c_str(), &status) == 0 && (status.st_mode & 077) != 0;
}

Result<bool> close_state_folder(const std::string& state_folder) {
  if (!is_open_to_others(state_folder)) return false;
  if (::chmod(state_folder.c_str(), 0700) != 0)
    return forbidden(state_folder + ": others may look into it, and that cannot be changed: " +
                     std::strerror(errno) + "; make its mode 700");
  return true;
}

namespace {

std::string restore_mark(const std::string& state_folder) { return state_folder + "/restore.unfinished"; }

}  // namespace

Status mark_restore(const std::string& state_folder) {
  return files::replace(restore_mark(state_folder), "", 0600);
}

void unmark_restore(const std::string& state_folder) {
  std::error_code ignored;
  std::filesystem::remove(restore_mark(state_folder), ignored);
  // A power cut does not bring it back.
  const files::Descriptor folder(::open(state_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.handle() >= 0) ::fsync(folder.handle());
}

Status check_restored(const std::string& state_folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(restore_mark(state_folder), ignored)) return {};
  return malformed(restore_mark(state_folder) +
                   ": a restore was broken off; empty the state folder and restore again");
}

StateLock::~StateLock() {
  if (handle_ >= 0) ::close(handle_);
}

Status StateLock::take(const std::string& state_folder) {
  // Not what is configured, but who runs it.
  if (Status own = check_state_owner(state_folder); !own) return unavailable(own.error().detail);
  const std::string path = state_folder + "/lock";
  const int handle = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (handle < 0) return unavailable(path + ": " + std::strerror(errno));
  if (::flock(handle, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t size = ::read(handle, holder, sizeof holder - 1);
    ::close(handle);
    return conflict(state_folder + ": in use by process " +
                    (size > 0 ? std::string(holder, static_cast<std::size_t>(size)) : "?"));
  }
  const std::string process = std::to_string(::getpid());
  if (::ftruncate(handle, 0) != 0 || ::pwrite(handle, process.data(), process.size(), 0) < 0) {
    const Error error = unavailable(path + ": " + std::strerror(errno));
    ::close(handle);
    return error;
  }
  handle_ = handle;
  return {};
}

}  // namespace hanaper
