// Client libraries that wait for ever, made to give up.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <chrono>
#include <list>
#include <memory>

namespace hanaper::sql {

// Shuts down the sockets of connections whose work takes too long; the library then sees an end of file.
// Thread-safe. To within half a second. Outlives the host's threads of its instance.
class Watchdog {
 public:
  explicit Watchdog(Host& host) : host_(host) {}
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // While the result lives, `socket` stays open no longer than `limit`. The result lives shorter than the
  // socket and the watchdog.
  std::shared_ptr<void> guard(int socket, std::chrono::milliseconds limit);

 private:
  struct Watched {
    int socket;
    std::chrono::steady_clock::time_point until;
  };

  void run(const std::stop_token& stop);

  Host& host_;
  Mutex mutex_;
  Condition ended_;
  std::list<Watched> watched_ HANAPER_GUARDED_BY(mutex_);
  bool watches_ HANAPER_GUARDED_BY(mutex_) = false;
};

}  // namespace hanaper::sql
