// Something that one thread replaces while others still work with what was there.
#pragma once

#include <hanaper/toolkit/mutex.hpp>

#include <memory>
#include <utility>

namespace hanaper::services {

// A shared pointer, read and replaced as a whole. libstdc++ 12's std::atomic<std::shared_ptr> gives its lock
// back without order after a load, so that a store may overtake it. Thread-safe.
template <class T>
class Swapped {
 public:
  explicit Swapped(std::shared_ptr<T> value = {}) : value_(std::move(value)) {}

  std::shared_ptr<T> load() const {
    const Lock lock(mutex_);
    return value_;
  }
  // What was there before goes outside of the lock.
  void store(std::shared_ptr<T> value) {
    const Lock lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<T> value_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::services
