// Ours against a reference, in one run: interleaved rounds, CPU time per operation, medians.
#pragma once

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace hanaper::bench {

inline double cpu_seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

inline double spread(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  return high / low;
}

// One line: microseconds of CPU for each operation of both, and how much of the reference's capacity ours
// has. A reference that itself spreads more than 1.5 times gives no verdict.
inline void print(const std::string& name, const std::vector<double>& ours,
                  const std::vector<double>& reference, double goal, const std::string& unit = "us") {
  const double ratio = median(reference) / median(ours);
  const bool steady = spread(reference) <= 1.5;
  std::printf("bench %-13s ours=%.2f%s ref=%.2f%s ratio=%.3f goal=%.2f spread=%.2f %s\n", name.c_str(),
              median(ours), unit.c_str(), median(reference), unit.c_str(), ratio, goal, spread(reference),
              !steady         ? "no-verdict"
              : ratio >= goal ? "met"
                              : "missed");
  std::fflush(stdout);
}

// CPU microseconds for each operation of a loop of about `seconds` on this thread.
inline double loop(double seconds, const std::function<void()>& operation) {
  for (int i = 0; i < 20; ++i) operation();
  const double start = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  std::size_t count = 0;
  double used = 0;
  do {
    for (int i = 0; i < 50; ++i) operation();
    count += 50;
    used = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - start;
  } while (used < seconds);
  return used * 1e6 / static_cast<double>(count);
}

}  // namespace hanaper::bench
