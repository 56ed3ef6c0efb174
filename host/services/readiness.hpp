// What the node can do now: the checks behind /health.
//
// A check belongs to a plugin and may hang. So no request runs one: a thread of the host takes them all ten
// times a second, and whoever asks reads what it saw.
#pragma once

#include "registrations.hpp"

#include <atomic>
#include <thread>

namespace hanaper::services {

// Named checks, each for a purpose. Thread-safe.
class Readiness {
 public:
  struct Outcome {
    std::string name;
    Purpose purpose = Purpose::issue;
    Status status;
  };
  using Report = std::vector<Outcome>;

  ~Readiness() { stop(); }

  // [any] `check` is quick and does not throw; `remove` takes what `add` returns.
  std::uint64_t add(std::string name, Purpose purpose, std::function<Status()> check);
  void remove(std::uint64_t id);

  // [main] Takes the checks every 100 ms from now on, once before it returns. `each_time` runs with them.
  void start(std::function<void()> each_time = {});
  // [main]
  void stop();

  // [any] What the last look saw; from memory. A check that has not answered for 2.2 s does not hold, and
  // the others are taken without it.
  Report report() const;

  // [any] Somebody asks, as balancers do; and when that was last.
  void asked() { asked_ = std::chrono::steady_clock::now().time_since_epoch().count(); }
  Deadline last_asked() const { return Deadline{Deadline::duration{asked_.load()}}; }

  // [any] The first check for that purpose that does not hold; success when all do.
  Status status(Purpose purpose) const;

 private:
  struct Check {
    std::uint64_t id = 0;
    std::string name;
    Purpose purpose = Purpose::issue;
    std::function<Status()> run;
    // Guarded by the state's mutex.
    Status last;
    bool seen = false, running = false, abandoned = false;
    Deadline since{};  // of the run that goes on
  };
  // Outlives a thread that hangs in a check.
  struct State {
    Mutex mutex;
    Condition wake;
    std::vector<std::shared_ptr<Check>> checks HANAPER_GUARDED_BY(mutex);
    std::uint64_t last_id HANAPER_GUARDED_BY(mutex) = 0;
    // The thread that takes the checks; others have hung.
    std::uint64_t looker HANAPER_GUARDED_BY(mutex) = 0;
    bool looking HANAPER_GUARDED_BY(mutex) = false;
    bool quit HANAPER_GUARDED_BY(mutex) = false;
  };
  static void look(State& state, std::uint64_t looker);
  static void start_looker(const std::shared_ptr<State>& state) HANAPER_REQUIRES(state->mutex);
  void keep(const std::function<void()>& each_time);

  std::atomic<Deadline::rep> asked_{0};
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::thread keeper_;  // [main]
};

// A check's name in front: the instance that registered it.
class InstanceHealth final : public Health {
 public:
  InstanceHealth(Readiness& readiness, Registrations& registrations, std::string instance)
      : readiness_(readiness), registrations_(registrations), instance_(std::move(instance)) {}
  void check(std::string_view name, std::function<Status()> check, Purpose purpose) override;

 private:
  Readiness& readiness_;
  Registrations& registrations_;
  const std::string instance_;
};

}  // namespace hanaper::services
