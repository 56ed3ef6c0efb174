// What is made anew before it ends, while others use it.
#pragma once

#include <hanaper/host.hpp>

#include <memory>
#include <mutex>

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
    Pointer known = current();
    if (known && is_fresh(*known)) return known;
    const bool usable = known && known->not_after() > clock.now();
    std::unique_lock making(making_, std::defer_lock);
    const bool mine = usable ? making.try_lock() : making.try_lock_until(call.deadline);
    if (!mine && usable) return known;
    if (!mine) return unavailable("a certificate is being made that this needs");
    known = current();
    if (known && is_fresh(*known)) return known;
    Result<Pointer> made = make();
    if (!made) return usable ? Result<Pointer>(known) : made;
    const std::lock_guard lock(mutex_);
    return current_ = *std::move(made);
  }

 private:
  Pointer current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  std::timed_mutex making_;  // before mutex_
  mutable std::mutex mutex_;
  Pointer current_;  // guarded by mutex_
};

}  // namespace hanaper::validity
