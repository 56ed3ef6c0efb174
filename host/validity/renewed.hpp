// What is made anew before it ends, while others use it.
#pragma once

#include <hanaper/services.hpp>
#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/validity.hpp>

#include <memory>

namespace hanaper::validity {

// One caller makes the next; the others go on with the one there is, or wait for it as long as they may when
// there is none. T has `not_after()`. Thread-safe.
template <class T>
class Renewed {
 public:
  using Pointer = std::shared_ptr<T>;

  // [worker] The one there is while `is_fresh` says so, else what `make` gives; what cannot be made is no
  // matter while the old one is good. unavailable when somebody is making it until the deadline.
  template <class IsFresh, class Make>
  Result<Pointer> find(const Clock& clock, const Call& call, IsFresh&& is_fresh, Make&& make) {
    const auto is_usable = [&]() HANAPER_REQUIRES(mutex_) {
      return current_ && current_->not_after() > clock.now();
    };
    {
      Lock lock(mutex_);
      for (;;) {
        if (current_ && is_fresh(*current_)) return current_;
        if (!making_) break;
        if (is_usable()) return current_;
        if (made_.wait_until(lock, call.deadline) == std::cv_status::timeout)
          return unavailable("a certificate is being made that this needs");
      }
      making_ = true;
    }
    const Making making{*this};
    Result<Pointer> made = make();
    const Lock lock(mutex_);
    if (made) return current_ = *std::move(made);
    return is_usable() ? Result<Pointer>(current_) : made;
  }

 private:
  // Ends when nobody makes one any more, also by an exception.
  struct Making {
    Renewed& all;
    ~Making() {
      const Lock lock(all.mutex_);
      all.making_ = false;
      all.made_.notify_all();
    }
  };

  Mutex mutex_;
  Condition made_;
  Pointer current_ HANAPER_GUARDED_BY(mutex_);
  bool making_ HANAPER_GUARDED_BY(mutex_) = false;  // somebody makes the next
};

}  // namespace hanaper::validity
