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
// one after another, so have the accounts of each, and only some validations of each run at once; so do only
// some at one target, whoever asks for them. Neither a client with thousands of names or accounts without end
// nor a server that never answers, under however many names, keeps another waiting. Thread-safe.
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
    std::size_t at_once, of_one_client, of_one_account, at_one_target;
  };
  explicit ValidationQueue(const Bounds& bounds) : bounds_(bounds) {}

  // Whether one more of that account may wait. What may not is stored, and found again once it is due.
  bool has_room(const std::string& account) const;
  // Whether it waits or runs.
  bool has(const std::string& authorization) const;
  // Does nothing when it waits or runs already, or there is no room.
  void add(Validation validation);
  // One that may begin now; it runs until `done` or `put_back`.
  std::optional<Validation> next();
  // Whether the running validation may connect to `target`. It has a place there until it ends, or asks for
  // another.
  bool enter(const Validation& validation, const std::string& target);
  void done(const Validation& validation);
  // The running validation found no place at its target: it has another turn once there is one.
  void put_back(Validation validation);

 private:
  struct Account {
    std::string client;
    std::deque<Validation> waiting;
    std::size_t running = 0, parked = 0;
    bool is_due = false;  // listed in its client's `due`
  };
  struct Client {
    std::deque<std::string> due;  // accounts that could begin one more, each once
    std::size_t accounts = 0, running = 0;
    bool is_due = false;  // listed in due_
  };
  struct Parked {
    std::string account;
    std::deque<Validation> waiting;
  };
  // Where anybody waits, all places are taken, or somebody was called and is on the way.
  struct Target {
    std::size_t running = 0;
    std::deque<Parked> parked;  // for a place here; accounts in their turn
  };
  enum class Place { taken, refused, called };
  struct Visit {
    std::string target;
    Place place = Place::refused;
  };
  void line_up(const std::string& name, Account& account) HANAPER_REQUIRES(mutex_);
  void line_up(const std::string& name, Client& client) HANAPER_REQUIRES(mutex_);
  void call(Validation validation, const std::string& target) HANAPER_REQUIRES(mutex_);
  void call_next(const std::string& name, Target& target) HANAPER_REQUIRES(mutex_);
  void leave(const std::string& authorization) HANAPER_REQUIRES(mutex_);
  void end_turn(const std::string& account) HANAPER_REQUIRES(mutex_);

  const Bounds bounds_;
  mutable Mutex mutex_;
  std::map<std::string, Account> accounts_ HANAPER_GUARDED_BY(mutex_);  // those with anything to do
  std::map<std::string, Client> clients_ HANAPER_GUARDED_BY(mutex_);    // and whose they are
  std::map<std::string, Target> targets_ HANAPER_GUARDED_BY(mutex_);    // those with a place taken
  std::map<std::string, Visit> visits_ HANAPER_GUARDED_BY(mutex_);      // of authorizations
  std::deque<std::string> due_ HANAPER_GUARDED_BY(mutex_);  // clients that could begin one more, each once
  std::set<std::string> known_ HANAPER_GUARDED_BY(mutex_);  // authorizations that wait or run
  std::size_t running_ HANAPER_GUARDED_BY(mutex_) = 0;
};

}  // namespace hanaper::acme
