// How often the log is told of what goes on happening.
#pragma once

#include <atomic>
#include <chrono>
#include <limits>

namespace hanaper::services {

// Who is refused may come back at once, and the log is not his. Thread-safe.
class OnceAMinute {
 public:
  // [any] True for the first who asks in a minute.
  bool may_tell() {
    const std::int64_t now =
        std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now()).time_since_epoch().count();
    std::int64_t until = silent_until_.load();
    return now >= until && silent_until_.compare_exchange_strong(until, now + 60);
  }

 private:
  std::atomic<std::int64_t> silent_until_ =
      std::numeric_limits<std::int64_t>::min();  // seconds of the steady clock
};

}  // namespace hanaper::services
