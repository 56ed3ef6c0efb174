// Roles: work that one node does for all.
//
// Behind each is a lease of the storage with a count that its holder raises. No wall clock decides, neither a
// node's nor the database's: each node measures with its own steady clock how long a count has stood still.
// Who is wrong about it all the same, because it was stopped for a while, is refused by the epoch of its
// fence.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <functional>
#include <map>
#include <thread>

namespace hanaper::services {

// Who holds a role: one run of the program on one node.
struct Holder {
  std::string node;   // as configured
  std::string state;  // the id of its state folder, which has one process at a time
  std::string boot;   // of this run

  // As leases have it, at most 200 octets, and the node's name in that.
  std::string text() const { return state + " " + boot + " " + node; }
  static std::string_view node_of(std::string_view text);
  // Whether that is an earlier run in the same state folder: it has ended.
  bool was(std::string_view text) const { return text.starts_with(state + " "); }
};

// The roles and seats of one node. Thread-safe.
class Roles {
 public:
  // The holder raises the count so often,
  static constexpr std::chrono::seconds renewed_every{3};
  // it stops acting so long after the begin of the last time that it could,
  static constexpr std::chrono::seconds believed_for{8};
  // and another takes over when it has watched the same count for so long.
  static constexpr std::chrono::seconds watched_for{10};
  static constexpr std::uint32_t seats = 16;

  // `alone`: no other node can use that storage, so that whoever runs holds every role for good.
  Roles(Storage& storage, Holder self, bool alone, Log& log,
        std::function<Deadline()> clock = std::chrono::steady_clock::now);
  ~Roles();

  // [main] Renews and watches from now on, on a thread of its own. stop gives back what is held.
  void start();
  void stop();

  // [worker] The fence of what only the holder of `role` may write, taken where nobody has the role, or
  // whoever had it is gone. conflict while another node holds it; unavailable.
  Result<Fence> hold(std::string_view role);

  // [any] The same from memory; nothing while this node may not act.
  std::optional<Fence> held(std::string_view role) const;

  const Holder& self() const noexcept { return self_; }

  // [any] Those that this node may act for now.
  std::vector<std::string> mine() const;

  // [worker] From now on: why this node has no roles, and gives back what it holds; why it takes no more.
  void limit(Status have, Status take);

  // [worker] From now on: roles that are to go to a node. This one takes what is to come here, once it is
  // free, and gives back what is to go.
  using Moves = std::map<std::string, std::string, std::less<>>;
  void follow(Moves moves);

  // [worker] Gives it back, so that another node may have it at once. Nothing when it is not held.
  void release(std::string_view role);

  // [worker] This node's part of work that nodes divide by seats, which are roles. The lowest seat that is
  // free is taken; it is held until `stop`. unavailable.
  Result<Share> share(std::string_view work);

  // [worker] What the thread does every second.
  void tend();

 private:
  struct Seen {
    LeaseRow row;
    Deadline since;  // when it was first seen like this
  };
  struct Mine {
    std::uint64_t epoch = 0;
    std::optional<Deadline> good;  // the begin of its last good renewal
  };

  Status may_have(std::string_view role, bool take) const;
  Status look() HANAPER_REQUIRES(looking_);
  Status take(std::string_view role) HANAPER_REQUIRES(looking_);
  void give_back(std::string_view role) HANAPER_REQUIRES(looking_);
  void give_all_back() HANAPER_REQUIRES(looking_);
  bool renewal_is_due(Deadline now) const;
  bool is_free(std::string_view role) const;
  std::string holder_of(std::string_view role) const;
  bool is_good(const Mine& mine) const;
  std::vector<std::string> watch(std::vector<LeaseRow> rows, std::optional<Deadline> renewed);

  Storage& storage_;
  const Holder self_;
  const bool alone_;
  Log& log_;
  const std::function<Deadline()> clock_;

  Mutex looking_;  // one conversation with the storage at a time; taken before:
  mutable Mutex mutex_;
  std::map<std::string, Seen, std::less<>> seen_ HANAPER_GUARDED_BY(mutex_);
  std::map<std::string, Mine, std::less<>> mine_ HANAPER_GUARDED_BY(mutex_);
  Moves moves_ HANAPER_GUARDED_BY(mutex_);
  Status have_ HANAPER_GUARDED_BY(mutex_), take_ HANAPER_GUARDED_BY(mutex_);
  bool complained_ HANAPER_GUARDED_BY(mutex_) = false;
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  Condition changed_;
  std::thread thread_;
};

}  // namespace hanaper::services
