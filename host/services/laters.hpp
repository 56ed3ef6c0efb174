// The host's side of Later<T>: who still waits for an answer, until when, and the threads for what follows.
#pragma once

#include "guard.hpp"
#include "worker_pool.hpp"

#include <hanaper/later.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <list>
#include <map>
#include <memory>

namespace hanaper::services {

class PendingCall;

// Deadlines and threads for all instances, which it outlives. Its threads begin with the first call.
// Thread-safe.
class LaterTable {
 public:
  // Calls that have not finished; beyond, new ones end at once.
  static constexpr std::size_t most = 4096;

  explicit LaterTable(Metrics& metrics);
  ~LaterTable();  // runs what was handed over

  // [main] Where goes what follows on network threads. Before, and after an empty one, the thread that keeps
  // the deadlines does it: it never blocks either.
  using Task = std::function<void()>;
  using Post = std::function<void(Task)>;
  void serve_network(Post post);

 private:
  friend class PendingCall;
  friend class InstanceLaters;

  using Due = std::multimap<Deadline, PendingCall*>;
  bool enter(PendingCall& call);  // false: too many
  void leave(PendingCall& call);
  void run(Thread where, Task task);
  void keep();
  // What is to be done at a time that has come; nothing when there is none.
  std::vector<Task> take_due() HANAPER_REQUIRES(mutex_);
  void start() HANAPER_REQUIRES(mutex_);

  Counter& ignored_;
  Gauge& pending_;
  Mutex mutex_;
  Condition changed_;
  Due due_ HANAPER_GUARDED_BY(mutex_);  // of those that have not left
  std::deque<Task> keeper_tasks_ HANAPER_GUARDED_BY(mutex_);
  std::deque<Task> overflow_ HANAPER_GUARDED_BY(mutex_);  // for workers whose queue was full
  std::size_t count_ HANAPER_GUARDED_BY(mutex_) = 0;
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  Post post_ HANAPER_GUARDED_BY(mutex_);
  std::unique_ptr<WorkerPool> workers_ HANAPER_GUARDED_BY(mutex_);
  std::thread keeper_;  // made under mutex_, joined when nobody else is there
};

// Those of one instance. Thread-safe.
class InstanceLaters final : public Laters {
 public:
  InstanceLaters(LaterTable& table, std::shared_ptr<Guard> guard) : table_(table), guard_(std::move(guard)) {}
  ~InstanceLaters() { static_cast<void>(withdraw(Deadline{})); }

  // [main] Ends them all and waits until what follows has run; new ones end at once. False when the deadline
  // came first: then somebody is still in the instance.
  bool withdraw(Deadline deadline);

 protected:
  std::shared_ptr<Pending> begin(Thread where, const Call& call) override;

 private:
  friend class PendingCall;
  // Outlives the instance where somebody does not come back.
  struct State {
    Mutex mutex;
    Condition left;
    std::list<std::weak_ptr<PendingCall>> calls HANAPER_GUARDED_BY(mutex);  // that have not left
    bool closed HANAPER_GUARDED_BY(mutex) = false;
  };

  LaterTable& table_;
  const std::shared_ptr<Guard> guard_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace hanaper::services
