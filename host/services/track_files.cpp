#include "track_files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>

namespace hanaper::services {
namespace {

constexpr int fit = 0, unfit_to_issue = -254, worse_for_status = -60;
// A machine that stood still as a whole is silent for one of them only.
constexpr int silence_ms = 500, most_silences = 3;

// In the child as well: async-signal-safe only.
bool put(const char* path, std::string_view text) {
  const int file = ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return false;
  const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  static_cast<void>(::fchmod(file, 0644));  // keepalived is another user
  const int error = errno;
  ::close(file);
  errno = error;
  return whole;
}

// Until the parent is gone, writes whenever it hangs. Signals of its group are the parent's matter, which
// blocks them all.
[[noreturn]] void watch(int pipe, std::atomic<bool>& hung, const char* issue, std::string_view issue_text,
                        const char* status, std::string_view status_text) {
  ::dup2(pipe, 0);
  ::close_range(1, ~0U, 0);
  ::prctl(PR_SET_NAME, "hanaper-watch");
  pollfd parent{0, POLLIN, 0};
  char beats[64];
  int silences = 0;
  for (bool gone = false; !gone;) {
    const int ready = ::poll(&parent, 1, silences < most_silences ? silence_ms : -1);
    if (ready < 0) continue;  // interrupted
    if (ready > 0) {
      const ssize_t heard = ::read(0, beats, sizeof beats);
      silences = 0;
      gone = heard == 0;
      if (!gone) continue;
    } else if (++silences < most_silences) {
      continue;
    }
    if (*issue != '\0') put(issue, issue_text);
    if (*status != '\0') put(status, status_text);
    hung.store(true);  // after the files: whoever sees it writes behind what is there
  }
  ::_exit(0);
}

}  // namespace

Status TrackFiles::write(const std::string& path, int weight) {
  if (path.empty() || put(path.c_str(), std::to_string(weight) + "\n")) return {};
  return unavailable(path + ": cannot be written: " + std::strerror(errno));
}

Status TrackFiles::start() {
  if (!are_any()) return {};
  void* shared =
      ::mmap(nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return unavailable(std::string("no shared memory: ") + std::strerror(errno));
  hung_ = new (shared) std::atomic<bool>(false);
  HANAPER_CHECK(write(paths_.issue, unfit_to_issue));
  HANAPER_CHECK(write(paths_.status, worse_for_status));
  written_ = {false, false};
  return start_child();
}

Status TrackFiles::start_child() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return unavailable(std::string("no pipe: ") + std::strerror(errno));
  const std::string issue = std::to_string(unfit_to_issue) + "\n",
                    status = std::to_string(worse_for_status) + "\n";
  const pid_t child = ::fork();
  if (child == 0) watch(ends[0], *hung_, paths_.issue.c_str(), issue, paths_.status.c_str(), status);
  const int error = errno;
  ::close(ends[0]);
  if (child < 0) {
    ::close(ends[1]);
    return unavailable(std::string("no process that watches this one: ") + std::strerror(error));
  }
  if (pipe_ >= 0) ::close(pipe_);
  pipe_ = ends[1];
  child_ = child;
  return {};
}

void TrackFiles::beat() {
  if (child_ >= 0) static_cast<void>(!::write(pipe_, "", 1));  // a child that is gone is noticed by set
}

void TrackFiles::set(bool issue, bool status) {
  if (child_ < 0) return;
  Status done;
  if (hung_->exchange(false)) {
    if (written_[0].value_or(false) || written_[1].value_or(false))
      log_.warning("this process did not run for some seconds; its floating addresses may have gone");
    written_ = {};
  }
  if (::waitpid(child_, nullptr, WNOHANG) == child_) {
    log_.warning("the process that watches this one has ended; there is another now");
    done = start_child();
    written_ = {};  // it wrote that this node is gone, if it had the time
  }
  if (written_[0] != issue) {
    done = write(paths_.issue, issue ? fit : unfit_to_issue);
    if (done) written_[0] = issue;
  }
  if (written_[1] != status) {
    const Status second = write(paths_.status, status ? fit : worse_for_status);
    if (second) written_[1] = status;
    if (done) done = second;
  }
  if (!done && !complained_) log_.error("no word to keepalived", {{"error", done.error().detail}});
  complained_ = !done;
}

void TrackFiles::stop() {
  if (child_ < 0) return;
  for (const Status& written : {write(paths_.issue, unfit_to_issue), write(paths_.status, worse_for_status)})
    if (!written) log_.error("no word to keepalived", {{"error", written.error().detail}});
  ::close(pipe_);
  ::waitpid(child_, nullptr, 0);
  child_ = pipe_ = -1;
  ::munmap(hung_, sizeof *hung_);
  hung_ = nullptr;
}

}  // namespace hanaper::services
