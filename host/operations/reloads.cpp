#include "reloads.hpp"

#include <csignal>

namespace hanaper::operations {

Reloads::Outcome Reloads::ask(Call& call) {
  Lock lock(mutex_);
  const std::uint64_t mine = ++asked_;
  ::pthread_kill(main_, SIGHUP);
  const bool answered = answered_.wait_until(
      lock, call.deadline, [&]() HANAPER_REQUIRES(mutex_) { return done_ >= mine || ended_; });
  if (done_ >= mine) return outcome_;
  if (answered) return unavailable("the daemon stops");
  return unavailable("the configuration is still being read; the log will say what came of it");
}

void Reloads::answer(const std::function<Outcome()>& reload) {
  Lock lock(mutex_);
  const std::uint64_t covered = asked_;
  lock.unlock();
  Outcome outcome = reload();
  lock.lock();
  outcome_ = std::move(outcome);
  done_ = covered;
  answered_.notify_all();
}

void Reloads::end() {
  const Lock lock(mutex_);
  ended_ = true;
  answered_.notify_all();
}

}  // namespace hanaper::operations
