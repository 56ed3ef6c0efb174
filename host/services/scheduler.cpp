#include "scheduler.hpp"

#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::services {
namespace {

constexpr std::size_t most_threads = 272;  // many of them may wait for servers that never answer
constexpr std::size_t recurring_threads = 8;
constexpr std::size_t queue = 4096;
constexpr auto job_time = std::chrono::minutes{5};

}  // namespace

void JobTable::start() {
  pool_ = std::make_unique<WorkerPool>("hanaper-job", most_threads, queue);
  recurring_ = std::make_unique<WorkerPool>("hanaper-recur", recurring_threads, queue);
  keeper_ = std::thread([this] { keep(); });
}

JobTable::~JobTable() {
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  recurring_.reset();  // their last jobs still use what is above
  pool_.reset();
}

std::uint64_t JobTable::every(const std::string& owner, std::string_view name,
                              std::chrono::milliseconds interval, Job job) {
  const Lock lock(mutex_);
  const std::uint64_t id = ++last_id_;
  due_.emplace(std::chrono::steady_clock::now() + interval,
               std::make_shared<Entry>(Entry{id, owner, std::string(name), interval, std::move(job)}));
  changed_.notify_all();
  return id;
}

Status JobTable::soon(const std::string& owner, std::string_view name, Job job) {
  auto entry = std::make_shared<Entry>(Entry{0, owner, std::string(name), {}, std::move(job)});
  const Lock lock(mutex_);
  if (quit_ || !pool_) return unavailable("background work is not running");
  if (pool_->submit([this, entry] { run(entry); })) return {};
  return unavailable("too many jobs are waiting");
}

void JobTable::cancel(std::uint64_t id) {
  const Lock lock(mutex_);
  std::erase_if(due_, [&](const auto& due) { return due.second->id == id; });
}

void JobTable::keep() {
  Lock lock(mutex_);
  while (!quit_) {
    if (due_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = due_.begin();
    // A copy: what is waited for may be cancelled meanwhile.
    if (const Deadline next = first->first; next > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, next);
      continue;
    }
    const std::shared_ptr<Entry> entry = std::move(first->second);
    due_.erase(first);
    due_.emplace(std::chrono::steady_clock::now() + entry->interval, entry);
    if (entry->running) continue;  // one run at a time: this turn is skipped
    entry->running = recurring_->submit([this, entry] { run(entry); });
  }
}

void JobTable::run(const std::shared_ptr<Entry>& entry) {
  Call call{crypto::random_name(9), std::chrono::steady_clock::now() + job_time};
  Status status;
  try {
    status = entry->job(call);
  } catch (const std::exception& error) {
    status = internal(std::string("exception: ") + error.what());
  } catch (...) {
    status = internal("exception of no standard type");
  }
  if (!status)
    log_.warning(
        "job failed",
        {{"owner", entry->owner}, {"job", entry->name}, {"error", status.error().detail}, {"call", call.id}});
  const Lock lock(mutex_);
  entry->running = false;
}

bool JobTable::drain(Deadline deadline) {
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  if (!pool_) return true;
  const bool recurring = recurring_->drain(deadline);
  return pool_->drain(deadline) && recurring;
}

void InstanceScheduler::every(std::string_view name, std::chrono::milliseconds interval, Job job) {
  registrations_.add([this, name = std::string(name), interval,
                      job = guarded(name, std::move(job))]() -> Registrations::Forget {
    const std::uint64_t id = jobs_.every(instance_, name, interval, job);
    return [this, id] { jobs_.cancel(id); };
  });
}

Status InstanceScheduler::soon(std::string_view name, Job job) {
  if (registrations_.withdrawn()) return unavailable(instance_ + " has been stopped");
  Job safe = guarded(name, std::move(job));
  if (registrations_.active()) return jobs_.soon(instance_, name, std::move(safe));
  registrations_.add([this, name = std::string(name), safe = std::move(safe)]() -> Registrations::Forget {
    static_cast<void>(jobs_.soon(instance_, name, safe));
    return {};
  });
  return {};
}

}  // namespace hanaper::services
