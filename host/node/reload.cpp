// What a running node takes over from a changed configuration, and what it cannot.
//
// Everything new is made and tried beside what serves. Only when nothing can fail any more does it take its
// place, all in one step; whatever is refused before leaves everything as it was.
#include "node.hpp"

#include <algorithm>

namespace hanaper {
namespace {

using config::InstanceConfig;
using config::Model;
using config::PipelineConfig;
using Names = std::vector<std::string>;

constexpr std::string_view stages[] = {"authenticator", "policy", "validator", "publisher", "notifier"};
// What requests under way with a replaced stage are waited for.
constexpr std::chrono::milliseconds longest_patience = std::chrono::seconds{5};

bool is_stage(std::string_view kind) { return std::ranges::find(stages, kind) != std::end(stages); }

// Tables that came, went or read differently, the content of the files that they name included.
Names changed_tables(const Model& before, const Model& after) {
  Names changed;
  for (const auto& [name, text] : after.written)
    if (const auto old = before.written.find(name); old == before.written.end() || old->second != text)
      changed.push_back(name);
  for (const auto& [name, text] : before.written)
    if (!after.written.contains(name)) changed.push_back(name);
  std::ranges::sort(changed);
  return changed;
}

// The stages that a pipeline uses, as "policy.names".
Names stages_of(const PipelineConfig& pipeline) {
  Names names;
  const auto add = [&](std::string_view kind, const Names& list) {
    for (const std::string& name : list) names.push_back(std::string(kind) + "." + name);
  };
  add("authenticator", pipeline.authenticate);
  add("policy", pipeline.policy);
  add("validator", pipeline.validate);
  add("publisher", pipeline.publish);
  add("notifier", pipeline.notify);
  return names;
}

std::string waits(const std::string& table, const std::string& why = {}) {
  return table + ": takes effect at the next start" + (why.empty() ? "" : ", " + why);
}

}  // namespace

// [main]
class Node::Trial {
 public:
  Trial(Node& node, Model model) : node_(node), model_(std::move(model)), pipelines_(node.model_.pipelines) {}
  // What was made and not taken is stopped.
  ~Trial() {
    const Deadline deadline = node_.reload_deadline();
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) static_cast<void>((*made)->stop(deadline));
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  // Makes and tries; a failure says which table stands in the way.
  Status prepare();
  // Cannot fail. Returns what was replaced, and says what has changed.
  Instances commit(std::vector<std::string>& outcome);

 private:
  void choose();
  bool can_apply(const std::string& kind, const std::string& name);
  bool can_apply_pipeline(const std::string& name);
  bool knows_all(const InstanceConfig& config, const std::string& table);
  Status adjust(const InstanceConfig& config, const std::string& table);
  Status make_stages();
  Status wire();
  void wait(const std::string& table, const std::string& why = {}) {
    waiting_.insert(table);
    lines_.push_back(waits(table, why));
  }

  Node& node_;
  Model model_;
  std::map<std::string, PipelineConfig> pipelines_;  // as they will be
  Profiles profiles_;                                // likewise
  std::set<std::string> changed_, applied_, waiting_;
  std::vector<std::string> lines_;
  Instances made_;       // beside those that serve
  Instances instances_;  // those that will serve
  std::vector<std::unique_ptr<Adjustable::Change>> changes_;
  std::map<std::string, std::shared_ptr<const issuance::Wiring>> wirings_;
  std::shared_ptr<Outbound> outbound_;
};

// Whether all that its settings name is there since the start.
bool Node::Trial::knows_all(const InstanceConfig& config, const std::string& table) {
  for (const std::string& authority : config.referred("authority"))
    if (!node_.status_authorities_.contains(authority)) {
      wait(table, "with authority." + authority);
      return false;
    }
  for (const std::string& pipeline : config.referred("pipeline"))
    if (!node_.pipelines_.contains(pipeline) || node_.waiting_.contains(pipeline)) {
      wait(table, "with pipeline." + pipeline);
      return false;
    }
  return true;
}

bool Node::Trial::can_apply_pipeline(const std::string& name) {
  const std::string table = "pipeline." + name;
  const auto found = model_.pipelines.find(name);
  if (found == model_.pipelines.end() || !node_.pipelines_.contains(name)) return wait(table), false;
  if (!node_.wired_.contains(name) || !node_.authorities_.find(found->second.authority))
    return wait(table, "with authority." + found->second.authority), false;
  const auto serving = node_.instances();
  for (const std::string& stage : stages_of(found->second)) {
    const std::size_t dot = stage.find('.');
    const bool there = find_instance(serving, stage.substr(0, dot), stage.substr(dot + 1)) != nullptr;
    if (!there && !applied_.contains(stage)) return wait(table, "with " + stage), false;
  }
  pipelines_[name] = found->second;
  return true;
}

bool Node::Trial::can_apply(const std::string& kind, const std::string& name) {
  const std::string table = kind + "." + name;
  if (kind == "profile") return true;
  if (is_stage(kind)) {
    const InstanceConfig* config = model_.instance(kind, name);
    return config == nullptr || knows_all(*config, table);
  }
  return wait(table), false;
}

// Which of the changed tables can be applied; stages before the pipelines that use them.
void Node::Trial::choose() {
  for (const std::string& table : changed_tables(node_.model_, model_)) changed_.insert(table);
  for (const bool pipelines : {false, true})
    for (const std::string& table : changed_) {
      const std::size_t dot = table.find('.');
      const std::string kind = table.substr(0, dot), name = dot == table.npos ? "" : table.substr(dot + 1);
      if ((kind == "pipeline") != pipelines || kind == "protocol" || kind == "keys") continue;
      if (table == "log" || table == "outbound" ||
          (pipelines ? can_apply_pipeline(name) : !name.empty() && can_apply(kind, name)))
        applied_.insert(table);
      else if (name.empty())
        wait(table);
    }
  profiles_ = model_.profiles;
  for (const auto& [name, pipeline] : pipelines_)
    for (const std::string& profile : pipeline.profiles)
      if (const auto old = node_.model_.profiles.find(profile); old != node_.model_.profiles.end())
        profiles_.emplace(profile, old->second);
}

// A protocol or key provider, of which there is never a second one.
Status Node::Trial::adjust(const InstanceConfig& config, const std::string& table) {
  const auto serving = find_instance(node_.instances(), config.kind, config.name);
  if (!serving || serving->config().plugin != config.plugin ||
      serving->config().listener != config.listener || serving->config().path != config.path)
    return wait(table), Status{};
  auto* adjustable = serving->ability<Adjustable>();
  if (adjustable == nullptr || !knows_all(config, table)) {
    if (!waiting_.contains(table)) wait(table);
    return {};
  }
  auto change = serving->guard().run("prepare", "", [&] { return adjustable->prepare(config.settings); });
  if (!change && change.error().code == Code::unsupported)
    return wait(table, change.error().detail), Status{};
  if (!change) return std::move(change).error();
  changes_.push_back(*std::move(change));
  applied_.insert(table);
  return {};
}

Status Node::Trial::make_stages() {
  std::set<std::string> used;
  for (const auto& [name, pipeline] : pipelines_)
    for (std::string& stage : stages_of(pipeline)) used.insert(std::move(stage));
  for (const auto& serving : node_.instances()) {
    const config::InstanceConfig& config = serving->config();
    const bool stays = !is_stage(config.kind) || !applied_.contains(serving->name());
    // A pipeline that waits for the next start uses it until then.
    const bool needed =
        model_.instance(config.kind, config.name) == nullptr && used.contains(serving->name());
    if (stays || needed) instances_.push_back(serving);
  }
  for (InstanceConfig& config : model_.instances) {
    const std::string table = config.kind + "." + config.name;
    if (!is_stage(config.kind) || !applied_.contains(table)) continue;
    made_.push_back(
        std::make_shared<Instance>(node_.shared_, std::exchange(config, config.without_secrets()), ""));
    HANAPER_CHECK(made_.back()->configure(node_.catalog_));
    HANAPER_CHECK(made_.back()->start());
    instances_.push_back(made_.back());
  }
  return {};
}

Status Node::Trial::wire() {
  for (const auto& [name, pipeline] : pipelines_) {
    if (!node_.wired_.contains(name)) continue;
    const Names of = stages_of(pipeline);
    const auto is_new = [&](const std::string& table) { return applied_.contains(table); };
    if (!is_new("pipeline." + name) && std::ranges::none_of(of, is_new) &&
        std::ranges::none_of(pipeline.profiles, [&](const std::string& p) { return is_new("profile." + p); }))
      continue;
    auto wiring = node_.wiring(pipeline, profiles_, instances_);
    if (!wiring) return std::move(wiring).error().within("pipeline." + name);
    if (Status tested = node_.pipelines_.at(name)->self_test(*wiring); !tested)
      return std::move(tested).error().within("pipeline." + name);
    wirings_.emplace(name, *std::move(wiring));
  }
  return {};
}

Status Node::Trial::prepare() {
  if (std::vector<Error> failures = node_.check_files(); !failures.empty())
    return std::move(failures.front());
  choose();
  HANAPER_CHECK(make_stages());
  for (const InstanceConfig& config : model_.instances)
    if (const std::string table = config.kind + "." + config.name;
        (config.kind == "protocol" || config.kind == "keys") && changed_.contains(table))
      HANAPER_CHECK(adjust(config, table));
  for (const std::string& table : changed_)
    if ((table.starts_with("protocol.") || table.starts_with("keys.")) && !applied_.contains(table) &&
        !waiting_.contains(table))
      wait(table);
  HANAPER_CHECK(wire());
  if (applied_.contains("outbound")) {
    HANAPER_TRY(outbound_, http::OutboundClient::open(model_.outbound));
  }
  // The last that may fail, for it takes effect at once.
  if (applied_.contains("log")) HANAPER_CHECK(node_.shared_.logger.apply(model_.log));
  return {};
}

Node::Instances Node::Trial::commit(std::vector<std::string>& outcome) {
  for (const auto& change : changes_) change->commit();
  if (outbound_) node_.shared_.outbound.swap(outbound_);
  Instances replaced;
  for (const auto& old : node_.instances())
    if (std::ranges::find(instances_, old) == instances_.end()) replaced.push_back(old);
  node_.instances_.store(std::make_shared<const Instances>(std::move(instances_)));
  for (auto& [name, wiring] : wirings_) node_.pipelines_.at(name)->wire(std::move(wiring));
  for (const auto& made : made_) made->take();
  made_.clear();
  std::list<InstanceConfig>& configs = node_.model_.instances;
  configs.remove_if(
      [&](const InstanceConfig& config) { return applied_.contains(config.kind + "." + config.name); });
  for (const InstanceConfig& config : model_.instances)
    if (applied_.contains(config.kind + "." + config.name)) configs.push_back(config.without_secrets());
  node_.model_.profiles = std::move(profiles_);
  for (auto& [name, pipeline] : pipelines_) node_.model_.pipelines[name] = std::move(pipeline);
  for (const std::string& table : applied_) {
    if (const auto written = model_.written.find(table); written != model_.written.end())
      node_.model_.written[table] = written->second;
    else
      node_.model_.written.erase(table);
    outcome.push_back(table + ": applied");
  }
  outcome.insert(outcome.end(), lines_.begin(), lines_.end());
  std::ranges::sort(outcome);
  return replaced;
}

Result<std::vector<std::string>> Node::reload(config::Model model) {
  std::vector<std::string> outcome;
  Trial trial(*this, std::move(model));
  HANAPER_CHECK(trial.prepare());
  Instances replaced = trial.commit(outcome);
  listen_for_events();
  if (dispatcher_) subscribe(reload_deadline());
  retire(std::move(replaced));
  for (const std::string& file : catalog_.changed_files())
    outcome.push_back(file + ": is another file now; takes effect at the next start");
  if (Status loaded = blocked_.load_file(model_.node.blocked_keys); !loaded)
    outcome.push_back("node.blocked_keys: " + loaded.error().detail);
  Call call{"reload", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  if (Status renewed = certificates_.renew(call); !renewed) outcome.push_back(renewed.error().detail);
  return outcome;
}

Deadline Node::reload_deadline() const {
  return std::chrono::steady_clock::now() + std::min(longest_patience, model_.node.drain);
}

// Requests that began with the old wiring end with it; then nobody is left who holds a replaced instance.
void Node::retire(Instances instances) {
  const Deadline deadline = reload_deadline();
  for (auto& instance : instances) retired_.push_back(std::move(instance));
  instances.clear();
  const auto is_left = [](const std::shared_ptr<Instance>& instance) { return instance.use_count() == 1; };
  while (!std::ranges::all_of(retired_, is_left) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  std::erase_if(retired_, [&](const std::shared_ptr<Instance>& instance) {
    if (is_left(instance) && instance->stop(reload_deadline())) return true;
    shared_.logger.warning("a replaced plugin is still at work; it stays until it is done",
                           {{"plugin", instance->name()}});
    return false;
  });
}

}  // namespace hanaper
