// What is made anew before it ends, while others use it.
#pragma once

#include <hanaper/host.hpp>

#include <condition_variable>
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
    std::unique_lock lock(mutex_);
    const auto is_usable = [&] { return current_ && current_->not_after() > clock.now(); };
    for (;;) {
      if (current_ && is_fresh(*current_)) return current_;
      if (!making_) break;
      if (is_usable()) return current_;
      if (made_.wait_until(lock, call.deadline) == std::cv_status::timeout)
        return unavailable("a certificate is being made that this needs");
    }
    const Making making(*this, lock);
    Result<Pointer> made = make();
    lock.lock();
    if (made) return current_ = *std::move(made);
    return is_usable() ? Result<Pointer>(current_) : made;
  }

 private:
  // While it lives others do not make one, and may look.
  class Making {
   public:
    Making(Renewed& all, std::unique_lock<std::mutex>& lock) : all_(all), lock_(lock) {
      all_.making_ = true;
      lock_.unlock();
    }
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;
    ~Making() {
      if (!lock_) lock_.lock();
      all_.making_ = false;
      all_.made_.notify_all();
    }

   private:
    Renewed& all_;
    std::unique_lock<std::mutex>& lock_;
  };

  std::mutex mutex_;
  std::condition_variable made_;
  Pointer current_;      // guarded by mutex_, as what follows
  bool making_ = false;  // somebody makes the next
};

}  // namespace hanaper::validity
