// Tells publishers and notifiers what has happened, wherever it happened: one node for all, the holder of the
// role "events".
//
// Each subscription has a thread of its own, so that a receiver that is slow or away holds up nobody else.
#pragma once

#include "../services/roles.hpp"
#include "subscription.hpp"

#include <thread>

namespace hanaper::events {

// Thread-safe.
class Dispatcher {
 public:
  static constexpr std::string_view role = "events";

  Dispatcher(Context context, services::Roles& roles);
  ~Dispatcher();

  // [main] `edges` is called by the holder once a minute, `checks` on every node every five seconds, to
  // raise what they find.
  void start(std::function<void()> edges, std::function<void()> checks);
  // [main] False when a call under way had not come back by the deadline. The destructor waits for it.
  bool stop(Deadline deadline);

  // [main] All subscribers, from now on. Those that are unchanged go on. The others are called no more when
  // this returns, or it is the deadline: then a call that has not come back ends a subscription when it does,
  // and a new one of the same name begins after that.
  void subscribe(std::vector<Subscriber> subscribers, Deadline deadline);

  // [worker] Sends a dead letter at once, from this node; when it arrives it is a dead letter no more.
  // not_found; unsupported when its object was too large to be kept; unavailable while this node does not
  // tell; and what the instance says.
  Status resend(const std::string& id, const std::string& by, const Call& call);

 private:
  struct Teller {
    explicit Teller(Subscriber subscriber, const Context& context)
        : subscription(std::move(subscriber), context) {}
    Subscription subscription;
    bool quit = false;      // guarded by the dispatcher's mutex
    bool finished = false;  // likewise
    std::thread thread;
  };

  void tick();
  void tell(Teller& teller);
  std::optional<Fence> fence() const;
  bool end(std::vector<std::shared_ptr<Teller>> tellers, Deadline deadline);
  bool is_free(const std::string& name) const HANAPER_REQUIRES(mutex_);
  void complain(std::string_view what, const Error& error);

  const Context context_;
  services::Roles& roles_;
  std::function<void()> edges_, checks_;  // constant after start

  mutable Mutex mutex_;
  Condition changed_;
  std::vector<std::shared_ptr<Teller>> tellers_ HANAPER_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Teller>> leaving_ HANAPER_GUARDED_BY(mutex_);  // asked to end
  std::uint64_t wakes_ HANAPER_GUARDED_BY(mutex_) = 0;                       // counts what is new
  Deadline complained_ HANAPER_GUARDED_BY(mutex_){};
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  std::thread ticker_;
};

}  // namespace hanaper::events
