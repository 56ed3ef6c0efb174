#include "instance.hpp"

#include "../services/thread_tag.hpp"
#include "guarded_kinds.hpp"

#include <hanaper/toolkit/identifiers.hpp>

namespace hanaper {

Instance::Instance(Shared& shared, config::InstanceConfig config, std::string public_url)
    : shared_(shared),
      config_(std::move(config)),
      serves_pipelines_(!config_.referred("pipeline").empty()),
      name_(config_.kind + "." + config_.name),
      public_url_(std::move(public_url)),
      log_(shared.logger, name_),
      metrics_(shared.metrics, name_),
      guard_(std::make_shared<services::Guard>(name_, shared.logger, shared.metrics)),
      registrations_(guard_),
      scheduler_(*shared.jobs, registrations_, name_),
      health_(shared.readiness, registrations_, name_),
      laters_(shared.laters, guard_),
      threads_(guard_) {}

Status Instance::configure(loader::Catalog& catalog) {
  HANAPER_ON(main);
  Status configured = guard_->run("configure", "", [&]() -> Status {
    HANAPER_TRY(plugin_, catalog.create(config_.kind, config_.plugin));
    guarded_ = guarded_kind(config_.kind, *plugin_, *guard_);
    return plugin_->configure(config_.settings, *this);
  });
  config_.settings.forget_secrets();
  return configured;
}

Status Instance::start() {
  HANAPER_ON(main);
  started_ = true;
  Status status = guard_->run("start", "", [&] { return plugin_->start(); });
  if (!status) return std::move(status).error().within(name_);
  return {};
}

void Instance::take() {
  HANAPER_ON(main);
  registrations_.activate();
}

bool Instance::stop(Deadline deadline) {
  HANAPER_ON(main);
  const bool forgotten = registrations_.withdraw(deadline);
  const bool left = laters_.withdraw(deadline) && forgotten;
  if (!left)
    log_.error("the plugin does not come back from a job, a check, a watcher or an answer that came later",
               {{"plugin", name_}});
  if (std::exchange(started_, false))
    static_cast<void>(guard_->run("stop", "", [&]() -> Status {
      plugin_->stop(deadline);
      return {};
    }));
  // Asked only now, they have some time of their own.
  if (threads_.stop(std::max(deadline, std::chrono::steady_clock::now() + std::chrono::seconds{1})))
    return left;
  for (const std::string& name : threads_.running())
    log_.error("a thread of the plugin does not end", {{"plugin", name_}, {"thread", name}});
  return false;
}

std::vector<StatusAuthority*> Instance::authorities() {
  std::vector<StatusAuthority*> all;
  for (auto& [name, authority] : *shared_.authorities) all.push_back(&authority);
  return all;
}

void Instance::watch(StatusAuthority& authority, StatusAuthority::Watcher watcher) {
  auto& of = status_authority(authority.name());
  registrations_.add(
      [&of, safe = registrations_.wrap("watcher", std::move(watcher))] { return of.watch(safe); });
}

void Instance::offer_crl(StatusAuthority& authority, std::uint32_t shard, StatusAuthority::CrlSource source) {
  auto& of = status_authority(authority.name());
  auto safe = registrations_.wrap<Result<Bytes>>("CRL source", std::move(source),
                                                 not_found(name_ + " has been stopped"));
  registrations_.add([&of, shard, safe = std::move(safe)] { return of.offer_crl(shard, safe); });
}

Status Instance::commit(std::vector<RecordWrite> writes, Call& call) {
  // What serves a pipeline writes what anybody may ask for.
  if (serves_pipelines_) HANAPER_CHECK(shared_.disk->room());
  Write write;
  write.records = std::move(writes);
  return shared_.writer->commit(write, call.deadline);
}

void Instance::audit(std::string_view event, std::initializer_list<LogField> fields, Call& call) {
  const Time now = shared_.clock.now();
  const auto field = [&](std::string_view name) {
    const auto* const found = std::ranges::find(fields, name, &LogField::name);
    return found == fields.end() ? std::string_view{} : std::string_view(found->value);
  };
  const auto passed_over =
      audit_allowance_.take(now, std::string(event) + " " + services::kind_of_error(field("error")),
                            x509::client_of(field("address")));
  if (!passed_over) return;
  std::vector<LogField> all{{"instance", name_}};
  all.insert(all.end(), fields.begin(), fields.end());
  if (*passed_over != 0) all.push_back({"passed_over", std::to_string(*passed_over)});
  Write write;
  write.audit = services::audit_line(now, event, all);
  if (const Status written = shared_.writer->commit(write, call.deadline); !written)
    log_.warning("a refusal is not in the audit", {{"error", written.error().detail}, {"call", call.id}});
}

Result<Share> Instance::share(std::string_view job) {
  return shared_.roles->share(name_ + "." + std::string(job));
}

Collection& Instance::collection(std::string_view name) {
  const std::string full = name_ + "." + std::string(name);
  for (InstanceCollection& collection : collections_)
    if (collection.name() == full) return collection;
  return collections_.emplace_back(shared_, full);
}

}  // namespace hanaper
