// A configured plugin and its view of the host.
#pragma once

#include "../config/model.hpp"
#include "../http/outbound.hpp"
#include "../issuance/pipeline.hpp"
#include "../loader/catalog.hpp"
#include "../services/audit.hpp"
#include "../services/clock.hpp"
#include "../services/disk_reserve.hpp"
#include "../services/laters.hpp"
#include "../services/log.hpp"
#include "../services/metrics.hpp"
#include "../services/nodes.hpp"
#include "../services/readiness.hpp"
#include "../services/roles.hpp"
#include "../services/scheduler.hpp"
#include "../services/threads.hpp"
#include "../services/writer.hpp"
#include "../validity/status_authority.hpp"

#include <hanaper/host.hpp>

#include <list>

namespace hanaper {

using Pipelines = std::map<std::string, std::unique_ptr<issuance::Pipeline>, std::less<>>;
using StatusAuthorities = std::map<std::string, validity::NodeAuthority, std::less<>>;

// What all instances share. Outlives them.
struct Shared {
  Shared(services::Logger& log, std::string folder, std::string name)
      : logger(log), state_folder(std::move(folder)), node(std::move(name)) {}

  services::Logger& logger;
  services::SystemClock clock;
  services::Registry metrics;
  services::Readiness readiness;
  services::ExpiryCounts expiries;
  std::string state_folder;
  std::string node;  // the name of this one
  std::unique_ptr<services::JobTable> jobs;
  services::LaterTable laters{metrics};
  http::SwappedOutbound outbound;
  Storage* storage = nullptr;                // once configured
  std::unique_ptr<services::Writer> writer;  // once started
  std::unique_ptr<services::Roles> roles;    // likewise
  std::unique_ptr<services::Nodes> nodes;    // likewise; null where no other can use that storage
  std::unique_ptr<services::DiskReserve> disk;
  Pipelines* pipelines = nullptr;  // the node's, as is:
  StatusAuthorities* authorities = nullptr;
  const validity::ChangeFeed* changes = nullptr;

  // [any] This run, and whether another is over; once started.
  std::string run() const { return roles->self().text(); }
  bool is_over(std::string_view run) const {
    const services::Holder& self = roles->self();
    return self.was(run) ? run != self.text() : nodes != nullptr && nodes->is_over(run);
  }
};

// One named set of documents of one instance.
class InstanceCollection final : public Collection {
 public:
  InstanceCollection(Shared& shared, std::string name) : shared_(shared), name_(std::move(name)) {}
  const std::string& name() const noexcept { return name_; }

  Result<Record> get(std::string_view key) override { return shared_.storage->records().get(name_, key); }
  Result<std::vector<Record>> find(std::string_view field, std::string_view value, std::string_view after,
                                   std::uint32_t limit) override {
    return shared_.storage->records().find(name_, field, value, after, limit);
  }
  RecordWrite bind(RecordWrite write) const override {
    write.collection = name_;
    return write;
  }

 private:
  Shared& shared_;
  const std::string name_;
};

// A plugin instance, the host as it sees it, and what it has registered there. What others hold of it they
// hold by a shared pointer to this, so that a replaced one stays for those who still work with it.
class Instance final : public Host {
 public:
  Instance(Shared& shared, config::InstanceConfig config, std::string public_url);

  // [main] Creates the plugin and configures it. Forgets the secrets of its settings.
  Status configure(loader::Catalog& catalog);
  // [main] A start that fails is followed by stop. What it registers does not count before `take`.
  Status start();
  // [main] From now on it is one of the node's.
  void take();
  // [main] Takes back what it registered, then stops it. False when somebody was still inside at the
  // deadline: then the plugin must stay in memory.
  bool stop(Deadline deadline);

  const config::InstanceConfig& config() const noexcept { return config_; }
  const std::string& name() const noexcept { return name_; }  // "storage.main"
  services::Guard& guard() const noexcept { return *guard_; }
  // [any] unavailable, with its name, when a thread of its own has been ended by an exception.
  Status threads_health() const { return threads_.health(); }
  // [any] What the plugin offers of that ability, asked for behind the guard; whoever calls it does so behind
  // the guard, too. Null when it offers none.
  template <class Ability>
  Ability* ability() const {
    return guard_->run_or<Ability*>(nullptr, "ability", [&] { return ability_of<Ability>(*plugin_); });
  }
  // The plugin as its kind, behind its guard; null when the shared object lied about its kind.
  template <class Kind>
  Kind* as() const noexcept {
    return dynamic_cast<Kind*>(guarded_ ? guarded_.get() : plugin_.get());
  }

  Log& log() override { return log_; }
  const Clock& clock() override { return shared_.clock; }
  Metrics& metrics() override { return metrics_; }
  Scheduler& scheduler() override { return scheduler_; }
  Health& health() override { return health_; }
  Outbound& outbound() override { return shared_.outbound; }
  Laters& laters() override { return laters_; }
  void thread(std::string_view name, services::Threads::Body body) override {
    threads_.start(name, std::move(body));
  }
  Collection& collection(std::string_view name) override;
  Status commit(std::vector<RecordWrite> writes, Call& call) override;
  Issuer& issuer(std::string_view name) override { return pipeline(name); }
  Trust& trust(std::string_view name) override { return pipeline(name); }
  Authentication& authentication(std::string_view name) override { return pipeline(name); }
  std::vector<StatusAuthority*> authorities() override;
  StatusAuthority& authority(std::string_view name) override { return status_authority(name); }
  void watch(StatusAuthority& authority, StatusAuthority::Watcher watcher) override;
  void offer_crl(StatusAuthority& authority, std::uint32_t shard, StatusAuthority::CrlSource source) override;
  const std::string& state_folder() const override { return shared_.state_folder; }
  const std::string& public_url() const override { return public_url_; }
  Result<Share> share(std::string_view job) override;
  void audit(std::string_view event, std::initializer_list<LogField> fields, Call& call) override;
  std::string run() const override { return shared_.run(); }
  bool is_over(std::string_view run) const override { return shared_.is_over(run); }
  bool is_alone() const override { return shared_.nodes == nullptr || shared_.nodes->peers().size() < 2; }
  std::chrono::milliseconds unheard_for() const override { return shared_.changes->unheard_for(); }

 private:
  issuance::Pipeline& pipeline(std::string_view name) { return *shared_.pipelines->at(std::string(name)); }
  validity::NodeAuthority& status_authority(std::string_view name) {
    return shared_.authorities->at(std::string(name));
  }

  Shared& shared_;
  config::InstanceConfig config_;
  const bool serves_pipelines_;
  const std::string name_;
  const std::string public_url_;
  services::InstanceLog log_;
  services::InstanceMetrics metrics_;
  const std::shared_ptr<services::Guard> guard_;
  services::Registrations registrations_;
  services::InstanceScheduler scheduler_;
  services::InstanceHealth health_;
  std::list<InstanceCollection> collections_;
  services::AuditAllowance audit_allowance_;
  std::unique_ptr<Plugin> plugin_;   // dies before all above
  std::unique_ptr<Plugin> guarded_;  // what others see of it
  // They end before what they work with.
  services::InstanceLaters laters_;
  services::Threads threads_;
  bool started_ = false;
};

}  // namespace hanaper
