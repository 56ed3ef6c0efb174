// What the kernel knows of this process, as Prometheus' own clients name it.
#pragma once

#include <string>

namespace hanaper::services {

// [any] process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
// process_open_fds, process_max_fds, process_start_time_seconds; without what cannot be read.
std::string process_metrics();

}  // namespace hanaper::services
