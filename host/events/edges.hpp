// States that change, found by looking: each is told once, however often and by how many nodes it is seen.
#pragma once

#include "../services/readiness.hpp"
#include "outbox.hpp"

namespace hanaper::events {

// An authority whose certificate ends within 90, 30 or 7 days, as far as that is less than half of its life.
std::optional<Edge> authority_expiring(const std::string& authority, ByteView certificate, Time not_before,
                                       Time not_after, Time now);

// The newest CRL of a shard, when its next update has passed.
std::optional<Edge> crl_late(const std::string& authority, const CrlRow& newest, Time now);

// "node.started", "node.stopped".
Happening node_event(std::string_view type, const std::string& node, Time now);

// Readiness checks of one node. What fails for less than ten seconds is nobody's business. Belongs to one
// thread.
class HealthWatch {
 public:
  static constexpr std::chrono::seconds patience{10};

  explicit HealthWatch(std::string node) : node_(std::move(node)) {}
  // What is to be raised now.
  std::vector<Edge> look(const services::Readiness::Report& report, Time now);

 private:
  struct Failing {
    Time since;
    bool raised = false;
  };
  Edge edge(std::string_view type, const std::string& check, const Failing& failing, Time now) const;

  const std::string node_;
  std::map<std::string, Failing> failing_;  // by the check's name
};

}  // namespace hanaper::events
