// init, check, plan, plugins, sample: what happens before and beside a running node.
#include "print.hpp"
#include "terminal.hpp"

#include "../config/notes.hpp"
#include "../config/plan.hpp"
#include "../http/outbound.hpp"
#include "../node/state_lock.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

// Whether a pin that we choose is as good as any: a token's was chosen when the token was made.
bool makes_up_pin(Session& session, const config::Table& settings) {
  const config::Entry* plugin = settings.find("plugin");
  if (plugin == nullptr || plugin->value.text() == nullptr) return false;
  const auto manifest = session.catalog().find("keys", *plugin->value.text());
  return manifest && (*manifest)->takes_any_pin;
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
        (session.line().has("--json") ? std::cerr : std::cout)
            << group.key << "." << instance.key << "." << setting.key << ": created " << path.string()
            << "; keep a copy of it apart from backups\n";
      }
    }
  }
}

std::unique_ptr<Node> started_node(Session& session) {
  const std::string state = session.model(false).node.state;
  create_state_folder(state);
  config::Messages messages;
  create_missing_secrets(session,
                         config::read(session.config_file(), session.line().texts("--set"), messages), state);
  auto node = session.configured_node();
  if (Status started = node->start(); !started) {
    if (started.error().code == Code::conflict)
      fail(unavailable(started.error().detail + "; stop the daemon first"));
    fail_start(started.error());
  }
  if (Status clock = node->writer().check_clock(); !clock) fail(clock.error());
  return node;
}

}  // namespace

int run_init(Session& session) {
  const CommandLine& line = session.line();
  const bool importing = line.has("--import");
  if (importing != line.has("--key") || importing != line.has("--certificate"))
    session.misuse("--import, --key and --certificate go together");
  const auto node = started_node(session);
  const Progress progress("creating authorities");
  std::vector<Authorities::Outcome> outcomes;
  if (importing) {
    Secret pin;
    if (line.has("--key-pin")) {
      std::string text = read_input(line.text("--key-pin"));
      while (text.ends_with('\n')) text.pop_back();
      pin = Secret(std::move(text));
    }
    auto outcome = node->authorities().import(line.text("--import"), Secret(read_input(line.text("--key"))),
                                              pin, read_input(line.text("--certificate")));
    if (!outcome) fail(outcome.error());
    outcomes.push_back(*std::move(outcome));
  }
  if (line.has("--install")) {
    auto outcome = node->authorities().install(read_input(line.text("--install")));
    if (!outcome) fail(outcome.error());
    outcomes.push_back(*std::move(outcome));
  }
  auto rest = node->init();
  if (!rest) fail(rest.error());
  const std::vector<Authorities::Outcome> told = outcomes;
  for (Authorities::Outcome& outcome : *rest)
    if (std::ranges::none_of(told, [&](const auto& done) { return done.authority == outcome.authority; }))
      outcomes.push_back(std::move(outcome));
  if (line.has("--json")) {
    json::Array rows;
    for (const auto& [authority, text] : outcomes)
      rows.emplace_back(json::Object{{"authority", authority}, {"outcome", text}});
    print_items(std::move(rows));
    return 0;
  }
  for (const auto& [authority, text] : outcomes)
    std::cout << "authority " << authority << ": " << text << "\n";
  return 0;
}

namespace {

// What a start would do, as far as nothing changes by it; what was found on the way. Ends the command as the
// start would end when that fails.
std::vector<std::string> look_deep(Session& session, Node& node) {
  std::vector<std::string> notes;
  const std::string& socket = node.model().node.socket;
  const auto daemon = ControlClient::connect(socket);
  if (!daemon || daemon->has_value())
    notes.push_back(
        "a daemon runs here; its state folder is looked at beside it, and it keeps what it holds");
  Node::Checked checked = node.check_start();
  if (!checked.failures.empty())
    throw Failure{checked.misconfigured ? 2 : 1, std::move(checked.failures),
                  checked.misconfigured ? Code::malformed : Code::unavailable};
  notes.insert(notes.end(), checked.notes.begin(), checked.notes.end());
  if (!session.line().has("--json"))
    for (const std::string& note : notes) std::cout << note << "\n";
  return notes;
}

}  // namespace

namespace {

void collect_file_names(const config::Value& value, std::set<std::string>& names) {
  if (value.text() != nullptr) names.insert(fs::path(*value.text()).filename());
  if (const auto* items = std::get_if<config::Array>(&value.content))
    for (const config::Value& item : *items) collect_file_names(item, names);
  if (const config::Table* table = value.table())
    for (const config::Entry& entry : *table) collect_file_names(entry.value, names);
}

// Whether the state folder holds nothing but what somebody has put there for the configuration: accounts,
// secrets.
bool is_before_init(Session& session) {
  config::Messages messages;
  const config::Table root = config::read(session.config_file(), session.line().texts("--set"), messages);
  std::set<std::string> names;
  for (const config::Entry& table : root) collect_file_names(table.value, names);
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(session.model(false).node.state, ec))
    if (!names.contains(entry.path().filename())) return false;
  return true;
}

}  // namespace

int run_check(Session& session) {
  // Before init has made them, pins may be missing; afterwards there are keys that want theirs.
  std::vector<std::string> missing;
  const auto node = session.configured_node("", is_before_init(session) ? &missing : nullptr);
  std::vector<Error> failures = node->check_files();
  if (auto outbound = http::OutboundClient::open(node->model().outbound); !outbound)
    failures.push_back(std::move(outbound).error());
  if (!failures.empty()) {
    Failure all{2, {}};
    for (const Error& failure : failures) all.lines.push_back(failure.detail);
    throw all;
  }
  std::vector<std::string> notes;
  for (const std::string& pin : missing) notes.push_back(pin + ": does not exist; hanaper init makes it up");
  for (std::string& note : config::notes(node->model())) notes.push_back(std::move(note));
  if (!session.line().has("--json"))
    for (const std::string& note : notes) std::cout << note << "\n";
  if (session.line().has("--deep"))
    for (std::string& note : look_deep(session, *node)) notes.push_back(std::move(note));
  const config::Model& model = node->model();
  if (session.line().has("--json")) {
    print_json(json::Object{{"file", session.config_file()},
                            {"pipelines", model.pipelines.size()},
                            {"authorities", model.authorities.size()},
                            {"listeners", model.listeners.size()},
                            {"notes", json::Array(notes.begin(), notes.end())}});
    return 0;
  }
  std::cout << session.config_file() << ": ok, " << model.pipelines.size() << " pipelines, "
            << model.authorities.size() << " authorities, " << model.listeners.size() << " listeners\n";
  return 0;
}

int run_plan(Session& session) {
  const std::vector<std::string> lines = config::plan(session.model(false));
  if (session.line().has("--json")) {
    json::Array texts;
    for (const std::string& line : lines) texts.emplace_back(line);
    print_items(std::move(texts));
    return 0;
  }
  for (const std::string& line : lines) std::cout << line << "\n";
  return 0;
}

int run_plugins(Session& session) {
  const std::vector<loader::Found> found = session.catalog().list();
  if (session.line().has("--json")) {
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
                                     {"clusterable", manifest.clusterable}});
      }
      list.emplace_back(std::move(object));
    }
    print_items(std::move(list));
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

namespace {

constexpr std::string_view single_tables[] = {"node", "log", "outbound"};

std::vector<std::string> sample_names(Session& session) {
  std::vector<std::string> names;
  for (const std::string& name : config::host_tables())
    names.push_back(name +
                    (std::ranges::find(single_tables, name) != std::end(single_tables) ? "" : ".NAME"));
  for (const auto& [kind, name] : operations::plugins_of(session.catalog()))
    names.push_back(kind + "." + name);
  return names;
}

// A table's keys, and what its plugin is for; empty for the host's own.
struct Sample {
  std::vector<SettingKey> keys;
  std::string summary = {};
};

// What might be meant by a word that is no table.
std::string without_name(Session& session, const std::string& kind) {
  std::string known;
  for (const std::string& name : sample_names(session))
    if (name.starts_with(kind + ".")) known += (known.empty() ? "" : ", ") + name;
  if (!known.empty()) return "\"" + kind + "\" is a kind of plugins; name one: " + known;
  return "no table \"" + kind + "\"" + config::suggestion(kind, sample_names(session)) +
         "; hanaper sample lists them";
}

Sample sample_of(Session& session, const std::string& wanted) {
  const std::vector<std::string> tables = config::host_tables();
  const std::size_t dot = wanted.find('.');
  const std::string kind = wanted.substr(0, dot),
                    name = dot == std::string::npos ? "" : wanted.substr(dot + 1);
  if (std::ranges::find(tables, kind) != tables.end()) {
    const auto own = config::host_keys(kind);
    return {{own.begin(), own.end()}};
  }
  if (name.empty()) misuse(without_name(session, kind));
  const auto manifest = session.catalog().find(kind, name);
  if (!manifest) misuse(manifest.error().detail);
  const auto own = config::host_keys(kind);
  Sample sample{{own.begin(), own.end()}, (*manifest)->summary};
  sample.keys.insert(sample.keys.end(), (*manifest)->keys, (*manifest)->keys + (*manifest)->key_count);
  return sample;
}

json::Value key_value(const SettingKey& key) {
  constexpr std::string_view types[] = {"text", "texts",  "integer",   "boolean",    "duration", "size",
                                        "path", "secret", "reference", "references", "tables",   "map"};
  json::Object value{{"key", key.name},
                     {"type", types[static_cast<std::size_t>(key.type)]},
                     {"required", key.fallback == nullptr},
                     {"doc", key.doc}};
  if (key.fallback != nullptr && *key.fallback != '\0') value.emplace_back("default", key.fallback);
  if (key.bounds != nullptr) value.emplace_back("bounds", key.bounds);
  return value;
}

}  // namespace

int run_sample(Session& session) {
  const bool as_json = session.line().has("--json");
  if (session.line().positional.empty()) {
    const std::vector<std::string> names = sample_names(session);
    if (as_json) print_items(json::Array(names.begin(), names.end()));
    if (!as_json)
      for (const std::string& name : names) std::cout << name << "\n";
    return 0;
  }
  const std::string& wanted = session.line().positional.front();
  const Sample sample = sample_of(session, wanted);
  if (as_json) {
    json::Array rows;
    for (const SettingKey& key : sample.keys) rows.push_back(key_value(key));
    print_items(std::move(rows));
    return 0;
  }
  if (!sample.summary.empty()) std::cout << "# " << sample.summary << "\n";
  std::cout << config::sample(wanted, sample.keys);
  return 0;
}

}  // namespace hanaper::cli
