#include "worker_pool.hpp"

#include "thread_tag.hpp"

#include <pthread.h>

namespace hanaper::services {

WorkerPool::WorkerPool(std::string name, std::size_t threads, std::size_t queue) : capacity_(queue) {
  name.resize(std::min<std::size_t>(name.size(), 15));  // the kernel's limit
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

WorkerPool::~WorkerPool() {
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::submit(Task task) {
  {
    const Lock lock(mutex_);
    if (draining_ || quit_ || queue_.size() >= capacity_) return false;
    queue_.push_back(std::move(task));
  }
  work_.notify_one();
  return true;
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
