#include "readiness.hpp"

#include <pthread.h>

#include <algorithm>

namespace hanaper::services {
namespace {

constexpr auto between_looks = std::chrono::milliseconds{100};
// What a healthy database takes when one of its nodes has just gone.
constexpr auto stall = std::chrono::milliseconds{2200};

}  // namespace

std::uint64_t Readiness::add(std::string name, Purpose purpose, std::function<Status()> check) {
  auto made = std::make_shared<Check>();
  made->name = std::move(name);
  made->purpose = purpose;
  made->run = std::move(check);
  const Lock lock(state_->mutex);
  made->id = ++state_->last_id;
  state_->checks.push_back(std::move(made));
  return state_->last_id;
}

void Readiness::remove(std::uint64_t id) {
  const Lock lock(state_->mutex);
  std::erase_if(state_->checks, [&](const auto& check) { return check->id == id; });
}

void Readiness::look(State& state, std::uint64_t looker) {
  Lock lock(state.mutex);
  const std::vector<std::shared_ptr<Check>> checks = state.checks;
  for (const auto& check : checks) {
    if (state.looker != looker) return;  // it has hung, and another has taken over
    if (check->running) continue;        // there somebody hangs
    check->running = true;
    check->since = std::chrono::steady_clock::now();
    lock.unlock();
    Status status = check->run();
    lock.lock();
    check->running = check->abandoned = false;
    check->last = std::move(status);
    check->seen = true;
  }
}

void Readiness::start_looker(const std::shared_ptr<State>& state) {
  const std::uint64_t looker = ++state->looker;
  std::thread thread([state, looker] {
    thread_is(ThreadKind::worker);
    Lock lock(state->mutex);
    while (!state->quit && state->looker == looker) {
      state->looking = true;
      lock.unlock();
      look(*state, looker);
      lock.lock();
      if (state->looker != looker) return;
      state->looking = false;
      state->wake.notify_all();
      state->wake.wait_for(lock, between_looks, [&]() HANAPER_REQUIRES(state->mutex) {
        return state->quit || state->looker != looker;
      });
    }
  });
  pthread_setname_np(thread.native_handle(), "hanaper-health");
  thread.detach();  // nobody can wait for one that hangs
}

void Readiness::keep(const std::function<void()>& each_time) {
  Lock lock(state_->mutex);
  while (!state_->wake.wait_for(lock, between_looks,
                                [&]() HANAPER_REQUIRES(state_->mutex) { return state_->quit; })) {
    const auto now = std::chrono::steady_clock::now();
    for (const auto& check : state_->checks) {
      if (!check->running || check->abandoned || now - check->since < stall) continue;
      check->abandoned = true;
      start_looker(state_);
    }
    lock.unlock();
    if (each_time) each_time();
    lock.lock();
  }
}

void Readiness::start(std::function<void()> each_time) {
  {
    Lock lock(state_->mutex);
    state_->looking = true;
    start_looker(state_);
    state_->wake.wait_for(lock, stall, [&]() HANAPER_REQUIRES(state_->mutex) { return !state_->looking; });
  }
  keeper_ = std::thread([this, each_time = std::move(each_time)] { keep(each_time); });
  pthread_setname_np(keeper_.native_handle(), "hanaper-watch");
}

void Readiness::stop() {
  {
    Lock lock(state_->mutex);
    state_->quit = true;
    state_->wake.notify_all();
    // One that hangs is left alone.
    state_->wake.wait_for(lock, stall, [&]() HANAPER_REQUIRES(state_->mutex) { return !state_->looking; });
  }
  if (keeper_.joinable()) keeper_.join();
}

Readiness::Report Readiness::report() const {
  Report report;
  const auto now = std::chrono::steady_clock::now();
  const Lock lock(state_->mutex);
  for (const auto& check : state_->checks) {
    const bool hangs = check->running && now - check->since > stall;
    Status status = check->seen ? check->last : Status(unavailable("has not been looked at yet"));
    report.push_back({check->name, check->purpose, hangs ? Status(unavailable("does not answer")) : status});
  }
  return report;
}

Status Readiness::status(Purpose purpose) const {
  for (const Outcome& outcome : report())
    if (!outcome.status && outcome.purpose == purpose)
      return Error(outcome.status.error()).within(outcome.name);
  return {};
}

void InstanceHealth::check(std::string_view name, std::function<Status()> check, Purpose purpose) {
  std::string full = name.empty() ? instance_ : instance_ + "." + std::string(name);
  auto safe = registrations_.wrap<Status>("health", std::move(check), Status{});
  registrations_.add(
      [this, full = std::move(full), purpose, safe = std::move(safe)]() -> Registrations::Forget {
        const std::uint64_t id = readiness_.add(full, purpose, safe);
        return [this, id] { readiness_.remove(id); };
      });
}

}  // namespace hanaper::services
