// Having the configuration read again, which only the main thread may do.
#pragma once

#include <hanaper/protocol.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <pthread.h>

#include <functional>
#include <string>
#include <vector>

namespace hanaper::operations {

// Those who wait for the main thread, which SIGHUP wakes: by kill, or by this. Thread-safe.
class Reloads {
 public:
  using Outcome = Result<std::vector<std::string>>;

  // The thread that constructs it is the one that is woken; SIGHUP is blocked there and waited for.
  Reloads() : main_(::pthread_self()) {}

  // [worker] Wakes the main thread and waits for a reload that begins from now on. unavailable at the call's
  // deadline, or when the daemon stops.
  Outcome ask(Call& call);

  // [main] After SIGHUP: reloads, once for all who have asked until now.
  void answer(const std::function<Outcome()>& reload);
  // [main] Nobody will answer any more.
  void end();

 private:
  const pthread_t main_;
  Mutex mutex_;
  Condition answered_;
  std::uint64_t asked_ HANAPER_GUARDED_BY(mutex_) = 0;
  std::uint64_t done_ HANAPER_GUARDED_BY(mutex_) = 0;
  bool ended_ HANAPER_GUARDED_BY(mutex_) = false;
  Outcome outcome_ HANAPER_GUARDED_BY(mutex_){std::vector<std::string>{}};
};

}  // namespace hanaper::operations
