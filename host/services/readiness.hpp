// The checks behind /health/ready.
#pragma once

#include <hanaper/host.hpp>

#include <mutex>

namespace hanaper::services {

// Named checks and the phases of the process. Thread-safe.
class Readiness final : public Health {
 public:
  struct Outcome {
    std::string name;
    Status status;
  };

  void check(std::string_view name, std::function<Status()> check) override {
    const std::lock_guard lock(mutex_);
    checks_.push_back({std::string(name), std::move(check)});
  }

  // Every check by name, in the order of registration.
  std::vector<Outcome> run() const {
    std::vector<Outcome> outcomes;
    const std::lock_guard lock(mutex_);
    for (const Check& check : checks_) outcomes.push_back({check.name, check.run()});
    return outcomes;
  }

 private:
  struct Check {
    std::string name;
    std::function<Status()> run;
  };
  mutable std::mutex mutex_;
  std::vector<Check> checks_;  // guarded by mutex_
};

// A check's name in front: the instance that registered it.
class InstanceHealth final : public Health {
 public:
  InstanceHealth(Readiness& readiness, std::string instance)
      : readiness_(readiness), instance_(std::move(instance)) {}
  void check(std::string_view name, std::function<Status()> check) override {
    readiness_.check(name.empty() ? instance_ : instance_ + "." + std::string(name), std::move(check));
  }

 private:
  Readiness& readiness_;
  const std::string instance_;
};

}  // namespace hanaper::services
