#include "watchdog.hpp"

#include <sys/socket.h>

#include <pthread.h>

namespace hanaper::sql {

Watchdog::~Watchdog() {
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<void> Watchdog::guard(int socket, std::chrono::milliseconds limit) {
  const Lock lock(mutex_);
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "hanaper-dbwatch");
  }
  const auto entry = watched_.insert(watched_.end(), {socket, std::chrono::steady_clock::now() + limit});
  return {nullptr, [this, entry](void*) {
            const Lock inner(mutex_);
            watched_.erase(entry);
          }};
}

// Looks twice a second instead of being woken for each guard: those come and go by the thousand.
void Watchdog::run() {
  Lock lock(mutex_);
  while (!ended_.wait_for(lock, std::chrono::milliseconds{500},
                          [&]() HANAPER_REQUIRES(mutex_) { return quit_; })) {
    const auto now = std::chrono::steady_clock::now();
    for (const Watched& watched : watched_)
      if (watched.until < now) ::shutdown(watched.socket, SHUT_RDWR);
  }
}

}  // namespace hanaper::sql
