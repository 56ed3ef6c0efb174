// init, check, plan, plugins, sample, restore: what happens before and beside a running node.
#include "session.hpp"
#include "terminal.hpp"

#include "../config/plan.hpp"
#include "../node/state_lock.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

// Whether a pin that we choose is as good as any: a token's was chosen when the token was made.
bool makes_up_pin(Session& session, const config::Table& settings) {
  const config::Entry* plugin = settings.find("plugin");
  return plugin != nullptr && plugin->value.text() != nullptr &&
         session.catalog().offers("keys", *plugin->value.text(), "own-pin");
}

// Secrets that the configuration expects as files in the state folder and that are not there: made up once,
// long enough that nobody guesses them.
void create_missing_secrets(Session& session, const config::Table& root, const std::string& state) {
  for (const config::Entry& group : root) {
    const config::Table* instances = group.value.table();
    if (instances == nullptr) continue;
    for (const config::Entry& instance : *instances) {
      const config::Table* settings = instance.value.table();
      if (settings == nullptr || group.key != "keys" || !makes_up_pin(session, *settings)) continue;
      for (const config::Entry& setting : *settings) {
        const config::Table* source = setting.value.table();
        const config::Entry* file = source && source->size() == 1 ? source->find("file") : nullptr;
        if (file == nullptr || file->value.text() == nullptr) continue;
        const fs::path path = fs::path(state) / *file->value.text();
        const bool inside = path.lexically_normal().string().starts_with(state + "/");
        if (fs::exists(path) || !inside) continue;
        if (Status made = files::create(path, crypto::random_name(24) + "\n", 0600); !made)
          fail(made.error());
        std::cout << group.key << "." << instance.key << "." << setting.key << ": created " << path.string()
                  << "; keep a copy of it apart from backups\n";
      }
    }
  }
}

void create_state_folder(const std::string& state) {
  if (Status made = files::create_folder(state); !made) fail(made.error());
  if (Status own = check_state_owner(state); !own) fail(own.error());
}

std::unique_ptr<Node> started_node(Session& session) {
  const std::string state = session.model(false).node.state;
  create_state_folder(state);
  config::Messages messages;
  create_missing_secrets(
      session, config::read(session.config_file(), session.arguments().texts("--set"), messages), state);
  auto node = session.configured_node();
  if (Status started = node->start(); !started) {
    if (started.error().code == Code::conflict)
      fail(unavailable(started.error().detail + "; stop the daemon first"));
    fail(started.error());
  }
  return node;
}

}  // namespace

int run_init(Session& session) {
  const Arguments& arguments = session.arguments();
  const bool importing = arguments.has("--import");
  if (importing != arguments.has("--key") || importing != arguments.has("--certificate"))
    misuse("--import, --key and --certificate go together; see hanaper help init");
  const auto node = started_node(session);
  const Progress progress("creating authorities");
  std::vector<Authorities::Outcome> outcomes;
  if (importing) {
    Secret pin;
    if (arguments.has("--key-pin")) {
      std::string text = read_input(arguments.text("--key-pin"));
      while (text.ends_with('\n')) text.pop_back();
      pin = Secret(std::move(text));
    }
    auto outcome =
        node->authorities().import(arguments.text("--import"), Secret(read_input(arguments.text("--key"))),
                                   pin, read_input(arguments.text("--certificate")));
    if (!outcome) fail(outcome.error());
    outcomes.push_back(*std::move(outcome));
  }
  if (arguments.has("--install")) {
    auto outcome = node->authorities().install(read_input(arguments.text("--install")));
    if (!outcome) fail(outcome.error());
    outcomes.push_back(*std::move(outcome));
  }
  auto rest = node->init();
  if (!rest) fail(rest.error());
  const std::vector<Authorities::Outcome> told = outcomes;
  for (Authorities::Outcome& outcome : *rest)
    if (std::ranges::none_of(told, [&](const auto& done) { return done.authority == outcome.authority; }))
      outcomes.push_back(std::move(outcome));
  for (const auto& [authority, text] : outcomes)
    std::cout << "authority " << authority << ": " << text << "\n";
  return 0;
}

int run_check(Session& session) {
  const auto node = session.configured_node();
  if (std::vector<std::string> failures = node->check_files(); !failures.empty())
    throw Failure{2, std::move(failures)};
  std::cout << session.config_file() << ": ok, " << node->model().pipelines.size() << " pipelines, "
            << node->model().authorities.size() << " authorities, " << node->model().listeners.size()
            << " listeners\n";
  return 0;
}

int run_plan(Session& session) {
  const std::vector<std::string> lines = config::plan(session.model(false));
  if (session.arguments().has("--json")) {
    json::Array texts;
    for (const std::string& line : lines) texts.emplace_back(line);
    std::cout << json::write_pretty(json::Value(std::move(texts))) << "\n";
    return 0;
  }
  for (const std::string& line : lines) std::cout << line << "\n";
  return 0;
}

int run_plugins(Session& session) {
  const std::vector<loader::Found> found = session.catalog().list();
  if (session.arguments().has("--json")) {
    json::Array list;
    for (const loader::Found& plugin : found) {
      json::Object object{{"file", plugin.file}};
      if (plugin.manifest == nullptr) {
        object.emplace_back("refused", plugin.refusal);
      } else {
        const Manifest& manifest = *plugin.manifest;
        object.insert(object.end(), {{"kind", manifest.kind},
                                     {"name", manifest.name},
                                     {"version", manifest.version},
                                     {"licence", manifest.licence},
                                     {"summary", manifest.summary},
                                     {"capabilities", manifest.capabilities}});
      }
      list.emplace_back(std::move(object));
    }
    std::cout << json::write_pretty(json::Value(std::move(list))) << "\n";
    return 0;
  }
  std::vector<std::vector<std::string>> rows;
  bool refused = false;
  for (const loader::Found& plugin : found) {
    if (plugin.manifest == nullptr) {
      refused = true;
      continue;
    }
    rows.push_back(
        {plugin.manifest->kind, plugin.manifest->name, plugin.manifest->version, plugin.manifest->summary});
  }
  std::cout << "plugins in " << session.catalog().folder() << (found.empty() ? ": none\n" : ":\n")
            << table(rows);
  for (const loader::Found& plugin : found)
    if (plugin.manifest == nullptr) std::cout << "refused: " << plugin.refusal << "\n";
  return refused ? 1 : 0;
}

int run_sample(Session& session) {
  const std::vector<std::string> tables = config::host_tables();
  if (session.arguments().positional.empty()) {
    for (const std::string& name : tables)
      std::cout << name << (name == "node" || name == "log" || name == "outbound" ? "" : ".NAME") << "\n";
    for (const loader::Found& plugin : session.catalog().list())
      if (plugin.manifest != nullptr)
        std::cout << plugin.manifest->kind << "." << plugin.manifest->name << "\n";
    return 0;
  }
  const std::string wanted = session.arguments().positional.front();
  const std::size_t dot = wanted.find('.');
  const std::string kind = wanted.substr(0, dot),
                    name = dot == std::string::npos ? "" : wanted.substr(dot + 1);
  if (std::ranges::find(tables, kind) != tables.end()) {
    std::cout << config::sample(wanted, config::host_keys(kind));
    return 0;
  }
  const auto manifest = session.catalog().find(kind, name);
  if (!manifest) misuse(manifest.error().detail);
  std::vector<SettingKey> keys;
  const auto own = config::host_keys(kind);
  keys.assign(own.begin(), own.end());
  keys.insert(keys.end(), (*manifest)->keys, (*manifest)->keys + (*manifest)->key_count);
  std::cout << "# " << (*manifest)->summary << "\n" << config::sample(wanted, keys);
  return 0;
}

int run_restore(Session& session) {
  const std::string file = session.arguments().positional.front();
  const std::string state = session.model(false).node.state;
  create_state_folder(state);
  const auto node = session.configured_node();
  const Progress progress("restoring");
  const auto restored = restore(*node, file);
  if (!restored) fail(restored.error());
  std::cout << "restored the backup of " << restored->text_at("time") << " into " << state << "\n";
  return 0;
}

}  // namespace hanaper::cli
