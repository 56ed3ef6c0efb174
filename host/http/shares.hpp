// Something that all clients share, and of which one client may take a part only.
#pragma once

#include <hanaper/toolkit/mutex.hpp>

#include <algorithm>
#include <string>
#include <unordered_map>

namespace hanaper::http {

// Counts what clients hold, each under its name and all together. Remembers only who holds something.
// Thread-safe.
class Shares {
 public:
  Shares(std::size_t all, std::size_t each) : all_(all), each_(std::min(each, all)) {}

  // [any] False, and nothing is taken, when that is more than is left for this client or for all.
  bool take(const std::string& client, std::size_t amount) { return take(client, amount, each_); }

  // [any] The same for one who stands for many clients: he may hold `most` instead of one client's part.
  bool take(const std::string& client, std::size_t amount, std::size_t most) {
    const Lock lock(mutex_);
    if (amount > all_ - taken_ || !add(client, amount, most)) return false;
    taken_ += amount;
    most_ = std::max(most_, taken_);
    return true;
  }

  // [any] Makes part of what `from` holds that of `to`, who may hold `most`. False, and nothing has changed,
  // when he may not.
  bool pass_on(const std::string& from, const std::string& to, std::size_t amount, std::size_t most) {
    const Lock lock(mutex_);
    if (from == to) return true;
    if (!add(to, amount, most)) return false;
    drop(from, amount);
    return true;
  }

  // [any] Part of what was taken.
  void give_back(const std::string& client, std::size_t amount) {
    const Lock lock(mutex_);
    taken_ -= amount;
    drop(client, amount);
  }

  std::size_t all() const noexcept { return all_; }
  std::size_t each() const noexcept { return each_; }

  std::size_t taken() const {
    const Lock lock(mutex_);
    return taken_;
  }

  // [any] True once after at least `amount` of what was held at some time has been given back.
  bool has_ebbed(std::size_t amount) {
    const Lock lock(mutex_);
    if (most_ - taken_ < amount) return false;
    most_ = taken_;
    return true;
  }

 private:
  bool add(const std::string& client, std::size_t amount, std::size_t most) HANAPER_REQUIRES(mutex_) {
    const auto held = held_.find(client);
    const std::size_t before = held == held_.end() ? 0 : held->second;
    if (before > most || amount > most - before) return false;
    if (held != held_.end())
      held->second += amount;
    else
      held_.emplace(client, amount);
    return true;
  }
  void drop(const std::string& client, std::size_t amount) HANAPER_REQUIRES(mutex_) {
    const auto held = held_.find(client);
    held->second -= amount;
    if (held->second == 0) held_.erase(held);
  }

  const std::size_t all_, each_;
  mutable Mutex mutex_;
  std::size_t taken_ HANAPER_GUARDED_BY(mutex_) = 0;
  std::size_t most_ HANAPER_GUARDED_BY(mutex_) = 0;  // since it has ebbed
  std::unordered_map<std::string, std::size_t> held_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::http
