// Everything a configuration describes, put together and running.
#pragma once

#include "../events/dispatcher.hpp"
#include "../events/edges.hpp"
#include "../http/server.hpp"
#include "../issuance/pipeline.hpp"
#include "../services/once_a_minute.hpp"
#include "../services/track_files.hpp"
#include "../validity/registrars.hpp"
#include "../validity/status_authority.hpp"
#include "authorities.hpp"
#include "instance.hpp"
#include "listener_certificates.hpp"
#include "name_index.hpp"
#include "roll_over.hpp"
#include "state_lock.hpp"

namespace hanaper {

// Null when there is none.
std::shared_ptr<Instance> find_instance(const std::vector<std::shared_ptr<Instance>>& instances,
                                        std::string_view kind, std::string_view name);

// Whether starting again cannot help: what is configured, or what lies there, has to be changed by somebody.
bool is_misconfigured(const Error& error) noexcept;

// One node of the service, or as much of it as a command needs. [main] only, but for what says otherwise.
class Node {
 public:
  Node(config::Model model, loader::Catalog& catalog, services::Logger& logger);
  ~Node();

  // Creates and configures every plugin; reads nothing but configuration and the files it names. Each failure
  // is a line; none means success.
  std::vector<std::string> configure();

  // What start and serve will read beyond that: certificates of listeners, blocked keys. Each failure is a
  // line.
  std::vector<Error> check_files() const;

  // Then, for `hanaper check --deep` and instead of start: all that start and serve would do and that changes
  // nothing, with the state folder left to whoever has it. Protocols are not started, nothing listens.
  struct Checked {
    std::vector<std::string> failures;  // why a start would fail
    std::vector<std::string> notes;     // what it would make or change first, and what could not be looked at
    bool misconfigured = false;         // one of the failures does not go by itself

    void fail(const Error& error, const std::string& where = {}) {
      failures.push_back(where + error.detail);
      misconfigured = misconfigured || is_misconfigured(error);
    }
  };
  Checked check_start();

  // Takes the state folder, opens storage and keys, starts the writer, finds the authorities. conflict when
  // another process has the state folder.
  Status start();

  // Or, for a restore, which has taken the state folder: opens the storage, and nothing else. Its writer is
  // for who asks to start, once the ledger is there.
  Status open_storage();

  // Then, for `hanaper init`: makes what authorities need and do not have. Changes nothing that exists.
  Result<std::vector<Authorities::Outcome>> init();

  // Or, for the daemon: tests the pipelines, starts protocols, opens listeners. `commands` answers the
  // control socket.
  Status serve(std::shared_ptr<http::Endpoint> commands);

  // Takes over what can change while running, in one step, and says what waits for the next start, one line
  // each. A failure changes nothing: whatever is new is made and tried beside what serves.
  Result<std::vector<std::string>> reload(config::Model model);

  // False when something had to be cut off.
  bool stop();

  const config::Model& model() const noexcept { return model_; }
  Shared& shared() noexcept { return shared_; }
  Storage& storage() noexcept { return *shared_.storage; }
  services::Writer& writer() noexcept { return *shared_.writer; }
  Authorities& authorities() noexcept { return authorities_; }
  const StatusPlans& status_plans() const noexcept { return status_plans_; }
  NameIndex& names() noexcept { return *names_; }
  // [any] What the plugins' manifests say.
  loader::Catalog& catalog() noexcept { return catalog_; }
  // [any] Null when the configuration has no such instance.
  Keys* keys(std::string_view name) const;
  // [any] Requests that wait for approval, and what became of them.
  issuance::Requests& requests() noexcept { return *requests_; }
  // [any] Who is told of events; null where nothing is served.
  events::Dispatcher* dispatcher() noexcept { return dispatcher_.get(); }
  // [any] For revocations that no pipeline is asked for.
  issuance::Revoker revoker();
  using Instances = std::vector<std::shared_ptr<Instance>>;
  // [any] Those that serve now; whoever holds one keeps it, also when a reload replaces it.
  Instances instances() const { return *instances_.load(); }

  // [any] not_found when the configuration has no such pipeline; unavailable while its authority has no
  // certificate.
  Result<issuance::Pipeline*> pipeline(std::string_view name) const;
  // [any] Why it cannot issue now: unavailable when its authority has no certificate or has expired.
  Status can_issue(const std::string& pipeline) const;
  // [any] unavailable while a pipeline that the instance serves has no authority: it must not be asked.
  Status can_serve(const Instance& instance) const;
  // [any] A pipeline that acts for the authority which issued that, with the same profile if there is one;
  // null without.
  issuance::Pipeline* pipeline_of(const CertificateRow& row) const;

  // [main] That the configuration was read again, with what outcome: for metrics and the audit.
  void reloaded(const Result<std::vector<std::string>>& outcome);
  // [worker] When the last backup of this node was made, which the ledger remembers; not_found: never.
  Result<Time> last_backup() const;
  Status backed_up(Time at, const std::string& requester, const Call& call);
  // [worker] Held by who makes a backup: there is one at a time.
  Mutex& backing_up() noexcept { return backing_up_; }

  // [any] Has the configuration read again on the main thread and waits for what Node::reload says of it;
  // empty where nobody serves. Set before serve.
  std::function<Result<std::vector<std::string>>(Call&)> on_reload;
  // [any] Has this node ended, as a signal does; empty where nobody serves. Set before serve.
  std::function<void()> on_drain;
  // [any] Told once when another node has written under this one's name: this one must end. Set before serve.
  std::function<void(Error)> on_displaced = [](const Error&) {};

 private:
  // A configuration that is tried, and what was made for it (reload.cpp).
  class Trial;

  validity::Context means();
  Status start_kind(std::string_view kind);
  Status start_storage();
  void remove_leftovers();
  Status join_nodes();
  bool is_alone() const;
  Status read_ledger();
  bool look_before_start(Checked& checked);
  void look_at_pipelines(Checked& checked);
  void look_at_certificates(Checked& checked);
  using Profiles = std::map<std::string, config::ProfileConfig>;
  Result<std::shared_ptr<const issuance::Wiring>> wiring(const config::PipelineConfig& config,
                                                         const Profiles& profiles,
                                                         const Instances& instances);
  Status wire_pipelines();
  // Until when a reload waits for those who work with what it replaces.
  Deadline reload_deadline() const;
  void retire(Instances instances);
  void watch_plugins();
  void tell_fitness();
  void be_a_lame_duck();
  void add_metrics();
  Status count_figures();
  void count_reload(bool taken_over);
  void add_checks();
  void add_pipeline_checks();
  Status check_authorities() const;
  Status start_protocols();
  void watch_authorities();
  void block_key(const RevocationRow& row);
  Status load_missing_keys();
  void schedule_housekeeping();
  Status remember_crl_addresses();
  Status open_listeners();
  void listen_for_events();
  events::Subscriber subscriber(const config::PipelineConfig& pipeline,
                                const std::shared_ptr<Instance>& instance);
  void subscribe(Deadline deadline);
  void start_events();
  void raise_edges();
  void raise_health();
  std::vector<RecordWrite> node_event(std::string_view type);

  config::Model model_;
  loader::Catalog& catalog_;
  Shared shared_;
  StateLock lock_;
  Swapped<const Instances> instances_{std::make_shared<const Instances>()};
  Instances retired_;  // replaced by a reload, and not left yet by those who work with them
  std::unique_ptr<issuance::Signers> signers_;
  std::unique_ptr<events::Outbox> outbox_;
  std::unique_ptr<issuance::Requests> requests_;
  issuance::BlockedKeys blocked_;
  std::atomic<bool> key_is_missing_{false};  // in blocked_: all of the ledger's are to be read once more
  validity::ChangeFeed changes_;
  StatusAuthorities status_authorities_;
  StatusPlans status_plans_;  // once configured
  Authorities authorities_;
  RollOvers roll_overs_;
  std::map<std::string, std::unique_ptr<validity::Registrars>, std::less<>> registrars_;  // of those with one
  Pipelines pipelines_;
  std::set<std::string, std::less<>> wired_;                // constant once started
  std::map<std::string, Error, std::less<>> waiting_;       // the others, and why; likewise
  std::map<std::string, std::string> told_of_authorities_;  // what the log has said last; of one job
  std::unique_ptr<NameIndex> names_;
  ListenerCertificates certificates_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<services::WorkerPool> workers_;
  std::unique_ptr<events::Dispatcher> dispatcher_;
  std::unique_ptr<events::HealthWatch> health_watch_;
  std::unique_ptr<services::TrackFiles> track_files_;  // the watching thread's own, while it runs
  std::atomic<bool> lame_duck_{false};                 // an address stays while balancers go
  std::atomic<bool> serving_{false};
  Mutex backing_up_;
  services::OnceAMinute blocked_plugins_;
  bool started_ = false;
};

}  // namespace hanaper
