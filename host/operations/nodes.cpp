// nodes, roles, role move: who works on this storage, and who does what for all.
#include "table.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <thread>

namespace hanaper::operations {
namespace {

std::string_view state_of(const services::Nodes::Peer& peer, bool judged) {
  if (peer.said.boot.empty()) return "stopped";
  if (!judged) return "unknown";
  return peer.lives ? "lives" : "late";
}

// A role that was never taken, or of which nobody has heard here, is none.
Result<LeaseRow> find_lease(Node& node, const std::string& role) {
  HANAPER_TRY(const std::vector<LeaseRow> leases, node.storage().leases().all());
  const auto found = std::ranges::find(leases, role, &LeaseRow::name);
  if (found != leases.end()) return *found;
  std::vector<std::string> known;
  for (const LeaseRow& lease : leases) known.push_back(lease.name);
  return not_found("no role \"" + role + "\"" + config::suggestion(role, known) +
                   "; hanaper roles lists them");
}

Status check_target(const services::Nodes& nodes, const std::string& to) {
  const std::vector<services::Nodes::Peer> peers = nodes.peers();
  const auto found = std::ranges::find(peers, to, [](const auto& peer) { return peer.said.name; });
  if (found == peers.end()) {
    std::vector<std::string> known;
    for (const auto& peer : peers) known.push_back(peer.said.name);
    return not_found("no node \"" + to + "\"" + config::suggestion(to, known) + "; hanaper nodes lists them");
  }
  if (!found->lives) return unavailable("node " + to + " does not live: no role can go there");
  return {};
}

json::Value role_row(const LeaseRow& lease) {
  json::Object row{{"role", lease.name}};
  if (!lease.holder.empty()) row.emplace_back("node", std::string(services::Holder::node_of(lease.holder)));
  row.emplace_back("epoch", static_cast<std::int64_t>(lease.epoch));
  row.emplace_back("renewals", static_cast<std::int64_t>(lease.renewals));
  return row;
}

}  // namespace

Result<json::Value> list_nodes(Node& node, const Caller&, const Arguments&, Call&) {
  json::Array rows;
  if (!node.shared().nodes) {
    rows.emplace_back(json::Object{{"node", node.model().node.name},
                                   {"state", node.on_reload ? "lives" : "stopped"},
                                   {"version", HANAPER_VERSION}});
    return items(std::move(rows));
  }
  const bool judged = static_cast<bool>(node.on_reload);
  if (!judged) HANAPER_CHECK(node.shared().nodes->look());
  for (const services::Nodes::Peer& peer : node.shared().nodes->peers()) {
    json::Object row{{"node", peer.said.name},
                     {"state", state_of(peer, judged)},
                     {"version", peer.said.version},
                     {"beat", time_text(peer.said.clock)}};
    if (peer.ahead) row.emplace_back("ahead", peer.ahead->count());
    row.emplace_back("roles", json::Array(peer.said.roles.begin(), peer.said.roles.end()));
    row.emplace_back("urls", json::Array(peer.said.urls.begin(), peer.said.urls.end()));
    rows.emplace_back(std::move(row));
  }
  return items(std::move(rows));
}

Result<json::Value> list_roles(Node& node, const Caller&, const Arguments&, Call&) {
  HANAPER_TRY(const std::vector<LeaseRow> leases, node.storage().leases().all());
  json::Array rows;
  for (const LeaseRow& lease : leases) rows.emplace_back(role_row(lease));
  return items(std::move(rows));
}

// The holder gives it back and the other takes it at their next look, each within a second.
Result<json::Value> move_role(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  constexpr auto step = std::chrono::milliseconds{100};
  constexpr auto patience = std::chrono::seconds{15};
  const std::string& role = arguments.text("role");
  const std::string& to = arguments.text("to");
  if (!node.shared().nodes || !node.on_reload)
    return unsupported("roles are moved by a daemon whose storage several nodes share");
  HANAPER_TRY(LeaseRow lease, find_lease(node, role));
  HANAPER_CHECK(check_target(*node.shared().nodes, to));
  const std::string from(services::Holder::node_of(lease.holder));
  if (from != to)
    HANAPER_CHECK(node.shared().nodes->ask_to_move(role, to, caller.requester(), call.deadline));
  const Deadline until = std::min(call.deadline, std::chrono::steady_clock::now() + patience);
  while (services::Holder::node_of(lease.holder) != to) {
    if (std::chrono::steady_clock::now() >= until)
      return unavailable("node " + to + " has not taken the role " + role +
                         " yet; hanaper roles shows who has it");
    std::this_thread::sleep_for(step);
    HANAPER_TRY(lease, find_lease(node, role));
  }
  return role_row(lease);
}

}  // namespace hanaper::operations
