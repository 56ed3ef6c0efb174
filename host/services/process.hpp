// What the kernel knows of this process, and whom it shows its memory.
#pragma once

#include <string>

namespace hanaper::services {

// [any] As Prometheus' own clients name it: process_cpu_seconds_total, process_resident_memory_bytes,
// process_virtual_memory_bytes, process_open_fds, process_max_fds, process_start_time_seconds; without what
// cannot be read.
std::string process_metrics();

// [main] First thing: this process holds private keys, and no core file or debugger of its user shall have
// them.
void keep_memory_private() noexcept;

}  // namespace hanaper::services
