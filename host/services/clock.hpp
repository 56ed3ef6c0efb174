// The system's wall clock.
#pragma once

#include <hanaper/services.hpp>

namespace hanaper::services {

class SystemClock final : public Clock {
 public:
  Time now() const noexcept override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace hanaper::services
