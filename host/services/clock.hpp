// The system's wall clock, and what the kernel knows of it.
#pragma once

#include <hanaper/services.hpp>

#include <sys/timex.h>

namespace hanaper::services {

class SystemClock final : public Clock {
 public:
  Time now() const noexcept override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

// Whether somebody keeps the kernel's clock in step with others (adjtimex(2)). Who may not ask believes it.
inline bool clock_is_in_step() {
  timex state{};
  return ::adjtimex(&state) != TIME_ERROR;
}

}  // namespace hanaper::services
