// Mutexes whose use the compiler checks: clang's -Wthread-safety knows what each of them guards.
//
// libstdc++'s own are not annotated. A member that a mutex guards says so, a function that wants it locked
// too:
//
//   Mutex mutex_;
//   std::deque<Task> queue_ HANAPER_GUARDED_BY(mutex_);
//   void take_locked() HANAPER_REQUIRES(mutex_);
//
// A lambda that runs under the lock is a function of its own for the checker: `[&]() HANAPER_REQUIRES(mutex_)
// { ... }`. g++ sees std::mutex and nothing else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#ifdef __clang__
#define HANAPER_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define HANAPER_THREAD_ATTRIBUTE(x)
#endif

// Of members: read and written only under the mutex; the same for what a pointer points to.
#define HANAPER_GUARDED_BY(mutex) HANAPER_THREAD_ATTRIBUTE(guarded_by(mutex))
#define HANAPER_PT_GUARDED_BY(mutex) HANAPER_THREAD_ATTRIBUTE(pt_guarded_by(mutex))
// Of mutexes: the order in which they are taken.
#define HANAPER_ACQUIRED_BEFORE(mutex) HANAPER_THREAD_ATTRIBUTE(acquired_before(mutex))
// Of functions: the caller has the mutex, or must not have it.
#define HANAPER_REQUIRES(mutex) HANAPER_THREAD_ATTRIBUTE(requires_capability(mutex))
#define HANAPER_REQUIRES_SHARED(mutex) HANAPER_THREAD_ATTRIBUTE(requires_shared_capability(mutex))
#define HANAPER_EXCLUDES(mutex) HANAPER_THREAD_ATTRIBUTE(locks_excluded(mutex))
// Of functions that the checker cannot follow; a comment says why they are right.
#define HANAPER_UNCHECKED HANAPER_THREAD_ATTRIBUTE(no_thread_safety_analysis)
// What locks are made of.
#define HANAPER_CAPABILITY(name) HANAPER_THREAD_ATTRIBUTE(capability(name))
#define HANAPER_SCOPED_CAPABILITY HANAPER_THREAD_ATTRIBUTE(scoped_lockable)
#define HANAPER_ACQUIRE(...) HANAPER_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define HANAPER_ACQUIRE_SHARED(...) HANAPER_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define HANAPER_TRY_ACQUIRE(...) HANAPER_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define HANAPER_TRY_ACQUIRE_SHARED(...) HANAPER_THREAD_ATTRIBUTE(try_acquire_shared_capability(__VA_ARGS__))
#define HANAPER_RELEASE(...) HANAPER_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define HANAPER_RELEASE_SHARED(...) HANAPER_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define HANAPER_RELEASE_GENERIC(...) HANAPER_THREAD_ATTRIBUTE(release_generic_capability(__VA_ARGS__))

namespace hanaper {

// std::mutex, annotated. Taken by Lock, which the checker follows; a std::lock_guard it does not.
class HANAPER_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() HANAPER_ACQUIRE() { mutex_.lock(); }
  void unlock() HANAPER_RELEASE() { mutex_.unlock(); }
  // Followed by `Lock lock(mutex, std::adopt_lock)` when it says true.
  [[nodiscard]] bool try_lock() HANAPER_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class Lock;
  std::mutex mutex_;
};

// Holds a Mutex while it lives. Of one thread.
class HANAPER_SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Mutex& mutex) HANAPER_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  Lock(Mutex& mutex, std::adopt_lock_t held) HANAPER_REQUIRES(mutex) : lock_(mutex.mutex_, held) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() HANAPER_RELEASE() {}

  // For what is done meanwhile without it.
  void unlock() HANAPER_RELEASE() { lock_.unlock(); }
  void lock() HANAPER_ACQUIRE() { lock_.lock(); }

 private:
  friend class Condition;
  std::unique_lock<std::mutex> lock_;
};

// What a thread waits for while it holds a Lock, which is let go meanwhile. `holds` is asked under the lock.
// Self-synchronised.
class Condition {
 public:
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

  // Returns at times for no reason, as all waits do: the caller looks again.
  void wait(Lock& lock) { condition_.wait(lock.lock_); }

  // For threads that have nothing else to do; everybody else has a deadline.
  template <class Holds>
  void wait(Lock& lock, Holds holds) HANAPER_UNCHECKED {  // `holds` names the mutex as its maker knows it
    while (!holds()) condition_.wait(lock.lock_);
  }

  // timeout when the deadline came first.
  template <class Point>
  std::cv_status wait_until(Lock& lock, const Point& deadline) {
    return condition_.wait_until(lock.lock_, deadline);
  }

  // Whether it holds, at the latest at the deadline.
  template <class Point, class Holds>
  bool wait_until(Lock& lock, const Point& deadline, Holds holds) HANAPER_UNCHECKED {
    while (!holds())
      if (condition_.wait_until(lock.lock_, deadline) == std::cv_status::timeout) return holds();
    return true;
  }
  template <class Period, class Holds>
  bool wait_for(Lock& lock, const Period& period, Holds holds) {
    return wait_until(lock, std::chrono::steady_clock::now() + period, holds);
  }

 private:
  std::condition_variable condition_;
};

// std::shared_mutex, annotated: many read, or one writes.
class HANAPER_CAPABILITY("mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  // Followed by `ReadLock lock(mutex, std::adopt_lock)` when it says true.
  [[nodiscard]] bool try_lock_shared() HANAPER_TRY_ACQUIRE_SHARED(true) { return mutex_.try_lock_shared(); }

 private:
  friend class ReadLock;
  friend class WriteLock;
  std::shared_mutex mutex_;
};

// Holds a SharedMutex for reading, or for writing, while it lives. Of one thread.
class HANAPER_SCOPED_CAPABILITY ReadLock {
 public:
  explicit ReadLock(SharedMutex& mutex) HANAPER_ACQUIRE_SHARED(mutex) : lock_(mutex.mutex_) {}
  ReadLock(SharedMutex& mutex, std::adopt_lock_t held) HANAPER_REQUIRES_SHARED(mutex)
      : lock_(mutex.mutex_, held) {}
  ReadLock(const ReadLock&) = delete;
  ReadLock& operator=(const ReadLock&) = delete;
  ~ReadLock() HANAPER_RELEASE_GENERIC() {}

 private:
  std::shared_lock<std::shared_mutex> lock_;
};
class HANAPER_SCOPED_CAPABILITY WriteLock {
 public:
  explicit WriteLock(SharedMutex& mutex) HANAPER_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;
  ~WriteLock() HANAPER_RELEASE() {}

 private:
  std::unique_lock<std::shared_mutex> lock_;
};

}  // namespace hanaper
