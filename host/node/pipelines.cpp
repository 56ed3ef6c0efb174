// The node's pipelines: what they are made of, and which of them can issue.
#include "node.hpp"

namespace hanaper {

Result<std::shared_ptr<const issuance::Wiring>> Node::wiring(const config::PipelineConfig& config,
                                                             const Profiles& profiles,
                                                             const Instances& instances) {
  auto wiring = std::make_shared<issuance::Wiring>();
  const auto authority = authorities_.find(config.authority);
  if (!authority) return authorities_.missing(config.authority);
  wiring->authority = authority;
  wiring->path = authorities_.path(config.authority);
  wiring->earlier = roll_overs_.before(config.authority);
  wiring->roll_over = roll_overs_.around(config.authority);
  wiring->next_message = announcement(authority, wiring->roll_over.next);
  wiring->crl = [&status = status_authorities_.find(config.authority)->second](
                    std::uint32_t shard, ByteCount limit) { return status.crl(shard, limit); };
  if (authority->registrar_key()) {
    validity::Registrars& registrars = *registrars_.at(config.authority);
    wiring->registrar = [&registrars](Call& call) { return registrars.find(call); };
  }
  for (const std::string& name : config.profiles)
    wiring->profiles.push_back(std::make_shared<issuance::Profile>(profiles.at(name), authority));
  wiring->authenticate_all = config.authenticate_all;
  wiring->approval = config.approval;
  bool complete = true;
  const auto add = [&]<class Kind>(std::vector<std::pair<std::string, Kind*>>& list, std::string_view kind,
                                   const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      auto instance = find_instance(instances, kind, name);
      Kind* stage = instance ? instance->as<Kind>() : nullptr;
      complete = complete && stage != nullptr;
      list.emplace_back(name, stage);
      wiring->keeps.push_back(std::move(instance));
    }
  };
  add(wiring->authenticators, "authenticator", config.authenticate);
  add(wiring->policies, "policy", config.policy);
  add(wiring->validators, "validator", config.validate);
  if (!complete)
    return internal("pipeline." + config.name + ": a plugin is not of the kind its manifest says");
  return std::shared_ptr<const issuance::Wiring>(std::move(wiring));
}

Status Node::wire_pipelines() {
  for (const auto& [name, config] : model_.pipelines) {
    auto made = wiring(config, model_.profiles, instances());
    if (!made && made.error().code == Code::unavailable) {  // its authority is still to come
      waiting_.emplace(name, std::move(made).error().within("pipeline " + name));
      continue;
    }
    if (!made) return std::move(made).error();
    pipelines_.at(name)->wire(*std::move(made));
    wired_.insert(name);
  }
  return {};
}

Result<issuance::Pipeline*> Node::pipeline(std::string_view name) const {
  const auto found = pipelines_.find(name);
  if (found == pipelines_.end()) {
    std::vector<std::string> known;
    for (const auto& [other, unused] : pipelines_) known.push_back(other);
    return not_found("no pipeline \"" + std::string(name) + "\"" + config::suggestion(name, known));
  }
  if (const auto waits = waiting_.find(name); waits != waiting_.end()) return waits->second;
  return found->second.get();
}

Status Node::can_issue(const std::string& name) const {
  HANAPER_TRY(const issuance::Pipeline* found, pipeline(name));
  if (Status current = found->signer()->check_current(shared_.clock.now()); !current)
    return std::move(current).error().within("pipeline " + name);
  return {};
}

Status Node::can_serve(const Instance& instance) const {
  for (const std::string& name : instance.config().referred("pipeline"))
    if (const auto waits = waiting_.find(name); waits != waiting_.end()) return waits->second;
  return {};
}

issuance::Pipeline* Node::pipeline_of(const CertificateRow& row) const {
  for (const bool by_profile : {true, false})
    for (const std::string& name : wired_)
      if (issuance::Pipeline* pipeline = pipelines_.at(name).get(); pipeline->acts_for(row, by_profile))
        return pipeline;
  return nullptr;
}

// One that init would make is made first. One that waits for somebody outside keeps nothing from being served
// but what needs it.
Status Node::check_authorities() const {
  const auto check = [this](const std::string& name, const std::string& of) -> Status {
    if (authorities_.find(name) || authorities_.waits_outside(name)) return {};
    return authorities_.missing(name).within(of);
  };
  for (const auto& [name, config] : model_.pipelines)
    HANAPER_CHECK(check(config.authority, "pipeline " + name));
  for (const auto& instance : instances())
    if (instance->config().kind == "protocol")
      for (const std::string& name : instance->config().referred("authority"))
        HANAPER_CHECK(check(name, instance->name()));
  return {};
}

Status Node::start_protocols() {
  for (const auto& [name, unused] : model_.pipelines)
    if (Status able = can_issue(name); !able)
      shared_.logger.error("a pipeline cannot issue", {{"pipeline", name}, {"error", able.error().detail}});
  const auto each = [this](auto&& call) -> Status {
    for (const auto& instance : instances())
      if (instance->config().kind == "protocol" && can_serve(*instance)) HANAPER_CHECK(call(*instance));
    return {};
  };
  HANAPER_CHECK(each([](Instance& instance) { return instance.start(); }));
  return each([](Instance& instance) -> Status {
    instance.take();
    return {};
  });
}

// A node is unready for issuing when none of its pipelines can: one that cannot must not take the others out
// of service with it.
void Node::add_pipeline_checks() {
  std::vector<std::string> names;
  for (const auto& [name, unused] : model_.pipelines) {
    names.push_back(name);
    shared_.readiness.add("pipeline." + name, Purpose::node, [this, name] { return can_issue(name); });
  }
  if (names.empty()) return;
  shared_.readiness.add("pipelines", Purpose::issue, [this, names]() -> Status {
    Status first;
    for (const std::string& name : names) {
      Status able = can_issue(name);
      if (able) return {};
      if (first) first = std::move(able);
    }
    return first;
  });
}

}  // namespace hanaper
