// SIGHUP: what a running node takes over from a changed configuration, and what it cannot.
#include "node.hpp"

#include <algorithm>

namespace hanaper {
namespace {

bool applies_while_running(const std::string& table) {
  for (std::string_view prefix : {"log", "profile.", "authenticator.", "policy.", "validator.", "pipeline."})
    if (table == prefix || (prefix.ends_with('.') && table.starts_with(prefix))) return true;
  return false;
}

// Tables that came, went or read differently.
std::vector<std::string> changed_tables(const config::Model& before, const config::Model& after) {
  std::vector<std::string> changed;
  for (const auto& [name, text] : after.written)
    if (const auto old = before.written.find(name); old == before.written.end() || old->second != text)
      changed.push_back(name);
  for (const auto& [name, text] : before.written)
    if (!after.written.contains(name)) changed.push_back(name);
  std::ranges::sort(changed);
  return changed;
}

}  // namespace

Result<std::vector<std::string>> Node::reload(config::Model model) {
  std::vector<std::string> outcome;
  const std::vector<std::string> changed = changed_tables(model_, model);
  std::vector<std::string> applied;
  // Pipelines and their authorities are those of the start; which belongs to which may change.
  const auto waits = [&](const std::string& table) {
    if (!applies_while_running(table)) return true;
    if (!table.starts_with("pipeline.")) return false;
    const auto pipeline = model.pipelines.find(table.substr(9));
    return !pipelines_.contains(table.substr(9)) ||
           (pipeline != model.pipelines.end() && !authorities_.find(pipeline->second.authority));
  };
  for (const std::string& table : changed) {
    if (waits(table))
      outcome.push_back(table + ": takes effect at the next start");
    else
      applied.push_back(table);
  }
  const auto is_applied = [&](const std::string& table) {
    return std::ranges::find(applied, table) != applied.end();
  };

  // New authenticators, policies and validators first; if one of them fails nothing has changed yet.
  std::vector<std::unique_ptr<Instance>> fresh;
  for (auto at = model.instances.begin(); at != model.instances.end();) {
    const auto current = at++;
    if (!is_applied(current->kind + "." + current->name)) continue;
    model_.instances.splice(model_.instances.end(), model.instances, current);
    auto made = std::make_unique<Instance>(shared_, *current, "");
    HANAPER_CHECK(made->configure(catalog_));
    HANAPER_CHECK(made->start());
    fresh.push_back(std::move(made));
  }
  if (is_applied("log")) HANAPER_CHECK(shared_.logger.apply(model.log));
  for (auto& made : fresh) {
    const auto old = std::ranges::find_if(
        instances_, [&](const auto& instance) { return instance->name() == made->name(); });
    if (old == instances_.end()) {
      instances_.push_back(std::move(made));
      continue;
    }
    retired_.push_back(std::exchange(*old, std::move(made)));
  }
  model_.profiles = std::move(model.profiles);
  for (auto& [name, pipeline] : model_.pipelines)
    if (const auto found = model.pipelines.find(name);
        found != model.pipelines.end() && authorities_.find(found->second.authority))
      pipeline = found->second;
  HANAPER_CHECK(wire_pipelines());
  listen_for_events();
  if (dispatcher_) subscribe();
  for (const std::string& table : applied) {
    model_.written[table] = model.written.contains(table) ? model.written[table] : "";
    outcome.push_back(table + ": applied");
  }
  for (const std::string& name : wired_)
    if (Status rehearsed = pipelines_.at(name)->rehearse(); !rehearsed)
      outcome.push_back("pipeline." + name +
                        ": refuses what is asked of it now: " + rehearsed.error().detail);
  if (Status loaded = blocked_.load_file(model_.node.blocked_keys); !loaded)
    outcome.push_back("node.blocked_keys: " + loaded.error().detail);
  Call call{"reload", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  if (Status renewed = certificates_.renew(call); !renewed) outcome.push_back(renewed.error().detail);
  return outcome;
}

}  // namespace hanaper
