// A one-shot signal between two threads, without spinning.
#pragma once

#include <hanaper/values.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>

namespace hanaper::services {

// Set once, waited for by one. std::binary_semaphore would do, but its timed wait of libstdc++ 12 yields and
// naps in a loop, which costs more than the commit it waits for.
class Completion {
 public:
  // [any] What was written before is visible to whoever has waited. The object may be gone when this returns.
  void set() noexcept {
    state_.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  }

  // [worker] False when the deadline came first.
  bool wait_until(Deadline deadline) noexcept {
    const auto since_boot = std::chrono::ceil<std::chrono::nanoseconds>(deadline.time_since_epoch()).count();
    const timespec until{static_cast<time_t>(since_boot / 1'000'000'000),
                         static_cast<long>(since_boot % 1'000'000'000)};
    while (state_.load(std::memory_order_acquire) == 0) {
      // An absolute time of CLOCK_MONOTONIC, which is what steady_clock counts.
      const long result = ::syscall(SYS_futex, &state_, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, nullptr,
                                    FUTEX_BITSET_MATCH_ANY);
      if (result != 0 && errno == ETIMEDOUT) return state_.load(std::memory_order_acquire) != 0;
    }
    return true;
  }

  // [worker] Ready to be set once more; only when nobody sets or waits.
  void reset() noexcept { state_.store(0, std::memory_order_relaxed); }

  // [worker]
  void wait() noexcept {
    while (state_.load(std::memory_order_acquire) == 0)
      ::syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  }

 private:
  std::atomic<std::uint32_t> state_{0};
};

}  // namespace hanaper::services
