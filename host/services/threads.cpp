#include "threads.hpp"

#include <pthread.h>

#include <algorithm>

namespace hanaper::services {
namespace {

// The kernel keeps fifteen octets.
constexpr std::size_t longest_name = 15;

}  // namespace

Threads::~Threads() { static_cast<void>(stop(std::chrono::steady_clock::now())); }

void Threads::start(std::string_view name, Body body) {
  const Lock lock(mutex_);
  if (closed_) return;
  // Those that failed stay, to be named.
  std::erase_if(threads_, [](const One& one) { return one.ended && !one.failed; });
  One& one = threads_.emplace_back();
  one.name = name;
  one.thread = std::jthread(
      [this, &one, body = std::move(body)](const std::stop_token& stop) { run(one, body, stop); });
  pthread_setname_np(one.thread.native_handle(), one.name.substr(0, longest_name).c_str());
}

void Threads::run(One& one, const Body& body, const std::stop_token& stop) {
  thread_is(ThreadKind::worker);
  const Status done = guard_->catching("thread " + one.name, "", [&]() -> Status {
    body(stop);
    return {};
  });
  const Lock lock(mutex_);
  one.ended = true;
  one.failed = !done;
  changed_.notify_all();
}

bool Threads::stop(Deadline deadline) {
  Lock lock(mutex_);
  closed_ = true;
  for (One& one : threads_) one.thread.request_stop();
  return changed_.wait_until(
      lock, deadline, [&]() HANAPER_REQUIRES(mutex_) { return std::ranges::all_of(threads_, &One::ended); });
}

std::vector<std::string> Threads::running() const {
  const Lock lock(mutex_);
  std::vector<std::string> names;
  for (const One& one : threads_)
    if (!one.ended) names.push_back(one.name);
  return names;
}

Status Threads::health() const {
  const Lock lock(mutex_);
  for (const One& one : threads_)
    if (one.failed)
      return unavailable(guard_->instance() + ": its thread " + one.name +
                         " has ended by an exception, which is in the log; restart the daemon");
  return {};
}

}  // namespace hanaper::services
