// Having the configuration read again, which only the main thread may do.
#pragma once

#include <hanaper/protocol.hpp>

#include <pthread.h>

#include <condition_variable>
#include <functional>
#include <mutex>
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
  std::mutex mutex_;
  std::condition_variable answered_;
  std::uint64_t asked_ = 0, done_ = 0;  // guarded by mutex_, as all below
  bool ended_ = false;
  Outcome outcome_{std::vector<std::string>{}};
};

}  // namespace hanaper::operations
