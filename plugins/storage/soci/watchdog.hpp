// Client libraries that wait for ever, made to give up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace hanaper::sql {

// Shuts down the sockets of connections whose work takes too long; the library then sees an end of file.
// Thread-safe. To within half a second.
class Watchdog {
 public:
  Watchdog() = default;
  ~Watchdog();
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

  void run();

  std::mutex mutex_;
  std::condition_variable ended_;
  std::list<Watched> watched_;  // guarded by mutex_, as all below
  bool quit_ = false;
  std::thread thread_;
};

}  // namespace hanaper::sql
