#include "edges.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::events {
namespace {

constexpr std::chrono::days expiry_thresholds[] = {std::chrono::days{7}, std::chrono::days{30},
                                                   std::chrono::days{90}};

Happening of_authority(std::string_view type, const std::string& authority, Time now) {
  Happening happening;
  happening.type = type;
  happening.source = source_of("authorities", authority);
  happening.subject = happening.authority = authority;
  happening.at = now;
  return happening;
}

}  // namespace

std::optional<Edge> authority_expiring(const std::string& authority, ByteView certificate, Time not_before,
                                       Time not_after, Time now) {
  for (const std::chrono::days threshold : expiry_thresholds) {
    if (now >= not_after || 2 * threshold >= not_after - not_before) break;
    if (not_after - now > threshold) continue;
    Edge edge{of_authority("authority.expiring", authority, now),
              to_hex(crypto::sha256(certificate)) + "/" + std::to_string(threshold.count())};
    edge.happening.data = {{"authority", authority},
                           {"not_after", time_text(not_after)},
                           {"days", static_cast<std::int64_t>(threshold.count())}};
    return edge;
  }
  return std::nullopt;
}

std::optional<Edge> crl_late(const std::string& authority, const CrlRow& newest, Time now) {
  if (newest.next_update > now) return std::nullopt;
  Edge edge{of_authority("crl.late", authority, now),
            shard_text(newest.shard) + "/" + std::to_string(newest.number)};
  edge.happening.data = {{"authority", authority},
                         {"shard", shard_text(newest.shard)},
                         {"number", static_cast<std::int64_t>(newest.number)},
                         {"next_update", time_text(newest.next_update)}};
  return edge;
}

Happening node_event(std::string_view type, const std::string& node, Time now) {
  Happening happening;
  happening.type = type;
  happening.source = source_of("nodes", node);
  happening.subject = node;
  happening.id = happening.type + happening.source + "/" + std::to_string(milliseconds(now));
  happening.at = now;
  happening.data = {{"node", node}, {"version", HANAPER_VERSION}};
  return happening;
}

Edge HealthWatch::edge(std::string_view type, const std::string& check, const Failing& failing,
                       Time now) const {
  Edge edge;
  edge.happening.type = type;
  edge.happening.source = source_of("nodes", node_);
  edge.happening.subject = check;
  edge.happening.at = now;
  edge.happening.data = {{"node", node_}, {"check", check}, {"since", time_text_ms(failing.since)}};
  edge.occurrence = node_ + "/" + std::to_string(milliseconds(failing.since));
  return edge;
}

std::vector<Edge> HealthWatch::look(const services::Readiness::Report& report, Time now) {
  std::vector<Edge> edges;
  for (const auto& [name, unused, status] : report) {
    auto known = failing_.find(name);
    if (status) {
      if (known == failing_.end()) continue;
      if (known->second.raised) edges.push_back(edge("health.restored", name, known->second, now));
      failing_.erase(known);
      continue;
    }
    if (known == failing_.end()) known = failing_.emplace(name, Failing{now}).first;
    Failing& failing = known->second;
    if (failing.raised || now < failing.since + patience) continue;
    failing.raised = true;
    edges.push_back(edge("health.failed", name, failing, now));
    edges.back().happening.data.emplace_back("error", status.error().detail);
  }
  return edges;
}

}  // namespace hanaper::events
