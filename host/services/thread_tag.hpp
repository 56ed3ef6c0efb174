// Which kind of thread this is, so that debug builds notice a call that its tag does not allow.
//
//   HANAPER_ON(worker);   first line of a [worker] function
#pragma once

#ifdef HANAPER_DEBUG
#include <cstdio>
#include <cstdlib>
#endif

namespace hanaper::services {

// A thread that never said what it is passes for the main one: commands and tests do.
enum class ThreadKind { main, worker, io, writer };

inline thread_local ThreadKind this_thread = ThreadKind::main;

// First thing on each thread of the host. Signers and jobs are workers: they may block.
inline void thread_is(ThreadKind kind) noexcept { this_thread = kind; }

// Whether a call with that tag may be made here. The main thread may block, and so do what workers do.
constexpr bool allowed(ThreadKind tag, ThreadKind here) noexcept {
  return here == tag || (tag == ThreadKind::worker && here == ThreadKind::main);
}

#ifdef HANAPER_DEBUG
inline void expect_thread(ThreadKind tag, const char* function) noexcept {
  if (allowed(tag, this_thread)) return;
  constexpr const char* names[] = {"main", "worker", "io", "writer"};
  std::fprintf(stderr, "thread tag: %s is [%s], called on a thread of kind %s\n", function,
               names[static_cast<int>(tag)], names[static_cast<int>(this_thread)]);
  std::abort();
}
#define HANAPER_ON(tag) \
  ::hanaper::services::expect_thread(::hanaper::services::ThreadKind::tag, __PRETTY_FUNCTION__)
#else
#define HANAPER_ON(tag) static_cast<void>(0)
#endif

}  // namespace hanaper::services
