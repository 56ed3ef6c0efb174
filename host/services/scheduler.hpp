// Work in the background: recurring jobs and jobs to be done soon.
#pragma once

#include "registrations.hpp"
#include "worker_pool.hpp"

#include <map>
#include <memory>

namespace hanaper::services {

// The jobs. One thread keeps it, pools of its own run the jobs, so that a slow one delays no request.
// What recurs has threads apart: jobs that wait for strangers cannot stop what keeps a node in order.
// Thread-safe.
class JobTable {
 public:
  using Job = Scheduler::Job;

  explicit JobTable(Log& log) : log_(log) {}
  ~JobTable();

  // [main] Nothing runs before.
  void start();

  // [any] `owner` is the instance for whom the job runs; cancel takes what `every` returns.
  std::uint64_t every(const std::string& owner, std::string_view name, std::chrono::milliseconds interval,
                      Job job);
  Status soon(const std::string& owner, std::string_view name, Job job);

  // [any] The job does not run again; it may be running.
  void cancel(std::uint64_t id);

  // [main] Starts no more jobs and waits for the running ones; false when the deadline came first.
  bool drain(Deadline deadline);

 private:
  struct Entry {
    std::uint64_t id = 0;  // 0: once
    std::string owner, name;
    std::chrono::milliseconds interval{0};
    Job job;
    bool running = false;  // guarded by the table's mutex
  };
  void keep();
  void run(const std::shared_ptr<Entry>& entry);

  Log& log_;
  Mutex mutex_;
  Condition changed_;
  std::multimap<Deadline, std::shared_ptr<Entry>> due_ HANAPER_GUARDED_BY(mutex_);
  std::uint64_t last_id_ HANAPER_GUARDED_BY(mutex_) = 0;
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  // Constant after start.
  std::unique_ptr<WorkerPool> pool_, recurring_;
  std::thread keeper_;
};

// The jobs as one instance sees it: its jobs end with it.
class InstanceScheduler final : public Scheduler {
 public:
  InstanceScheduler(JobTable& jobs, Registrations& registrations, std::string instance)
      : jobs_(jobs), registrations_(registrations), instance_(std::move(instance)) {}
  void every(std::string_view name, std::chrono::milliseconds interval, Job job) override;
  Status soon(std::string_view name, Job job) override;

 private:
  Job guarded(std::string_view name, Job job) {
    return registrations_.wrap<Status, Call&>(std::string(name), std::move(job), Status{});
  }

  JobTable& jobs_;
  Registrations& registrations_;
  const std::string instance_;
};

}  // namespace hanaper::services
