// Keys: found, made, taken over, deleted, copied.
#include "../config/key_uses.hpp"
#include "../services/audit.hpp"
#include "table.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/soft_key.hpp>

namespace hanaper::operations {
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

// Who would be without a key: `authority "issuing", listener "public"`.
std::string users_of(const Node& node, const KeyPlace& place) {
  std::string users;
  for (const config::KeyUse& use : config::key_uses(node.model()))
    if (use.keys == place.instance && use.label == place.label)
      users += (users.empty() ? "" : ", ") + use.text();
  return users;
}

Status audit(Node& node, const Caller& caller, const char* what, const KeyPlace& place,
             const std::string& type) {
  Write write;
  write.audit =
      services::audit_line(node.shared().clock.now(), what,
                           {{"key", place.text()}, {"type", type}, {"requester", caller.requester()}});
  return node.writer().commit(write, std::chrono::steady_clock::now() + std::chrono::seconds{30});
}

// The provider that an argument names, and the label in it.
struct Found {
  KeyPlace place;
  Keys* keys;
};
Result<Found> find_place(Node& node, const Arguments& arguments) {
  HANAPER_TRY(KeyPlace place, parse_place(arguments.text("place")));
  HANAPER_TRY(Keys* const keys, find_keys(node, place.instance));
  return Found{std::move(place), keys};
}

json::Value described(const KeyPlace& place, const Key& key) {
  return json::Object{{"key", place.text()},
                      {"type", to_string(key.spec())},
                      {"public", pem::encode("PUBLIC KEY", key.spki())}};
}

}  // namespace

Result<json::Value> list_keys(Node& node, const Caller&, const Arguments& arguments, Call&) {
  const std::string& wanted = arguments.text("instance");
  if (!wanted.empty()) HANAPER_CHECK(find_keys(node, wanted));
  json::Array rows;
  for (const auto& instance : node.instances()) {
    const config::InstanceConfig& config = instance->config();
    if (config.kind != "keys" || (!wanted.empty() && config.name != wanted)) continue;
    HANAPER_TRY(Keys* const provider, find_keys(node, config.name));
    HANAPER_TRY(const std::vector<KeyInfo> infos, provider->list());
    for (const KeyInfo& info : infos)
      rows.push_back(json::Object{{"key", config.name + ":" + info.label},
                                  {"type", to_string(info.spec)},
                                  {"used_by", users_of(node, {config.name, info.label})}});
  }
  return items(std::move(rows));
}

Result<json::Value> create_key(Node& node, const Caller& caller, const Arguments& arguments, Call&) {
  HANAPER_TRY(const Found found, find_place(node, arguments));
  HANAPER_TRY(const KeySpec spec, parse_key_spec(arguments.text("key_type")));
  HANAPER_TRY(const std::shared_ptr<Key> key, found.keys->create(found.place.label, spec));
  HANAPER_CHECK(audit(node, caller, "key.created", found.place, to_string(key->spec())));
  return described(found.place, *key);
}

Result<json::Value> import_key(Node& node, const Caller& caller, const Arguments& arguments, Call&) {
  HANAPER_TRY(const Found found, find_place(node, arguments));
  Secret pin;
  if (arguments.has("key_pin")) {
    std::string_view text = arguments.secret("key_pin").reveal();
    while (text.ends_with('\n')) text.remove_suffix(1);
    pin = Secret(std::string(text));
  }
  HANAPER_TRY(const std::shared_ptr<crypto::SoftKey> soft,
              crypto::SoftKey::from_pem(arguments.secret("key"), pin));
  HANAPER_TRY(const Secret pkcs8, soft->to_pkcs8());
  HANAPER_TRY(const std::shared_ptr<Key> key, found.keys->import(found.place.label, pkcs8));
  HANAPER_CHECK(audit(node, caller, "key.imported", found.place, to_string(key->spec())));
  return described(found.place, *key);
}

Result<json::Value> delete_key(Node& node, const Caller& caller, const Arguments& arguments, Call&) {
  HANAPER_TRY(const Found found, find_place(node, arguments));
  const KeyPlace& place = found.place;
  if (const std::string users = users_of(node, place); !users.empty())
    return conflict(place.text() + " is the key of " + users + "; take that out of the configuration first");
  HANAPER_TRY(const std::shared_ptr<Key> key, found.keys->find(place.label));
  const std::string type = to_string(key->spec());
  HANAPER_CHECK(audit(node, caller, "key.delete.intent", place, type));
  HANAPER_CHECK(found.keys->remove(place.label));
  HANAPER_CHECK(audit(node, caller, "key.deleted", place, type));
  return json::Value(json::Object{{"key", place.text()}});
}

Result<json::Value> replicate_key(Node& node, const Caller& caller, const Arguments& arguments, Call&) {
  HANAPER_TRY(const Found found, find_place(node, arguments));
  const auto instance = find_instance(node.instances(), "keys", found.place.instance);
  auto* replication = instance->ability<Replication>();
  if (replication == nullptr)
    return unsupported("keys." + found.place.instance +
                       " keeps its keys in one place; there is nothing to replicate");
  HANAPER_TRY(const std::vector<std::string> places, instance->guard().run("replicate", "", [&] {
    return replication->replicate(found.place.label);
  }));
  HANAPER_CHECK(audit(node, caller, "key.replicated", found.place, ""));
  return json::Value(
      json::Object{{"key", found.place.text()}, {"copies", json::Array(places.begin(), places.end())}});
}

Result<json::Value> repin_keys(Node& node, const Caller& caller, const Arguments& arguments, Call&) {
  std::string name = arguments.text("instance");
  if (name.empty()) {
    std::vector<std::string> all;
    for (const auto& instance : node.instances())
      if (instance->config().kind == "keys") all.push_back(instance->config().name);
    if (all.size() != 1) return malformed("instance: there are several key providers; name one");
    name = all.front();
  }
  HANAPER_CHECK(find_keys(node, name));
  const auto instance = find_instance(node.instances(), "keys", name);
  auto* repinning = instance->ability<Repinning>();
  if (repinning == nullptr)
    return unsupported("keys." + name +
                       " keeps its keys under a pin that is not ours; change it by the token's own tools");
  std::string_view text = arguments.secret("new_pin").reveal();
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  const Secret pin{std::string(text)};
  HANAPER_CHECK(audit(node, caller, "keys.repin.intent", {name, "*"}, ""));
  HANAPER_TRY(const std::size_t count,
              instance->guard().run("repin", "", [&] { return repinning->repin(pin); }));
  HANAPER_CHECK(audit(node, caller, "keys.repinned", {name, "*"}, ""));
  return json::Value(json::Object{{"instance", name}, {"keys", count}});
}

}  // namespace hanaper::operations
