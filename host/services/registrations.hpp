// What one instance has given others to call: jobs, checks, watchers, sources of CRLs.
//
// An instance takes back what it registered. Nobody calls into one that has ended, and nothing of one that is
// being tried out counts before it is taken.
#pragma once

#include "guard.hpp"

#include <hanaper/toolkit/mutex.hpp>

namespace hanaper::services {

// Belongs to one instance and dies after everybody has forgotten its functions. Thread-safe but for what
// says otherwise.
class Registrations {
 public:
  explicit Registrations(std::shared_ptr<Guard> guard) : guard_(std::move(guard)) {}
  ~Registrations() { static_cast<void>(withdraw(Deadline{})); }

  // [any] `call` as others may keep it: behind the guard, and after `withdraw` it is not called any more;
  // then `otherwise` is the answer, as it is where an exception leaves no better one.
  template <class R, class... A>
  std::function<R(A...)> wrap(std::string what, std::function<R(A...)> call, R otherwise) {
    return [state = state_, guard = guard_, what = std::move(what), call = std::move(call),
            otherwise = std::move(otherwise)](A... arguments) -> R {
      const Visit visit(*state);
      if (!visit.allowed()) return otherwise;
      if constexpr (requires(R result) { result.error(); })
        return guard->run(what, "", [&] { return call(std::forward<A>(arguments)...); });
      else
        return guard->template run_or<R>(otherwise, what,
                                         [&] { return call(std::forward<A>(arguments)...); });
    };
  }

  // [any] The same for what gives no answer.
  template <class... A>
  std::function<void(A...)> wrap(std::string what, std::function<void(A...)> call) {
    std::function<Status(A...)> answering = [call = std::move(call)](A... arguments) -> Status {
      call(std::forward<A>(arguments)...);
      return {};
    };
    return [safe = wrap<Status, A...>(std::move(what), std::move(answering), Status{})](A... arguments) {
      static_cast<void>(safe(std::forward<A>(arguments)...));
    };
  }

  // [any] `begin` registers something with somebody, and returns what makes that one forget it, if anything
  // has to. It runs at once or, as long as the instance is tried out, when it is taken.
  using Forget = std::function<void()>;
  void add(std::function<Forget()> begin);

  // [main] The instance is taken: from now on its registrations count.
  void activate();

  // [main] Everybody forgets, no call begins any more, and those inside are waited for. False when the
  // deadline came first: then there is still somebody in the instance.
  bool withdraw(Deadline deadline);

  bool active() const;     // [any]
  bool withdrawn() const;  // [any]

 private:
  struct State {
    Mutex mutex;
    Condition left;
    std::size_t inside HANAPER_GUARDED_BY(mutex) = 0;
    bool active HANAPER_GUARDED_BY(mutex) = false;
    bool closed HANAPER_GUARDED_BY(mutex) = false;
  };
  class Visit {
   public:
    explicit Visit(State& state) : state_(state) {
      const Lock lock(state_.mutex);
      allowed_ = !state_.closed;
      if (allowed_) ++state_.inside;
    }
    ~Visit() {
      if (!allowed_) return;
      const Lock lock(state_.mutex);
      if (--state_.inside == 0) state_.left.notify_all();
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    bool allowed() const noexcept { return allowed_; }

   private:
    State& state_;
    bool allowed_;
  };

  const std::shared_ptr<Guard> guard_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::vector<std::function<Forget()>> waiting_ HANAPER_GUARDED_BY(state_->mutex);
  std::vector<Forget> forget_ HANAPER_GUARDED_BY(state_->mutex);
};

inline void Registrations::add(std::function<Forget()> begin) {
  {
    const Lock lock(state_->mutex);
    if (state_->closed) return;
    if (!state_->active) return waiting_.push_back(std::move(begin));
  }
  Forget forget = begin();
  if (!forget) return;
  const Lock lock(state_->mutex);
  if (!state_->closed) return forget_.push_back(std::move(forget));
  forget();
}

inline void Registrations::activate() {
  std::vector<std::function<Forget()>> waiting;
  {
    const Lock lock(state_->mutex);
    state_->active = true;
    waiting = std::exchange(waiting_, {});
  }
  for (auto& begin : waiting) add(std::move(begin));
}

inline bool Registrations::withdraw(Deadline deadline) {
  std::vector<Forget> forget;
  {
    const Lock lock(state_->mutex);
    state_->closed = true;
    waiting_.clear();
    forget = std::exchange(forget_, {});
  }
  for (const Forget& each : forget) each();
  Lock lock(state_->mutex);
  return state_->left.wait_until(lock, deadline,
                                 [&]() HANAPER_REQUIRES(state_->mutex) { return state_->inside == 0; });
}

inline bool Registrations::active() const {
  const Lock lock(state_->mutex);
  return state_->active && !state_->closed;
}

inline bool Registrations::withdrawn() const {
  const Lock lock(state_->mutex);
  return state_->closed;
}

}  // namespace hanaper::services
