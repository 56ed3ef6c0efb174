#include "watchdog.hpp"

#include <sys/socket.h>

namespace hanaper::sql {

std::shared_ptr<void> Watchdog::guard(int socket, std::chrono::milliseconds limit) {
  const Lock lock(mutex_);
  if (!std::exchange(watches_, true))
    host_.thread("hanaper-dbwatch", [this](const std::stop_token& stop) { run(stop); });
  const auto entry = watched_.insert(watched_.end(), {socket, std::chrono::steady_clock::now() + limit});
  return {nullptr, [this, entry](void*) {
            const Lock inner(mutex_);
            watched_.erase(entry);
          }};
}

// Looks twice a second instead of being woken for each guard: those come and go by the thousand.
void Watchdog::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const Lock lock(mutex_);
    ended_.notify_all();
  });
  Lock lock(mutex_);
  while (!ended_.wait_for(lock, std::chrono::milliseconds{500}, [&] { return stop.stop_requested(); })) {
    const auto now = std::chrono::steady_clock::now();
    for (const Watched& watched : watched_)
      if (watched.until < now) ::shutdown(watched.socket, SHUT_RDWR);
  }
}

}  // namespace hanaper::sql
