// The threads of one instance's own. A plugin gets them from the host and has no others: so they end with it,
// and what one throws ends nothing but itself.
#pragma once

#include "guard.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <functional>
#include <list>
#include <thread>

namespace hanaper::services {

// Thread-safe.
class Threads {
 public:
  using Body = std::function<void(const std::stop_token&)>;

  explicit Threads(std::shared_ptr<Guard> guard) : guard_(std::move(guard)) {}
  // Waits for those that have not ended: nothing is freed under a thread.
  ~Threads();

  // [any] Runs `body` on a thread of that name until it returns, which it does soon when it is asked to stop.
  // Not at all after `stop`.
  void start(std::string_view name, Body body);

  // [main] Asks all to stop and waits for them. False when the deadline came first; those that go on are in
  // `running`.
  bool stop(Deadline deadline);

  // [any] The names of those that have not ended.
  std::vector<std::string> running() const;

  // [any] unavailable, with its name, when one has been ended by an exception.
  Status health() const;

 private:
  struct One {
    std::string name;
    bool ended = false;   // guarded by mutex_
    bool failed = false;  // likewise
    std::jthread thread;
  };

  void run(One& one, const Body& body, const std::stop_token& stop);

  const std::shared_ptr<Guard> guard_;
  mutable Mutex mutex_;
  Condition changed_;
  std::list<One> threads_ HANAPER_GUARDED_BY(mutex_);  // at stable addresses
  bool closed_ HANAPER_GUARDED_BY(mutex_) = false;
};

}  // namespace hanaper::services
