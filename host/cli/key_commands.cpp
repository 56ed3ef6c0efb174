// keys: the node's side, which finds and changes keys, and the command line's, which asks and prints.
#include "../services/audit.hpp"
#include "node_commands.hpp"
#include "session.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace hanaper::cli {
namespace {

struct KeyPlace {
  std::string instance, label;
  std::string text() const { return instance + ":" + label; }
};

Result<KeyPlace> parse_place(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size())
    return malformed("\"" + std::string(text) + "\" names no key; write INSTANCE:LABEL, as in soft:root");
  return KeyPlace{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

Result<Keys*> find_keys(Node& node, std::string_view name) {
  if (Keys* found = node.keys(name)) return found;
  std::string known;
  for (const auto& instance : node.instances())
    if (instance->config().kind == "keys")
      known += (known.empty() ? "; there are " : ", ") + instance->config().name;
  return not_found("no keys instance \"" + std::string(name) + "\"" + known);
}

// Who would be without a key.
std::string user_of(const Node& node, const KeyPlace& place) {
  for (const auto& [name, authority] : node.model().authorities)
    if (authority.keys == place.instance && authority.label == place.label)
      return "authority \"" + name + "\"";
  for (const auto& [name, listener] : node.model().listeners)
    if (listener.keys == place.instance && listener.label == place.label) return "listener \"" + name + "\"";
  return {};
}

Status audit(Node& node, const char* what, const KeyPlace& place, const std::string& type) {
  Write write;
  write.audit =
      services::audit_line(node.shared().clock.now(), what, {{"key", place.text()}, {"type", type}});
  return node.writer().commit(write, std::chrono::steady_clock::now() + std::chrono::seconds{30});
}

Result<json::Value> list_keys(Node& node, std::string_view wanted) {
  json::Array rows;
  for (const auto& instance : node.instances()) {
    const config::InstanceConfig& config = instance->config();
    if (config.kind != "keys" || (!wanted.empty() && config.name != wanted)) continue;
    HANAPER_TRY(const std::vector<KeyInfo> infos, dynamic_cast<Keys&>(instance->plugin()).list());
    for (const KeyInfo& info : infos)
      rows.push_back(json::Object{{"key", config.name + ":" + info.label},
                                  {"type", to_string(info.spec)},
                                  {"used_by", user_of(node, {config.name, info.label})}});
  }
  return json::Object{{"keys", std::move(rows)}};
}

Result<json::Value> described(const KeyPlace& place, const Key& key) {
  return json::Object{{"key", place.text()},
                      {"type", to_string(key.spec())},
                      {"public", pem::encode("PUBLIC KEY", key.spki())}};
}

Result<json::Value> create_key(Node& node, Keys& keys, const KeyPlace& place, const json::Value& arguments) {
  HANAPER_TRY(const KeySpec spec, parse_key_spec(arguments.text_at("type")));
  HANAPER_TRY(const std::shared_ptr<Key> key, keys.create(place.label, spec));
  HANAPER_CHECK(audit(node, "key.created", place, to_string(key->spec())));
  return described(place, *key);
}

Result<json::Value> import_key(Node& node, Keys& keys, const KeyPlace& place, const json::Value& arguments) {
  const Secret pem{std::string(arguments.text_at("pem"))}, pin{std::string(arguments.text_at("pin"))};
  HANAPER_TRY(const std::shared_ptr<crypto::SoftKey> soft, crypto::SoftKey::from_pem(pem, pin));
  HANAPER_TRY(const Secret pkcs8, soft->to_pkcs8());
  HANAPER_TRY(const std::shared_ptr<Key> key, keys.import(place.label, pkcs8));
  HANAPER_CHECK(audit(node, "key.imported", place, to_string(key->spec())));
  return described(place, *key);
}

Result<json::Value> delete_key(Node& node, Keys& keys, const KeyPlace& place) {
  if (const std::string user = user_of(node, place); !user.empty())
    return conflict(place.text() + " is the key of " + user + "; take that out of the configuration first");
  HANAPER_TRY(const std::shared_ptr<Key> key, keys.find(place.label));
  const std::string type = to_string(key->spec());
  HANAPER_CHECK(audit(node, "key.delete.intent", place, type));
  HANAPER_CHECK(keys.remove(place.label));
  HANAPER_CHECK(audit(node, "key.deleted", place, type));
  return json::Object{{"key", place.text()}};
}

Result<json::Value> replicate_key(Node& node, Keys& keys, const KeyPlace& place) {
  auto* replication = static_cast<Replication*>(keys.ability(Replication::ability_id));
  if (replication == nullptr)
    return unsupported("keys." + place.instance +
                       " keeps its keys in one place; there is nothing to replicate");
  HANAPER_TRY(const std::vector<std::string> places, replication->replicate(place.label));
  HANAPER_CHECK(audit(node, "key.replicated", place, ""));
  json::Array names;
  for (const std::string& name : places) names.push_back(name);
  return json::Object{{"key", place.text()}, {"copies", std::move(names)}};
}

bool confirmed(const std::string& place) {
  if (::isatty(STDIN_FILENO) == 0) misuse("keys delete asks; without a terminal it wants --yes");
  std::cerr << "delete " << place << " for good? nothing brings it back. Type its name again: ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == place;
}

void add_import(const Arguments& arguments, json::Object& request) {
  if (!arguments.has("--key")) misuse("keys import wants --key FILE");
  request.emplace_back("pem", read_input(arguments.text("--key")));
  if (!arguments.has("--key-pin")) return;
  std::string pin = read_input(arguments.text("--key-pin"));
  while (pin.ends_with('\n')) pin.pop_back();
  request.emplace_back("pin", std::move(pin));
}

void print_keys(const json::Value& answer) {
  std::vector<std::vector<std::string>> rows = {{"KEY", "TYPE", "USED BY"}};
  for (const json::Value& key : *answer.find("keys")->array())
    rows.push_back({std::string(key.text_at("key")), std::string(key.text_at("type")),
                    std::string(key.text_at("used_by"))});
  std::cout << table(rows);
}

void print_outcome(const std::string& action, const json::Value& answer) {
  const std::string key(answer.text_at("key"));
  if (action == "delete") {
    std::cout << key << " deleted\n";
  } else if (action == "replicate") {
    std::string copies;
    for (const json::Value& copy : *answer.find("copies")->array())
      copies += (copies.empty() ? "" : ", ") + *copy.text();
    std::cout << key << (copies.empty() ? ": there is one token only" : ": also on " + copies) << "\n";
  } else {
    std::cerr << key << ": " << answer.text_at("type") << "\n";
    std::cout << answer.text_at("public");
  }
}

}  // namespace

Result<json::Value> keys(Node& node, const json::Value& arguments, Call&) {
  const std::string_view action = arguments.text_at("action"), name = arguments.text_at("key");
  if (action == "list") {
    if (!name.empty()) HANAPER_CHECK(find_keys(node, name));
    return list_keys(node, name);
  }
  HANAPER_TRY(const KeyPlace place, parse_place(name));
  HANAPER_TRY(Keys* const provider, find_keys(node, place.instance));
  if (action == "create") return create_key(node, *provider, place, arguments);
  if (action == "import") return import_key(node, *provider, place, arguments);
  if (action == "delete") return delete_key(node, *provider, place);
  if (action == "replicate") return replicate_key(node, *provider, place);
  return malformed("no such action \"" + std::string(action) + "\"");
}

int run_keys(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string action = arguments.positional.front();
  constexpr std::string_view actions[] = {"list", "create", "import", "delete", "replicate"};
  if (std::ranges::find(actions, action) == std::end(actions))
    misuse("keys list, create, import, delete or replicate; see hanaper help keys");
  const std::string place = arguments.positional.size() > 1 ? arguments.positional[1] : "";
  if (action != "list") {
    if (const auto parsed = parse_place(place); !parsed) misuse(parsed.error().detail);
  }
  json::Object request{{"action", action}, {"key", place}};
  if (action == "create") request.emplace_back("type", arguments.text("--key-type", "ec-p256"));
  if (action == "import") add_import(arguments, request);
  if (action == "delete" && !arguments.has("--yes") && !confirmed(place)) misuse("nothing deleted");
  json::Value answer;
  {
    const Progress progress("keys " + action);
    answer = session.run("keys", std::move(request));
  }
  if (arguments.has("--json"))
    std::cout << json::write_pretty(answer) << "\n";
  else if (action == "list")
    print_keys(answer);
  else
    print_outcome(action, answer);
  return 0;
}

}  // namespace hanaper::cli
