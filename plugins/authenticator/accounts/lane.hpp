// Who may hash a password, and when.
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

namespace hanaper::accounts {

// Lets in a few at a time, in the order in which they came, each no sooner than a pause after the one before.
// Whoever waits here holds one of the threads that serve everybody: so only few may wait. Thread-safe.
class Lane {
 public:
  struct Form {
    std::size_t inside, waiting;        // at once
    std::size_t of_one;                 // waiting or inside, of one client
    std::chrono::milliseconds pause{};  // between two entries
  };
  explicit Lane(const Form& form) : form_(form) {}

  // [worker] Runs `work` when it is this client's turn, and gives what it gives; `busy` when there is no room
  // or the deadline comes first.
  template <class Work>
  auto run(const std::string& client, Deadline deadline, const Error& busy, Work&& work) -> decltype(work()) {
    if (!enter(client, deadline)) return busy;
    const Leave leave{*this, client};
    return work();
  }

 private:
  bool enter(const std::string& client, Deadline deadline) {
    Lock lock(mutex_);
    if (queue_.size() + inside_ >= form_.waiting + form_.inside) return false;
    std::size_t& mine = clients_[client];
    if (mine >= form_.of_one) return false;
    ++mine;
    const std::uint64_t ticket = ++tickets_;
    queue_.push_back(ticket);
    for (;;) {
      const Deadline now = std::chrono::steady_clock::now();
      const bool next = queue_.front() == ticket && inside_ < form_.inside;
      if (next && now >= open_at_) break;
      if (now >= deadline) {
        std::erase(queue_, ticket);
        forget(client);
        changed_.notify_all();
        return false;
      }
      changed_.wait_until(lock, next ? std::min(open_at_, deadline) : deadline);
    }
    queue_.pop_front();
    ++inside_;
    open_at_ = std::chrono::steady_clock::now() + form_.pause;
    changed_.notify_all();
    return true;
  }
  struct Leave {
    Lane& lane;
    const std::string& client;
    ~Leave() { lane.leave(client); }
  };
  void leave(const std::string& client) {
    const Lock lock(mutex_);
    --inside_;
    forget(client);
    changed_.notify_all();
  }
  void forget(const std::string& client) HANAPER_REQUIRES(mutex_) {
    const auto found = clients_.find(client);
    if (--found->second == 0) clients_.erase(found);
  }

  const Form form_;
  Mutex mutex_;
  Condition changed_;
  std::deque<std::uint64_t> queue_ HANAPER_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::size_t> clients_ HANAPER_GUARDED_BY(mutex_);
  std::uint64_t tickets_ HANAPER_GUARDED_BY(mutex_) = 0;
  std::size_t inside_ HANAPER_GUARDED_BY(mutex_) = 0;
  Deadline open_at_ HANAPER_GUARDED_BY(mutex_){};
};

}  // namespace hanaper::accounts
