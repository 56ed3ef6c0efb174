// Work in the background: recurring jobs and jobs to be done soon.
#pragma once

#include "worker_pool.hpp"

#include <hanaper/host.hpp>

#include <memory>
#include <set>

namespace hanaper::services {

// The timetable. One thread keeps it, pools of its own run the jobs, so that a slow one delays no request.
// What recurs has threads apart: jobs that wait for strangers cannot stop what keeps a node in order.
// Thread-safe.
class Timetable {
 public:
  using Job = Scheduler::Job;

  explicit Timetable(Log& log) : log_(log) {}
  ~Timetable();

  // [main] Nothing runs before.
  void start();

  // [any] `owner` is the instance for whom the job runs.
  void every(const std::string& owner, std::string_view name, std::chrono::milliseconds interval, Job job);
  Status soon(const std::string& owner, std::string_view name, Job job);

  // [main] Starts no more jobs of that owner and waits for the running ones; false when the deadline came
  // first.
  bool end(const std::string& owner, Deadline deadline);

  // [main] The same for everybody.
  bool drain(Deadline deadline);

 private:
  struct Entry {
    std::string owner, name;
    std::chrono::milliseconds interval{0};  // 0: once
    Job job;
    bool running = false;
  };
  void keep();
  void run(const std::shared_ptr<Entry>& entry);

  Log& log_;
  std::mutex mutex_;
  std::condition_variable changed_, ended_;
  std::multimap<Deadline, std::shared_ptr<Entry>> due_;  // guarded by mutex_, as all below
  std::multiset<std::string> running_;                   // owners
  std::set<std::string> ended_owners_;
  bool quit_ = false;
  std::unique_ptr<WorkerPool> pool_, recurring_;  // constant after start
  std::thread keeper_;
};

class InstanceScheduler final : public Scheduler {
 public:
  InstanceScheduler(Timetable& timetable, std::string instance)
      : timetable_(timetable), instance_(std::move(instance)) {}
  void every(std::string_view name, std::chrono::milliseconds interval, Job job) override {
    timetable_.every(instance_, name, interval, std::move(job));
  }
  Status soon(std::string_view name, Job job) override {
    return timetable_.soon(instance_, name, std::move(job));
  }

 private:
  Timetable& timetable_;
  const std::string instance_;
};

}  // namespace hanaper::services
