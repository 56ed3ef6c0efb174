#include "nodes.hpp"

#include "audit.hpp"
#include "thread_tag.hpp"

#include <hanaper/toolkit/json.hpp>

#include <pthread.h>

#include <algorithm>

namespace hanaper::services {
namespace {

constexpr std::string_view nodes_collection = ".nodes", moves_collection = ".role-moves";
constexpr std::uint32_t most_nodes = 64;
// A node that has not written for so long is forgotten.
constexpr std::chrono::hours remembered{30 * 24};
constexpr std::chrono::seconds move_takes{30};
// How many beats tell what the shortest way of one is.
constexpr std::size_t ways = 8;
// A beat is on its way for half a second on average, until the next look at it.
constexpr std::chrono::milliseconds half_a_beat{500};

constexpr std::chrono::milliseconds commit_takes{5000};

std::string seconds_text(std::chrono::milliseconds apart) {
  return std::to_string(std::chrono::round<std::chrono::seconds>(std::chrono::abs(apart)).count()) + " s";
}

}  // namespace

std::string NodeSaid::text() const {
  return json::write(json::Value(json::Object{{"name", name},
                                              {"state", state},
                                              {"boot", boot},
                                              {"version", version},
                                              {"urls", json::Array(urls.begin(), urls.end())},
                                              {"roles", json::Array(roles.begin(), roles.end())},
                                              {"clock", clock.time_since_epoch().count()},
                                              {"in_step", in_step},
                                              {"beat", static_cast<std::int64_t>(beat)}}));
}

Result<NodeSaid> NodeSaid::read(std::string_view text) {
  HANAPER_TRY(const json::Value value, json::parse(text));
  NodeSaid said;
  said.name = value.text_at("name");
  said.state = value.text_at("state");
  said.boot = value.text_at("boot");
  said.version = value.text_at("version");
  said.urls = value.texts_at("urls");
  said.roles = value.texts_at("roles");
  said.clock = Time{std::chrono::milliseconds{value.integer_at("clock")}};
  const json::Value* in_step = value.find("in_step");
  said.in_step = in_step != nullptr && in_step->boolean() != nullptr && *in_step->boolean();
  said.beat = static_cast<std::uint64_t>(value.integer_at("beat"));
  if (said.name.empty() || said.state.empty()) return malformed("says neither name nor state folder");
  return said;
}

Nodes::Nodes(Means means, Holder self, std::vector<std::string> urls)
    : means_(std::move(means)), self_(std::move(self)), urls_(std::move(urls)) {}

Status Nodes::claim(const std::function<void(std::chrono::milliseconds)>& pause) {
  constexpr std::chrono::milliseconds step{100};
  std::optional<NodeSaid> first;
  for (std::chrono::milliseconds watched{0}; watched <= watched_for; watched += step) {
    auto record = means_.storage.records().get(nodes_collection, self_.node);
    if (!record) {
      set_version(0);
      return record.error().code == Code::not_found ? Status{} : Status(std::move(record).error());
    }
    set_version(record->version);
    const auto said = NodeSaid::read(record->data);
    // Whoever had our state folder has ended: it has one process at a time.
    if (!said || said->state == self_.state || said->boot.empty()) return {};
    if (first && first->beat != said->beat)
      return conflict("another node lives under the name \"" + self_.node + "\"" +
                      (said->urls.empty() ? "" : ", at " + said->urls.front()) +
                      ": give this one another, by name in [node]");
    if (!first) first = *said;
    pause(step);
  }
  means_.log.warning("takes the name of a node that is gone", {{"node", self_.node}});
  return {};
}

void Nodes::set_version(std::uint64_t version) {
  const Lock lock(mutex_);
  version_ = version;
}

void Nodes::start(std::function<void(Error)> displaced) {
  HANAPER_ON(main);
  thread_ = std::thread([this, displaced = std::move(displaced)] {
    thread_is(ThreadKind::worker);
    const auto quits = [&]() HANAPER_REQUIRES(mutex_) { return quit_; };
    bool told = false;
    for (;;) {
      Status tended = tend();
      if (!tended && tended.error().code == Code::conflict) return displaced(std::move(tended).error());
      if (!tended && !told) means_.log.warning("no beat", {{"error", tended.error().detail}});
      told = !tended;
      Lock lock(mutex_);
      if (changed_.wait_for(lock, beats_every, quits)) return;
    }
  });
  pthread_setname_np(thread_.native_handle(), "hanaper-nodes");
}

void Nodes::stop() {
  {
    const Lock lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  if (const Status gone = beat(true); !gone)
    means_.log.debug("the others are not told of the stop", {{"error", gone.error().detail}});
}

Status Nodes::tend() {
  HANAPER_CHECK(beat(false));
  HANAPER_CHECK(look());
  return follow_moves();
}

// What our own last try has written counts as ours, whatever was heard of it.
Status Nodes::beat(bool leaving) {
  const NodeSaid said{.name = self_.node,
                      .state = self_.state,
                      .boot = leaving ? "" : self_.boot,
                      .version = HANAPER_VERSION,
                      .urls = urls_,
                      .roles = leaving ? std::vector<std::string>{} : means_.roles.mine(),
                      .clock = means_.clock.now(),
                      .in_step = means_.in_step(),
                      .beat = ++beat_};
  std::uint64_t version = 0;
  {
    const Lock lock(mutex_);
    version = version_;
  }
  Write write;
  write.records.push_back({std::string(nodes_collection),
                           self_.node,
                           version,
                           false,
                           means_.clock.now() + remembered,
                           {},
                           said.text()});
  Status written = means_.writer.commit(write, std::chrono::steady_clock::now() + commit_takes);
  if (written) {
    const Lock lock(mutex_);
    ++version_;
    ++committed_;
    return {};
  }
  HANAPER_CHECK(name_is_ours());
  if (written.error().code != Code::conflict) return written;
  const auto record = means_.storage.records().get(nodes_collection, self_.node);
  if (!record && record.error().code != Code::not_found) return record.error();
  set_version(record ? record->version : 0);
  return unavailable("its last outcome was not heard");
}

Status Nodes::name_is_ours() const {
  const auto record = means_.storage.records().get(nodes_collection, self_.node);
  if (!record) return record.error().code == Code::not_found ? Status{} : Status(record.error());
  const auto said = NodeSaid::read(record->data);
  if (!said || said->state == self_.state) return {};
  const Lock lock(mutex_);
  if (record->version == version_) return {};  // what was there when we took it
  return conflict("another node has taken the name \"" + self_.node +
                  "\": this one ends, for two of one name spoil each other's audit");
}

Status Nodes::look() {
  HANAPER_TRY(const std::vector<Record> rows,
              means_.storage.records().find(nodes_collection, "", "", "", most_nodes));
  std::vector<NodeSaid> all;
  for (const Record& row : rows)
    if (auto said = NodeSaid::read(row.data)) all.push_back(*std::move(said));
  Clocks clocks;
  {
    const Lock lock(mutex_);
    std::erase_if(seen_, [&](const auto& seen) {
      return std::ranges::find(all, seen.first, &NodeSaid::name) == all.end();
    });
    for (NodeSaid& said : all) see(std::move(said));
    clocks = judge();
    if (clocks_.near && !clocks.near)
      means_.log.warning("clocks of nodes differ", {{"error", clocks.near.error().detail}});
    clocks_ = clocks;
  }
  means_.roles.limit(std::move(clocks.in_step), std::move(clocks.behind));
  return {};
}

void Nodes::see(NodeSaid said) {
  const auto found = seen_.find(said.name);
  const bool same_run = found != seen_.end() && found->second.said.boot == said.boot;
  if (same_run && found->second.said.beat == said.beat) return;
  Seen seen;
  if (same_run) seen.last = std::move(found->second.last);
  seen.at = committed_;
  // What lay there when we came may be old; the next one tells the time.
  if (same_run && said.name != self_.node) {
    seen.last.push_back(said.clock - means_.clock.now() + half_a_beat);
    if (seen.last.size() > ways) seen.last.erase(seen.last.begin());
    seen.ahead = *std::ranges::max_element(seen.last);
  }
  seen.said = std::move(said);
  std::string name = seen.said.name;
  seen_.insert_or_assign(std::move(name), std::move(seen));
}

bool Nodes::lives(const Seen& seen) const {
  if (seen.said.boot.empty()) return false;
  return seen.said.boot == self_.boot || committed_ < seen.at + late_after;
}

Nodes::Clocks Nodes::judge() const {
  Clocks clocks;
  const bool in_step = means_.in_step();
  for (const auto& [name, seen] : seen_) {
    if (!lives(seen) || !seen.ahead || std::chrono::abs(*seen.ahead) <= told_beyond) continue;
    const std::string apart = "the clock of node " + name + " is " + seconds_text(*seen.ahead) +
                              (seen.ahead->count() > 0 ? " ahead of" : " behind") + " this one's";
    clocks.near = unavailable(apart);
    if (std::chrono::abs(*seen.ahead) <= yields_beyond) continue;
    if (!in_step && seen.said.in_step)
      clocks.in_step = unavailable(apart + ", and nobody keeps this one in step: set it right");
    // With both in step, or neither, nobody knows who is right; who is ahead takes no role.
    if (in_step == seen.said.in_step && seen.ahead->count() < 0) clocks.behind = unavailable(apart);
  }
  return clocks;
}

std::vector<Nodes::Peer> Nodes::peers() const {
  const Lock lock(mutex_);
  std::vector<Peer> peers;
  for (const auto& [name, seen] : seen_) peers.push_back({seen.said, lives(seen), seen.ahead});
  return peers;
}

bool Nodes::is_over(std::string_view holder) const {
  if (std::ranges::count(holder, ' ') != 2) return false;
  const Lock lock(mutex_);
  const auto found = seen_.find(Holder::node_of(holder));
  if (found == seen_.end()) return false;
  const Seen& seen = found->second;
  const bool same_run = Holder{seen.said.name, seen.said.state, seen.said.boot}.text() == holder;
  return !same_run || !lives(seen);
}

Status Nodes::yields() const {
  const Lock lock(mutex_);
  return clocks_.in_step;
}

Status Nodes::clocks() const {
  const Lock lock(mutex_);
  return clocks_.near;
}

Status Nodes::ask_to_move(const std::string& role, const std::string& to, const std::string& by,
                          Deadline deadline) {
  const auto record = means_.storage.records().get(moves_collection, role);
  if (!record && record.error().code != Code::not_found) return record.error();
  Write write;
  write.records.push_back({std::string(moves_collection),
                           role,
                           record ? record->version : 0,
                           false,
                           means_.clock.now() + move_takes,
                           {},
                           to});
  write.audit = audit_line(means_.clock.now(), "role.move", {{"role", role}, {"to", to}, {"requester", by}});
  return means_.writer.commit(write, deadline);
}

// Who has the role gives it back, for whom it is asked takes it and says that it is done.
Status Nodes::follow_moves() {
  HANAPER_TRY(const std::vector<Record> rows,
              means_.storage.records().find(moves_collection, "", "", "", most_nodes));
  std::map<std::string, std::string, std::less<>> moves;
  for (const Record& row : rows) moves.emplace(row.key, row.data);
  means_.roles.follow(moves);
  for (const Record& row : rows) {
    if (row.data != self_.node || !means_.roles.held(row.key)) continue;
    Write write;
    write.records.push_back({std::string(moves_collection), row.key, row.version, true, {}, {}, {}});
    write.audit = audit_line(means_.clock.now(), "role.moved", {{"role", row.key}, {"to", self_.node}});
    if (Status done = means_.writer.commit(write, std::chrono::steady_clock::now() + commit_takes);
        !done && done.error().code != Code::conflict)
      return done;
  }
  return {};
}

}  // namespace hanaper::services
