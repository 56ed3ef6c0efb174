#include "process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace hanaper::services {
namespace {

const std::chrono::system_clock::time_point process_start = std::chrono::system_clock::now();

std::string figure(const char* name, const char* type, const char* help, double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f", value);
  return std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n" + name + " " +
         text + "\n";
}

double seconds_in(const ::timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::string process_metrics() {
  std::string text;
  ::rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    text += figure("process_cpu_seconds_total", "counter", "CPU time of the process.",
                   seconds_in(usage.ru_utime) + seconds_in(usage.ru_stime));
  std::ifstream memory("/proc/self/statm");
  if (double pages = 0, resident = 0; memory >> pages >> resident) {
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    text += figure("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.",
                   resident * page);
    text += figure("process_virtual_memory_bytes", "gauge", "Address space of the process.", pages * page);
  }
  std::error_code ec;
  if (std::filesystem::directory_iterator open("/proc/self/fd", ec); !ec)
    text += figure("process_open_fds", "gauge", "Open file descriptors.",
                   static_cast<double>(std::distance(begin(open), end(open))));
  if (::rlimit limit{}; ::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    text += figure("process_max_fds", "gauge", "File descriptors that may be open.",
                   static_cast<double>(limit.rlim_cur));
  return text + figure("process_start_time_seconds", "gauge", "When the process began.",
                       std::chrono::duration<double>(process_start.time_since_epoch()).count());
}

void keep_memory_private() noexcept {
  const ::rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  // Where core files go to a program, that limit alone stops nothing.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace hanaper::services
