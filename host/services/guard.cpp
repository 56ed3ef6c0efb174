#include "guard.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <ctime>
#include <list>

namespace hanaper::services {
namespace {

constexpr std::int64_t between_complaints = 60'000;

struct All {
  Mutex mutex;
  std::list<Gate> gates HANAPER_GUARDED_BY(mutex);  // at stable addresses
  std::set<std::string> names HANAPER_GUARDED_BY(mutex);
};

// Threads outlive whatever could own it.
All& all() {
  static All& the_only = *new All;
  return the_only;
}

// Takes a thread's gate away with the thread.
struct Leaving {
  std::list<Gate>::iterator gate;
  ~Leaving() {
    All& threads = all();
    const Lock lock(threads.mutex);
    threads.gates.erase(gate);
  }
};

}  // namespace

Gate& Gates::enter() {
  All& threads = all();
  const Lock lock(threads.mutex);
  threads.gates.emplace_back();
  thread_local Leaving leaving{std::prev(threads.gates.end())};
  leaving.gate->kind = this_thread;
  return *leaving.gate;
}

std::int64_t Gates::now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

const std::string& Gates::keep(const std::string& name) {
  All& threads = all();
  const Lock lock(threads.mutex);
  return *threads.names.insert(name).first;
}

std::vector<Gates::Visit> Gates::visits(std::chrono::milliseconds least) {
  std::vector<Visit> list;
  All& threads = all();
  const Lock lock(threads.mutex);
  for (const Gate& gate : threads.gates) {
    const std::string* instance = gate.instance.load(std::memory_order_acquire);
    const std::chrono::milliseconds time{now() - gate.since.load(std::memory_order_relaxed)};
    if (instance != nullptr && time > least) list.push_back({*instance, time, gate.kind});
  }
  return list;
}

Guard::Guard(const std::string& instance, Log& log, Metrics& metrics)
    : instance_(Gates::keep(instance)),
      log_(log),
      exceptions_(metrics.counter("hanaper_plugin_exceptions_total", "Exceptions that left a plugin.",
                                  {{"instance", instance}})) {}

Status blocked_threads() {
  constexpr std::chrono::milliseconds io_patience{50}, patience{30'000};
  for (const Gates::Visit& visit : Gates::visits(io_patience)) {
    const bool io = visit.kind == ThreadKind::io;
    if (io || visit.time > patience)
      return unavailable(visit.instance + " has kept a " + (io ? "network thread" : "thread") + " for " +
                         std::to_string(visit.time.count()) + " ms");
  }
  return {};
}

Error Guard::caught(std::string_view entry, std::string_view id, std::string_view what) {
  exceptions_.add();
  log_.error("exception left a plugin", {{"plugin", instance_},
                                         {"entry", std::string(entry)},
                                         {"exception", std::string(what)},
                                         {"call", std::string(id)}});
  return internal(instance_ + " has failed; its exception is in the log");
}

void Guard::was_slow(std::int64_t milliseconds) {
  std::int64_t last = told_.load(std::memory_order_relaxed);
  const std::int64_t now = Gates::now();
  if (last != 0 && now - last < between_complaints) return;
  if (!told_.compare_exchange_strong(last, now)) return;
  log_.warning("a plugin has held up a network thread",
               {{"plugin", instance_}, {"milliseconds", std::to_string(milliseconds)}});
}

}  // namespace hanaper::services
