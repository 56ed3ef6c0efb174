// Something that one thread replaces while others still work with what was there.
#pragma once

#include <hanaper/plugin.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <memory>
#include <utility>

namespace hanaper {

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

// What Adjustable::prepare returns where everything that the settings say hangs on one pointer.
template <class T>
class Swap final : public Adjustable::Change {
 public:
  Swap(Swapped<T>& place, std::shared_ptr<T> next) : place_(place), next_(std::move(next)) {}
  void commit() noexcept override { place_.store(std::move(next_)); }

 private:
  Swapped<T>& place_;
  std::shared_ptr<T> next_;
};

}  // namespace hanaper
