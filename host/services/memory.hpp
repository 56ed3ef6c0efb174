// How the process deals with its heap.
#pragma once

#include <malloc.h>

namespace hanaper::services {

// Each group commit allocates and frees some hundred kilobytes at the top of its thread's heap. With glibc's
// defaults the top is given back and taken again every time, an mprotect each; keeping it costs a few
// megabytes.
inline void tune_allocator() {
  ::mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024);
  ::mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
}

}  // namespace hanaper::services
