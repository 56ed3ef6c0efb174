// Whose validation is next on this node.
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace hanaper::acme {

// A validation waits for servers that we do not know, and holds a thread meanwhile. Accounts are served in
// turn, a few validations of each at once: an account whose servers never answer, or which has thousands of
// names, does not keep others waiting. Thread-safe.
class ValidationQueue {
 public:
  struct Validation {
    std::string account, authorization;
    // Until when this node has claimed the attempt, as stored; none: the first node to ask may have it.
    std::optional<Time> claimed;
    bool abandoned = false;  // claimed until later, but by a node that is gone
  };

  ValidationQueue(std::size_t at_once, std::size_t of_one_account)
      : at_once_(at_once), of_one_account_(of_one_account) {}

  // Whether one more of that account may wait. What may not is stored, and found again once it is due.
  bool has_room(const std::string& account) const;
  // Whether it waits or runs.
  bool has(const std::string& authorization) const;
  // Does nothing when it waits or runs already, or there is no room.
  void add(Validation validation);
  // One that may begin now; it runs until `done`.
  std::optional<Validation> next();
  void done(const Validation& validation);

 private:
  struct Account {
    std::deque<Validation> waiting;
    std::size_t running = 0;
    bool is_due = false;  // listed in due_
  };
  void line_up(const std::string& name, Account& account) HANAPER_REQUIRES(mutex_);

  const std::size_t at_once_, of_one_account_;
  mutable Mutex mutex_;
  std::map<std::string, Account> accounts_ HANAPER_GUARDED_BY(mutex_);  // those with anything to do
  std::deque<std::string> due_ HANAPER_GUARDED_BY(mutex_);  // accounts that could begin one more, each once
  std::set<std::string> known_ HANAPER_GUARDED_BY(mutex_);  // authorizations that wait or run
  std::size_t running_ HANAPER_GUARDED_BY(mutex_) = 0;
};

}  // namespace hanaper::acme
