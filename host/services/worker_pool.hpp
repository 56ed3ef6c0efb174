// A bounded pool of threads that may block.
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <deque>
#include <functional>
#include <thread>

namespace hanaper::services {

// Runs tasks on as many threads as there is work for, up to a bound, and refuses new ones when its queue is
// full: it sheds. A thread that has begun stays. A task must not throw. Thread-safe.
class WorkerPool {
 public:
  using Task = std::function<void()>;

  WorkerPool(std::string name, std::size_t most_threads, std::size_t queue);
  ~WorkerPool();  // finishes what was accepted

  // [any] False when the queue is full or the pool is draining.
  bool submit(Task task);

  // [main] Accepts no more, waits for what was accepted. False when the deadline came first.
  bool drain(Deadline deadline);

  // [any] Tasks that wait for a thread.
  std::size_t waiting() const;

 private:
  void run();
  void begin_thread() HANAPER_REQUIRES(mutex_);

  const std::string name_;
  const std::size_t most_, capacity_;
  mutable Mutex mutex_;
  Condition work_, idle_;
  std::deque<Task> queue_ HANAPER_GUARDED_BY(mutex_);
  std::size_t running_ HANAPER_GUARDED_BY(mutex_) = 0;
  bool draining_ HANAPER_GUARDED_BY(mutex_) = false;
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::services
