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

// A validation waits for servers that we do not know, and holds a thread meanwhile. Clients have their turns
// one after another, so have the accounts of each, and only some validations of each run at once. A client
// with servers that never answer, thousands of names or accounts without end keeps no other waiting.
// Thread-safe.
class ValidationQueue {
 public:
  struct Validation {
    std::string account, authorization;
    std::string client;  // by address; empty: not known, then the account stands for it
    // Until when this node has claimed the attempt, as stored; none: the first node to ask may have it.
    std::optional<Time> claimed;
    bool abandoned = false;  // claimed until later, but by a node that is gone
  };

  struct Bounds {
    std::size_t at_once, of_one_client, of_one_account;
  };
  explicit ValidationQueue(const Bounds& bounds) : bounds_(bounds) {}

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
    std::string client;
    std::deque<Validation> waiting;
    std::size_t running = 0;
    bool is_due = false;  // listed in its client's `due`
  };
  struct Client {
    std::deque<std::string> due;  // accounts that could begin one more, each once
    std::size_t accounts = 0, running = 0;
    bool is_due = false;  // listed in due_
  };
  void line_up(const std::string& name, Account& account) HANAPER_REQUIRES(mutex_);
  void line_up(const std::string& name, Client& client) HANAPER_REQUIRES(mutex_);

  const Bounds bounds_;
  mutable Mutex mutex_;
  std::map<std::string, Account> accounts_ HANAPER_GUARDED_BY(mutex_);  // those with anything to do
  std::map<std::string, Client> clients_ HANAPER_GUARDED_BY(mutex_);    // and whose they are
  std::deque<std::string> due_ HANAPER_GUARDED_BY(mutex_);  // clients that could begin one more, each once
  std::set<std::string> known_ HANAPER_GUARDED_BY(mutex_);  // authorizations that wait or run
  std::size_t running_ HANAPER_GUARDED_BY(mutex_) = 0;
};

}  // namespace hanaper::acme
