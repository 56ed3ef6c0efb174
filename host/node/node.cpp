#include "node.hpp"

#include "../services/audit.hpp"
#include "endpoints.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <algorithm>
#include <filesystem>

namespace hanaper {
namespace {

// The order in which kinds start; they stop in the opposite one.
constexpr std::chrono::seconds unheard_is_told{10};
constexpr std::string_view before_pipelines[] = {"keys",      "authenticator", "policy",
                                                 "validator", "publisher",     "notifier"};

}  // namespace

bool is_misconfigured(const Error& error) noexcept {
  switch (error.code) {
    case Code::unavailable:  // comes back by itself, as a database does
    case Code::conflict:     // somebody else holds it still
    case Code::rate_limited:
    case Code::pending:
    case Code::internal:
      return false;
    default:
      return true;
  }
}

Node::Node(config::Model model, loader::Catalog& catalog, services::Logger& logger)
    : model_(std::move(model)),
      catalog_(catalog),
      shared_(logger, model_.node.state, model_.node.name),
      authorities_(
          model_, shared_, [this](const std::string& name) { return keys(name); }, status_plans_),
      roll_overs_(model_, authorities_),
      certificates_(
          shared_,
          [this](const std::string& name) -> issuance::Pipeline* {
            const auto found = pipeline(name);
            return found ? *found : nullptr;
          },
          [this](const std::string& name) { return keys(name); }) {
  shared_.jobs = std::make_unique<services::JobTable>(logger);
  for (const auto& [name, unused] : model_.authorities) status_authorities_.try_emplace(name, name, changes_);
  shared_.changes = &changes_;
  static_cast<void>(changes_.subscribe([this](const RevocationRow& row) {
    if (row.reason == RevocationReason::key_compromise) block_key(row);
  }));
  shared_.pipelines = &pipelines_;
  shared_.authorities = &status_authorities_;
}

Node::~Node() { stop(); }

std::shared_ptr<Instance> find_instance(const Node::Instances& instances, std::string_view kind,
                                        std::string_view name) {
  for (const auto& candidate : instances)
    if (candidate->config().kind == kind && candidate->config().name == name) return candidate;
  return nullptr;
}

Keys* Node::keys(std::string_view name) const {
  const auto found = find_instance(instances(), "keys", name);
  return found ? found->as<Keys>() : nullptr;
}

std::vector<std::string> Node::configure() {
  std::vector<std::string> failures;
  Instances made;
  const auto configure_one = [&](config::InstanceConfig& config) {
    const std::string url = config.kind == "protocol" ? model_.public_url(config) : "";
    auto instance = std::make_shared<Instance>(shared_, std::exchange(config, config.without_secrets()), url);
    if (Status configured = instance->configure(catalog_); !configured)
      failures.push_back(configured.error().detail);
    else
      made.push_back(std::move(instance));
    instances_.store(std::make_shared<const Instances>(made));
  };
  for (config::InstanceConfig& config : model_.instances)
    if (config.kind != "protocol") configure_one(config);
  if (const auto storage = find_instance(made, "storage", model_.storage().name))
    shared_.storage = storage->as<Storage>();
  if (shared_.storage == nullptr) {
    if (failures.empty())
      failures.push_back("storage." + model_.storage().name + ": the plugin is no storage");
    return failures;
  }
  // No more of them than callers, who each wait for one certificate.
  signers_ = std::make_unique<issuance::Signers>(std::max(1u, std::thread::hardware_concurrency()),
                                                 model_.node.workers);
  shared_.disk = std::make_unique<services::DiskReserve>(model_.node.state, model_.node.disk_reserve);
  shared_.writer = std::make_unique<services::Writer>(*shared_.storage, model_.node.name, shared_.clock,
                                                      shared_.logger, shared_.metrics, shared_.expiries);
  outbox_ = std::make_unique<events::Outbox>(*shared_.storage, *shared_.writer, shared_.clock, shared_.logger,
                                             model_.node.name);
  listen_for_events();
  requests_ =
      std::make_unique<issuance::Requests>(*shared_.storage, *shared_.writer, shared_.clock, outbox_.get());
  for (const auto& [name, config] : model_.pipelines)
    pipelines_.emplace(
        name,
        std::make_unique<issuance::Pipeline>(
            name, issuance::Spine{shared_.storage->ledger(), *shared_.writer, *signers_, blocked_, *requests_,
                                  shared_.clock, shared_.logger, shared_.metrics,
                                  [this](const RevocationRow& row) { changes_.publish(row); },
                                  [this] { return shared_.disk->room(); }, [this] { return shared_.run(); },
                                  [this](std::string_view run) { return shared_.is_over(run); }}));
  // Protocols last: they ask for pipelines.
  for (config::InstanceConfig& config : model_.instances)
    if (config.kind == "protocol") configure_one(config);
  status_plans_ = ask_status_services(model_, made, failures);
  return failures;
}

std::vector<Error> Node::check_files() const {
  std::vector<Error> failures;
  if (Status blocked = issuance::BlockedKeys::check(model_.node.blocked_keys); !blocked)
    failures.push_back(std::move(blocked).error().within("node.blocked_keys"));
  for (const auto& [name, listener] : model_.listeners)
    if (Status certificate = ListenerCertificates::check(listener); !certificate)
      failures.push_back(std::move(certificate).error().within("listener." + name + ".certificate"));
  return failures;
}

Status Node::start_kind(std::string_view kind) {
  for (const auto& instance : instances()) {
    if (instance->config().kind != kind) continue;
    HANAPER_CHECK(instance->start());
  }
  return {};
}

// A storage may start before its database is there. Nothing of a node works without it yet.
Status Node::start_storage() {
  HANAPER_CHECK(start_kind("storage"));
  if (Status well = shared_.storage->health(); !well)
    return std::move(well).error().within("storage." + model_.storage().name);
  return {};
}

Status Node::start() {
  std::error_code ec;
  if (!std::filesystem::is_directory(shared_.state_folder, ec))
    return unavailable("the state folder " + shared_.state_folder + " does not exist; run hanaper init");
  HANAPER_CHECK(lock_.take(shared_.state_folder));
  HANAPER_CHECK(check_restored(shared_.state_folder));
  remove_leftovers();
  HANAPER_TRY(const bool was_open, close_state_folder(shared_.state_folder));
  if (was_open)
    shared_.logger.warning("others could look into the state folder; its mode is 700 now",
                           {{"folder", shared_.state_folder}});
  started_ = true;
  HANAPER_CHECK(start_storage());
  HANAPER_CHECK(join_nodes());
  HANAPER_CHECK(shared_.writer->start());
  shared_.roles->start();
  for (std::string_view kind : before_pipelines) HANAPER_CHECK(start_kind(kind));
  return read_ledger();
}

// Backups that nobody can ask for any more: who was making them has ended.
void Node::remove_leftovers() {
  namespace fs = std::filesystem;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(shared_.state_folder, ec)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("backup-") || !name.ends_with(".tar")) continue;
    std::error_code ignored;
    fs::remove(entry.path(), ignored);
    shared_.logger.warning("a backup that was not finished is removed", {{"file", entry.path()}});
  }
}

Status Node::open_storage() {
  started_ = true;
  return start_storage();
}

bool Node::is_alone() const {
  const auto manifest = catalog_.find("storage", model_.storage().plugin);
  return !manifest || !(*manifest)->clusterable;
}

// Before anything is written under the node's name.
Status Node::join_nodes() {
  HANAPER_TRY(std::string state, state_id(shared_.state_folder));
  const services::Holder self{model_.node.name, std::move(state), crypto::random_name(9)};
  shared_.roles = std::make_unique<services::Roles>(*shared_.storage, self, is_alone(), shared_.logger);
  if (is_alone()) return {};
  std::vector<std::string> urls;
  for (const auto& [name, listener] : model_.listeners) urls.push_back(listener.url);
  shared_.nodes = std::make_unique<services::Nodes>(
      services::Nodes::Means{*shared_.storage, *shared_.writer, *shared_.roles, shared_.clock, shared_.logger,
                             services::clock_is_in_step},
      self, std::move(urls));
  shared_.writer->guard_name([this] { return shared_.nodes->name_is_ours(); });
  return shared_.nodes->claim([](std::chrono::milliseconds pause) { std::this_thread::sleep_for(pause); });
}

Status Node::read_ledger() {
  // The feed first: what is blocked while this reads, by another node, comes with it.
  HANAPER_CHECK(changes_.poll(shared_.storage->ledger()));
  HANAPER_CHECK(blocked_.load_file(model_.node.blocked_keys));
  HANAPER_CHECK(blocked_.load_ledger(shared_.storage->ledger()));
  HANAPER_CHECK(authorities_.load());
  HANAPER_CHECK(roll_overs_.load(shared_.storage->records()));
  for (auto& [name, authority] : status_authorities_) authority.attach(means(), authorities_.find(name));
  for (const auto& [name, unused] : model_.authorities)
    if (const auto authority = authorities_.find(name); authority && authority->registrar_key())
      registrars_.emplace(name, std::make_unique<validity::Registrars>(means(), authority));
  names_ = std::make_unique<NameIndex>(*shared_.storage, *shared_.writer);
  return wire_pipelines();
}

validity::Context Node::means() {
  return {*shared_.storage, *shared_.writer, shared_.clock, shared_.logger, model_.node.name, *shared_.roles};
}

Result<std::vector<Authorities::Outcome>> Node::init() {
  HANAPER_TRY(std::vector<Authorities::Outcome> outcomes, authorities_.init());
  HANAPER_TRY(const std::vector<Authorities::Outcome> more, roll_overs_.init(means()));
  outcomes.insert(outcomes.end(), more.begin(), more.end());
  return outcomes;
}

Status Node::serve(std::shared_ptr<http::Endpoint> commands) {
  HANAPER_CHECK(shared_.writer->check_clock());
  HANAPER_CHECK(check_authorities());
  for (const std::string& name : wired_)
    if (Status tested = pipelines_.at(name)->self_test(); !tested)
      return std::move(tested).error().within("pipeline." + name);
  HANAPER_CHECK(remember_crl_addresses());
  HANAPER_TRY(auto outbound, http::OutboundClient::open(model_.outbound));
  shared_.outbound.swap(std::move(outbound));
  shared_.jobs->start();
  for (const auto& instance : instances())
    if (instance->config().kind != "protocol") instance->take();
  workers_ = std::make_unique<services::WorkerPool>("hanaper-worker", model_.node.workers, model_.node.queue);
  server_ = std::make_unique<http::Server>(
      http::ServerOptions{model_.node.io_threads, model_.node.request_timeout,
                          static_cast<std::size_t>(model_.node.request_memory.value),
                          model_.node.workers + model_.node.queue},
      *workers_, shared_.logger, shared_.metrics);
  // Before anybody keeps an answer that a revocation could make wrong.
  HANAPER_CHECK(changes_.poll(shared_.storage->ledger()));
  HANAPER_CHECK(start_protocols());
  HANAPER_CHECK(open_listeners());
  HANAPER_CHECK(server_->open_control(model_.node.socket, std::move(commands)));
  add_metrics();
  add_checks();
  schedule_housekeeping();
  track_files_ = std::make_unique<services::TrackFiles>(
      services::TrackFiles::Paths{model_.node.track_file, model_.node.track_file_status}, shared_.logger);
  HANAPER_CHECK(track_files_->start());
  Write write;
  write.audit = services::audit_line(shared_.clock.now(), "started", {{"version", HANAPER_VERSION}});
  write.records = node_event("node.started");
  HANAPER_CHECK(shared_.writer->commit(write, std::chrono::steady_clock::now() + std::chrono::seconds{10}));
  serving_ = true;
  shared_.readiness.start([this] {
    watch_plugins();
    tell_fitness();
  });
  if (shared_.nodes) shared_.nodes->start(on_displaced);
  server_->start();
  shared_.laters.serve_network([this](auto task) { server_->post(std::move(task)); });
  start_events();
  return {};
}

// Whoever makes the CRLs has to name what this node gives certificates before it does.
Status Node::remember_crl_addresses() {
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::minutes{1};
  for (const auto& [name, unused] : model_.authorities) {
    const auto authority = authorities_.find(name);
    if (!authority) continue;
    issuance::CrlAddresses::ByShard addresses;
    for (const auto& [shard, urls] : authority->status().urls) addresses.emplace(shard, urls.crl);
    HANAPER_CHECK(authority->crl_addresses()->remember(addresses, deadline));
  }
  return {};
}

Status Node::open_listeners() {
  const auto roots = std::make_shared<RootsEndpoint>(authorities_.roots_pem());
  for (const auto& [name, listener] : model_.listeners) {
    http::Listener listening;
    listening.config = listener;
    if (listener.tls) {
      HANAPER_TRY(listening.tls, certificates_.open(listener));
    }
    for (const auto& instance : instances()) {
      if (instance->config().kind != "protocol" || instance->config().listener != name) continue;
      if (Status able = can_serve(*instance); !able) {
        listening.router.add(
            {instance->config().path, std::make_shared<WaitingEndpoint>(able.error().detail)});
        continue;
      }
      auto* protocol = instance->as<Protocol>();
      if (protocol == nullptr) return internal(instance->name() + ": the plugin is no protocol");
      listening.router.add(
          {instance->config().path, std::make_shared<ProtocolEndpoint>(*protocol, instance->guard())});
    }
    if (listener.health) {
      const auto endpoint = std::make_shared<StatusEndpoint>(shared_.readiness, shared_.metrics);
      for (const char* path : {"/health", "/metrics"}) listening.router.add({path, endpoint});
    }
    if (listening.router.find(RootsEndpoint::path) == nullptr)
      listening.router.add({std::string(RootsEndpoint::path), roots});
    HANAPER_CHECK(server_->open(std::move(listening)));
    shared_.logger.info("listening", {{"listener", name}, {"url", listener.url}});
  }
  return {};
}

void Node::add_checks() {
  services::Readiness& readiness = shared_.readiness;
  for (const Purpose purpose : {Purpose::issue, Purpose::status})
    readiness.add("serving", purpose, [this]() -> Status {
      if (!serving_) return unavailable("shutting down");
      return {};
    });
  readiness.add("writer", Purpose::issue, [this] { return shared_.writer->health(); });
  readiness.add("revocations", Purpose::node, [this]() -> Status {
    const auto silence = std::chrono::floor<std::chrono::seconds>(changes_.unheard_for());
    if (silence < unheard_is_told) return {};
    return unavailable("nothing has been heard of revocations for " + std::to_string(silence.count()) +
                       " s: OCSP may say good of what others have revoked");
  });
  readiness.add("disk", Purpose::issue, [this] { return shared_.disk->room(); });
  if (shared_.nodes) {
    readiness.add("clock", Purpose::issue, [this] { return shared_.nodes->yields(); });
    readiness.add("clocks", Purpose::node, [this] { return shared_.nodes->clocks(); });
  }
  readiness.add("listeners", Purpose::issue, [this] { return certificates_.health(); });
  add_pipeline_checks();
  readiness.add("plugins", Purpose::node, [this]() -> Status {
    for (const auto& instance : instances()) HANAPER_CHECK(instance->threads_health());
    return services::blocked_threads();
  });
  for (const auto& instance : instances()) {
    if (auto* storage = instance->as<Storage>())
      readiness.add(instance->name(), Purpose::issue, [storage] { return storage->health(); });
    if (auto* keys = instance->as<Keys>())
      readiness.add(instance->name(), Purpose::issue, [keys] { return keys->health(); });
  }
}

// Ten times a second: a plugin that does not come back is named while it blocks.
void Node::watch_plugins() {
  if (const Status blocked = services::blocked_threads(); !blocked && blocked_plugins_.may_tell())
    shared_.logger.error("a plugin does not come back", {{"error", blocked.error().detail}});
}

void Node::tell_fitness() {
  if (!track_files_->are_any()) return;
  track_files_->beat();
  const bool issue = shared_.readiness.status(Purpose::issue).has_value();
  const bool status = shared_.readiness.status(Purpose::status).has_value();
  // Asked last: what was seen of a node that is one already is not to count.
  if (!lame_duck_) track_files_->set(issue, status);
}

// Not ready any more, and serving still, where somebody follows that. An address goes last: what was begun by
// way of it ends there.
void Node::be_a_lame_duck() {
  constexpr auto asks_within = std::chrono::seconds{10};
  // That of the status goes when the other node has heard three times that this one is worse, every 0.2 s.
  constexpr auto address_goes_within = std::chrono::milliseconds{1'500};
  bool followed = std::chrono::steady_clock::now() - shared_.readiness.last_asked() < asks_within;
  if (shared_.nodes)
    for (const services::Nodes::Peer& peer : shared_.nodes->peers())
      followed = followed || (peer.lives && peer.said.name != model_.node.name);
  lame_duck_ = true;
  serving_ = false;
  server_->leave();
  if (followed) std::this_thread::sleep_for(model_.node.lame_duck);
  lame_duck_ = false;
  if (track_files_->are_any()) std::this_thread::sleep_for(address_goes_within);
}

issuance::Revoker Node::revoker() {
  return {*shared_.writer, blocked_, shared_.clock,
          [this](const RevocationRow& row) { changes_.publish(row); }};
}

namespace {

// The number below that hash, so that a list that begins behind it begins with the hash itself.
Fingerprint before(Fingerprint hash) {
  for (std::size_t i = hash.size(); i-- > 0;)
    if (hash[i]-- != 0) break;
  return hash;
}

}  // namespace

// What another node has revoked, or this one without having heard that it succeeded.
void Node::block_key(const RevocationRow& row) {
  const auto certificate = shared_.storage->ledger().certificate(row.authority, row.serial);
  // Of one that is known by its serial number alone nobody knows the key.
  if (certificate && certificate->tbs.empty()) return;
  const auto tbs =
      certificate ? x509::parse_tbs(certificate->tbs) : Result<x509::TbsView>(certificate.error());
  if (!tbs) {
    key_is_missing_ = true;
    return;
  }
  // Not every compromise that somebody claims blocks a key; the ledger says.
  const Fingerprint key = crypto::sha256(tbs->spki);
  const auto blocked = shared_.storage->ledger().blocked_keys(before(key), 1);
  if (!blocked)
    key_is_missing_ = true;
  else if (!blocked->empty() && blocked->front() == key)
    blocked_.add(key);
}

Status Node::load_missing_keys() {
  if (!key_is_missing_.exchange(false)) return {};
  Status loaded = blocked_.load_ledger(shared_.storage->ledger());
  if (!loaded) key_is_missing_ = true;
  return loaded;
}

void Node::schedule_housekeeping() {
  // Half of the second in which every node's answers have to follow a revocation on any of them.
  shared_.jobs->every("host", "revocations", std::chrono::milliseconds{500}, [this](Call&) -> Status {
    HANAPER_CHECK(changes_.poll(shared_.storage->ledger()));
    return load_missing_keys();
  });
  shared_.jobs->every("host", "names", std::chrono::seconds{5},
                      [this](Call& call) { return names_->catch_up(call); });
  shared_.jobs->every("host", "listener-certificates", std::chrono::seconds{30},
                      [this](Call& call) { return certificates_.renew(call); });
  // What other nodes have given certificates: CRLs that are made here name those as well.
  shared_.jobs->every("host", "crl-addresses", std::chrono::seconds{10}, [this](Call&) -> Status {
    for (const auto& [name, unused] : model_.authorities)
      if (const auto authority = authorities_.find(name)) HANAPER_CHECK(authority->crl_addresses()->load());
    return {};
  });
  watch_authorities();
  shared_.jobs->every("host", "authorities", std::chrono::hours{1}, [this](Call&) -> Status {
    watch_authorities();
    return {};
  });
  shared_.jobs->every("host", "purge", std::chrono::seconds{60}, [this](Call& call) -> Status {
    const auto fence = shared_.roles->hold("housekeeping");
    if (!fence) return fence.error().code == Code::conflict ? Status{} : Status(fence.error());
    Write write;
    write.fence = *fence;
    write.purge = shared_.clock.now();
    return shared_.writer->commit(write, call.deadline);
  });
}

bool Node::stop() {
  if (!std::exchange(started_, false)) return true;
  const bool was_serving = serving_;
  if (was_serving) be_a_lame_duck();
  const Deadline deadline = std::chrono::steady_clock::now() + model_.node.drain;
  bool clean = true;
  shared_.laters.serve_network({});
  if (server_) clean = server_->drain(deadline) && clean;
  if (workers_)
    clean = workers_->drain(std::max(deadline, std::chrono::steady_clock::now() + std::chrono::seconds{1})) &&
            clean;
  clean =
      shared_.jobs->drain(std::max(deadline, std::chrono::steady_clock::now() + std::chrono::seconds{1})) &&
      clean;
  if (dispatcher_)
    clean =
        dispatcher_->stop(std::max(deadline, std::chrono::steady_clock::now() + std::chrono::seconds{1})) &&
        clean;
  if (was_serving) {
    Write write;
    write.records = node_event("node.stopped");
    write.audit = services::audit_line(shared_.clock.now(), "stopped", {});
    if (Status stored =
            shared_.writer->commit(write, std::chrono::steady_clock::now() + std::chrono::seconds{5});
        !stored)
      shared_.logger.warning("the stop could not be audited", {{"error", stored.error().detail}});
  }
  shared_.readiness.stop();
  track_files_.reset();
  workers_.reset();
  server_.reset();
  const auto end = [&](const std::shared_ptr<Instance>& instance) {
    if (instance->stop(deadline)) return;
    clean = false;
    // Nothing is freed under a call: somebody is in it still.
    static auto& kept = *new Instances;
    kept.push_back(instance);
  };
  const Instances instances = this->instances();
  std::ranges::for_each(retired_, end);
  for (auto it = instances.rbegin(); it != instances.rend(); ++it)
    if ((*it)->config().kind != "storage") end(*it);
  if (shared_.nodes) shared_.nodes->stop();
  if (shared_.roles) shared_.roles->stop();
  shared_.writer->stop();
  for (const auto& instance : instances)
    if (instance->config().kind == "storage") end(instance);
  return clean;
}

}  // namespace hanaper
