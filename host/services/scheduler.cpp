#include "scheduler.hpp"

#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::services {
namespace {

constexpr std::size_t threads = 16;
constexpr std::size_t recurring_threads = 8;
constexpr std::size_t queue = 4096;
constexpr auto job_time = std::chrono::minutes{5};

}  // namespace

void Timetable::start() {
  pool_ = std::make_unique<WorkerPool>("hanaper-job", threads, queue);
  recurring_ = std::make_unique<WorkerPool>("hanaper-recur", recurring_threads, queue);
  keeper_ = std::thread([this] { keep(); });
}

Timetable::~Timetable() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  recurring_.reset();  // their last jobs still use what is above
  pool_.reset();
}

void Timetable::every(const std::string& owner, std::string_view name, std::chrono::milliseconds interval,
                      Job job) {
  const std::lock_guard lock(mutex_);
  due_.emplace(std::chrono::steady_clock::now() + interval,
               std::make_shared<Entry>(Entry{owner, std::string(name), interval, std::move(job)}));
  changed_.notify_all();
}

Status Timetable::soon(const std::string& owner, std::string_view name, Job job) {
  auto entry = std::make_shared<Entry>(Entry{owner, std::string(name), {}, std::move(job)});
  const std::lock_guard lock(mutex_);
  if (quit_ || !pool_ || ended_owners_.contains(owner)) return unavailable("background work is not running");
  running_.insert(owner);
  if (pool_->submit([this, entry] { run(entry); })) return {};
  running_.erase(running_.find(owner));
  return unavailable("too many jobs are waiting");
}

void Timetable::keep() {
  std::unique_lock lock(mutex_);
  while (!quit_) {
    if (due_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = due_.begin();
    if (first->first > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, first->first);
      continue;
    }
    const std::shared_ptr<Entry> entry = std::move(first->second);
    due_.erase(first);
    if (ended_owners_.contains(entry->owner)) continue;
    due_.emplace(std::chrono::steady_clock::now() + entry->interval, entry);
    if (entry->running) continue;  // one run at a time: this turn is skipped
    entry->running = true;
    running_.insert(entry->owner);
    if (recurring_->submit([this, entry] { run(entry); })) continue;
    entry->running = false;
    running_.erase(running_.find(entry->owner));
  }
}

void Timetable::run(const std::shared_ptr<Entry>& entry) {
  Call call{crypto::random_name(9), std::chrono::steady_clock::now() + job_time};
  Status status;
  try {
    status = entry->job(call);
  } catch (const std::exception& error) {
    status = internal(std::string("exception: ") + error.what());
  }
  if (!status)
    log_.warning(
        "job failed",
        {{"owner", entry->owner}, {"job", entry->name}, {"error", status.error().detail}, {"call", call.id}});
  const std::lock_guard lock(mutex_);
  entry->running = false;
  running_.erase(running_.find(entry->owner));
  ended_.notify_all();
}

bool Timetable::end(const std::string& owner, Deadline deadline) {
  std::unique_lock lock(mutex_);
  ended_owners_.insert(owner);
  return ended_.wait_until(lock, deadline, [&] { return !running_.contains(owner); });
}

bool Timetable::drain(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  if (!pool_) return true;
  const bool recurring = recurring_->drain(deadline);
  return pool_->drain(deadline) && recurring;
}

}  // namespace hanaper::services
