#include "worker_pool.hpp"

#include "thread_tag.hpp"

#include <pthread.h>

#include <system_error>

namespace hanaper::services {

WorkerPool::WorkerPool(std::string name, std::size_t most_threads, std::size_t queue)
    : name_(std::move(name), 0, 15),  // the kernel's limit
      most_(most_threads),
      capacity_(queue) {}

WorkerPool::~WorkerPool() {
  std::vector<std::thread> threads;
  {
    const Lock lock(mutex_);
    quit_ = true;
    threads = std::move(threads_);
  }
  work_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

bool WorkerPool::submit(Task task) {
  {
    const Lock lock(mutex_);
    if (draining_ || quit_ || queue_.size() >= capacity_) return false;
    queue_.push_back(std::move(task));
    if (queue_.size() + running_ > threads_.size() && threads_.size() < most_) begin_thread();
    if (threads_.empty()) return queue_.pop_back(), false;
  }
  work_.notify_one();
  return true;
}

// Where the system gives no more, those that there are do the work.
void WorkerPool::begin_thread() {
  try {
    threads_.emplace_back([this] { run(); });
  } catch (const std::system_error&) {
    return;
  }
  pthread_setname_np(threads_.back().native_handle(), name_.c_str());
}

bool WorkerPool::drain(Deadline deadline) {
  Lock lock(mutex_);
  draining_ = true;
  return idle_.wait_until(lock, deadline,
                          [&]() HANAPER_REQUIRES(mutex_) { return queue_.empty() && running_ == 0; });
}

std::size_t WorkerPool::waiting() const {
  const Lock lock(mutex_);
  return queue_.size();
}

void WorkerPool::run() {
  thread_is(ThreadKind::worker);
  Lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&]() HANAPER_REQUIRES(mutex_) { return quit_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    task();
    task = nullptr;  // what it holds dies outside the lock
    lock.lock();
    if (--running_ == 0 && queue_.empty()) idle_.notify_all();
  }
}

}  // namespace hanaper::services
