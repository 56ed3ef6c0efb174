#include "fields.hpp"
#include "key_uses.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <filesystem>

namespace hanaper::config {
namespace {

namespace fs = std::filesystem;

// A canonical rendering of a table, to notice changes between reloads.
std::string rendering(const Value& value) {
  struct Visitor {
    std::string operator()(const std::string& text) const {
      return "\"" + std::to_string(text.size()) + ":" + text;
    }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return std::to_string(number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(const Array& items) const {
      std::string text = "[";
      for (const Value& item : items) text += rendering(item) + ",";
      return text + "]";
    }
    std::string operator()(const Table& table) const {
      std::string text = "{";
      for (const Entry& entry : table) text += entry.key + "=" + rendering(entry.value) + ",";
      return text + "}";
    }
  };
  return std::visit(Visitor{}, value.content);
}

// Stands for what a setting names outside of the configuration; the same as long as that is the same.
std::string content_of(const SettingKey& key, const Settings& settings) {
  constexpr std::uintmax_t max_file = 16 * 1024 * 1024;
  // Nobody may learn from a memory image whether a secret that he guesses is the right one.
  static const std::string salt = crypto::random_name(32);
  if (!settings.has(key.name)) return {};
  const auto digest = [&](std::string_view content) {
    return " " + settings.table() + "." + key.name + "#" +
           to_hex(crypto::sha256(as_bytes(salt + std::string(content))));
  };
  if (key.type == SettingType::secret) return digest(settings.secret(key.name).reveal());
  if (key.type != SettingType::path) return {};
  std::error_code ec;
  const fs::path path = settings.text(key.name);
  if (!fs::is_regular_file(path, ec) || fs::file_size(path, ec) > max_file) return {};
  // Whose file it is counts as well: one that others may write is no longer what was read at the start.
  const auto content = files::read_trusted(path.string(), max_file);
  return digest(content ? "is " + *content : "is not trusted: " + content.error().detail);
}

class Builder {
 public:
  Builder(const Table& root, const FindManifest& manifests, bool read_secrets, Messages& messages,
          std::vector<std::string>* missing_pins = nullptr)
      : root_(root),
        manifests_(manifests),
        messages_(messages),
        read_secrets_(read_secrets),
        missing_pins_(missing_pins),
        whole_{root.empty() ? "configuration" : root.begin()->place.file} {}

  std::string socket() {
    read_node_table();
    return model_.node.state.empty() ? std::string() : model_.node.socket;
  }

  Model build() {
    check_top_level();
    read_node_table();
    for_each("listener", [&](const std::string& name, const Fields& fields) {
      model_.listeners.emplace(name, read_listener(name, fields));
    });
    for_each("authority", [&](const std::string& name, const Fields& fields) {
      model_.authorities.emplace(name, read_authority(name, fields));
    });
    for_each("profile", [&](const std::string& name, const Fields& fields) {
      model_.profiles.emplace(name, read_profile(name, fields));
    });
    for_each("pipeline", [&](const std::string& name, const Fields& fields) {
      model_.pipelines.emplace(name, read_pipeline(name, fields));
    });
    for (std::string_view kind : kinds) read_instances(kind);
    check_single_storage();
    check_listener_keys();
    check_authorities();
    check_shared_keys();
    check_mounts();
    // What is used can only be told once everything else is right.
    if (messages_.empty()) check_unused();
    return std::move(model_);
  }

 private:
  struct Named {
    std::string name;
    const Entry* entry;
  };

  std::vector<Named> named(std::string_view kind) const {
    std::vector<Named> list;
    const Entry* found = root_.find(kind);
    if (found == nullptr || found->value.table() == nullptr) return list;
    for (const Entry& entry : *found->value.table())
      if (entry.value.table() != nullptr) list.push_back({entry.key, &entry});
    return list;
  }

  static bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == '_';
    });
  }

  // A path that requests bring just so: RFC 3986 2.3's unreserved characters between single slashes.
  static bool is_plain_path(std::string_view path) {
    return path.size() >= 2 && path.starts_with('/') && !path.ends_with('/') &&
           path.find("//") == std::string_view::npos && std::ranges::all_of(path, [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    std::string_view("/-._~").find(c) != std::string_view::npos;
           });
  }

  void check_top_level() {
    std::vector<std::string> single = {"node", "log", "outbound"},
                             grouped = {"listener", "authority", "profile", "pipeline"};
    grouped.insert(grouped.end(), std::begin(kinds), std::end(kinds));
    std::vector<std::string> known = single;
    known.insert(known.end(), grouped.begin(), grouped.end());
    for (const Entry& entry : root_) {
      if (std::ranges::find(known, entry.key) == known.end())
        messages_.add(entry.place,
                      entry.value.table() != nullptr
                          ? "unknown table \"" + entry.key + "\"" + suggestion(entry.key, known)
                          : "\"" + entry.key + "\" stands in no table; write one above it, like [node]");
      else if (entry.value.table() == nullptr)
        messages_.add(entry.value.position, entry.key + ": a table is expected");
      else if (std::ranges::find(single, entry.key) != single.end())
        model_.written[entry.key] = rendering(entry.value);
      else
        check_group(entry);
    }
  }

  void check_group(const Entry& group) {
    for (const Entry& instance : *group.value.table()) {
      const Array* items = std::get_if<Array>(&instance.value.content);
      if (items != nullptr && !items->empty() && items->front().table() != nullptr)
        messages_.add(instance.place, group.key + "." + instance.key +
                                          ": one table is expected, no list; write [" + group.key + "." +
                                          instance.key + "] in single brackets");
      else if (instance.value.table() == nullptr)
        messages_.add(instance.place, group.key + ": \"" + instance.key + "\" is no table; write [" +
                                          group.key + ".NAME] above it");
      else if (!is_plain_name(instance.key))
        messages_.add(instance.place,
                      group.key + ": \"" + instance.key + "\" is no name: 1 to 64 of A-Z a-z 0-9 - _");
      model_.written[group.key + "." + instance.key] = rendering(instance.value);
    }
  }

  Fields fields(const std::string& name, const Entry* entry, std::string_view keys) {
    static const Table empty;
    const Table& table = entry && entry->value.table() ? *entry->value.table() : empty;
    const Position position = entry ? entry->place : whole_;
    Settings settings =
        make_settings(name, table, position, host_keys(keys),
                      {.state_folder = model_.node.state, .read_secrets = read_secrets_}, messages_);
    note_references(settings, host_keys(keys));
    return {std::move(settings), messages_};
  }

  void read_node_table() {
    const Entry* node = root_.find("node");
    if (node == nullptr)
      messages_.add(whole_, "no [node] table; it names the state folder: state = \"/var/lib/hanaper\"");
    // The state folder first: the paths of every other key start there.
    if (const Table* table = node ? node->value.table() : nullptr) {
      const Entry* state = table->find("state");
      if (state != nullptr && state->value.text() != nullptr && !state->value.text()->empty()) {
        // Relative to the file that says so; on the command line, to where the command runs.
        const Position& place = state->value.position;
        const fs::path base = place.line == 0 ? fs::path() : fs::path(place.file).parent_path();
        model_.node.state = fs::absolute(base / *state->value.text()).lexically_normal().string();
      }
    }
    const std::string folder = model_.node.state;
    if (node != nullptr) model_.node = read_node(fields("node", node, "node"));
    model_.node.state = folder;
    const Fields log = fields("log", root_.find("log"), "log");
    model_.log = {log.text("level"), log.text("format"), log.text("file"), log.size("max_size")};
    model_.outbound = read_outbound(fields("outbound", root_.find("outbound"), "outbound"));
  }

  template <class Read>
  void for_each(std::string_view kind, Read&& read) {
    for (const Named& item : named(kind))
      read(item.name, fields(std::string(kind) + "." + item.name, item.entry, kind));
  }

  void read_instances(std::string_view kind) {
    for (const Named& item : named(kind)) {
      InstanceConfig instance;
      instance.kind = kind;
      instance.name = item.name;
      const Table& table = *item.entry->value.table();
      const Entry* given = table.find("plugin");
      instance.plugin = given != nullptr && given->value.text() ? *given->value.text() : item.name;
      const std::string full_name = instance.kind + "." + instance.name;
      const auto manifest = manifests_(kind, instance.plugin);
      if (!manifest) {
        messages_.add(given ? given->value.position : item.entry->place,
                      full_name + (given ? ".plugin: " : ": ") + manifest.error().detail);
        continue;
      }
      const auto own = host_keys(kind);
      std::vector<SettingKey> keys(own.begin(), own.end());
      keys.insert(keys.end(), (*manifest)->keys, (*manifest)->keys + (*manifest)->key_count);
      const bool makes_pin = kind == "keys" && (*manifest)->takes_any_pin;
      instance.settings =
          make_settings(full_name, table, item.entry->place, keys,
                        {model_.node.state, read_secrets_, {}, makes_pin, missing_pins_}, messages_);
      note_references(instance.settings, keys);
      // A storage's files are its own: they change with every write.
      each_key(instance.settings, keys, [&](const Settings& settings, const SettingKey& key) {
        if (kind != "storage" || key.type == SettingType::secret)
          model_.written[full_name] += content_of(key, settings);
        for (std::string& name : referred(settings, key))
          instance.references.push_back({key.name, key.bounds, std::move(name)});
      });
      if (kind == "protocol") {
        instance.listener = instance.settings.text_or("listener", {});
        instance.path = instance.settings.text_or("path", {});
        instance.url = instance.settings.text_or("url", {});
        check_place(instance);
        if (!instance.path.empty() && !is_plain_path(instance.path))
          messages_.add(
              instance.settings.error("path", "\"" + instance.path + "\" must look like \"/acme\"").detail);
      }
      if (kind == "publisher" || kind == "notifier")
        instance.from_beginning = instance.settings.text_or("since", "now") == "beginning";
      if (kind == "notifier") instance.events = instance.settings.texts("events");
      model_.instances.push_back(std::move(instance));
    }
  }

  // A protocol is served by a listener below a path, or by something else.
  void check_place(InstanceConfig& instance) {
    const auto wrong = [&](std::string_view key, const std::string& what) {
      messages_.add(instance.settings.error(key, what).detail);
    };
    const std::string& url = instance.url;
    if (instance.listener.empty()) {
      // Where nothing listens at all, an offline root makes its CRLs for others to serve.
      if (url.empty() && !model_.listeners.empty())
        return wrong("listener", "must be given: where it is served");
      if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
        wrong("url", "\"" + url + "\" must begin with http:// or https://");
      while (instance.url.ends_with('/')) instance.url.pop_back();
      if (!instance.path.empty()) wrong("path", "goes with a listener; write it behind the url");
      return;
    }
    if (!url.empty())
      wrong("url", "goes with no listener; that of listener." + instance.listener + " counts");
    if (instance.path.empty()) wrong("path", "must be given: below which path of the listener");
  }

  static std::vector<std::string> referred(const Settings& settings, const SettingKey& key) {
    if (!settings.has(key.name)) return {};
    if (key.type == SettingType::references) return settings.texts(key.name);
    if (key.type == SettingType::reference) return {settings.text(key.name)};
    return {};
  }

  // Every name that a key refers to must exist; what is referred to is used.
  void note_references(const Settings& settings, std::span<const SettingKey> keys) {
    each_key(settings, keys, [&](const Settings& where, const SettingKey& key) {
      for (const std::string& name : referred(where, key)) refer(where, key.name, key.bounds, name);
    });
  }

  void refer(const Settings& settings, std::string_view key, const std::string& kind,
             const std::string& name) {
    std::vector<std::string> candidates;
    for (const Named& item : named(kind)) candidates.push_back(item.name);
    if (std::ranges::find(candidates, name) == candidates.end())
      messages_.add(
          settings
              .error(key, "no " + kind + (is_plugin_kind(kind) ? " instance" : "") + " \"" + name + "\"" +
                              (candidates.empty() ? "; a table [" + kind + "." + name + "] makes one"
                                                  : suggestion(name, candidates)))
              .detail);
    used_.insert(kind + "." + name);
  }

  static bool is_plugin_kind(std::string_view kind) {
    return std::ranges::find(kinds, kind) != std::end(kinds);
  }

  void check_single_storage() {
    const std::vector<Named> storages = named("storage");
    if (storages.empty())
      messages_.add(whole_,
                    "no [storage.NAME] table; [storage.main] with plugin = \"sqlite\" is the usual one");
    for (std::size_t i = 1; i < storages.size(); ++i)
      messages_.add(storages[i].entry->place, "storage." + storages[i].name + ": a node has one storage; " +
                                                  storages[0].name + " is given already");
    if (!storages.empty()) used_.insert("storage." + storages[0].name);
  }

  Settings settings_of(const std::string& kind, const std::string& name) const {
    for (const Named& item : named(kind)) {
      if (item.name != name) continue;
      Settings settings(kind + "." + name, item.entry->place.text());
      for (const Entry& entry : *item.entry->value.table())
        settings.set(entry.key, {{}, entry.value.position.text()});
      return settings;
    }
    return {kind + "." + name, "configuration"};
  }

  // "issuing -> root -> issuing" by the issuers, say, or nothing.
  std::string circle_through(const AuthorityConfig& authority, std::string AuthorityConfig::*link) const {
    std::string way = authority.name;
    std::set<std::string> seen;
    for (const AuthorityConfig* at = &authority; !(at->*link).empty() && seen.insert(at->name).second;) {
      way += " -> " + at->*link;
      if (at->*link == authority.name) return way;
      const auto other = model_.authorities.find(at->*link);
      if (other == model_.authorities.end()) break;
      at = &other->second;
    }
    return {};
  }

  // Whether it stands in no circle of that kind, which would be one of its faults.
  bool check_link(const AuthorityConfig& authority, const Settings& settings, const std::string& key,
                  std::string AuthorityConfig::*link, const std::string& what) {
    if ((authority.*link).empty()) return true;
    refer(settings, key, "authority", authority.*link);
    const std::string circle = circle_through(authority, link);
    if (!circle.empty()) messages_.add(settings.error(key, what + " form a circle: " + circle).detail);
    return circle.empty();
  }

  void check_listener_keys() {
    for (const auto& [name, listener] : model_.listeners)
      if (!listener.keys.empty()) refer(settings_of("listener", name), "key", "keys", listener.keys);
  }

  void check_shared_keys() {
    for (const auto& [use, authority] : key_clashes(model_))
      messages_.add(settings_of(use.kind, use.name)
                        .error(use.key, use.keys + ":" + use.label + " is the key of authority \"" +
                                            authority + "\", which shares it with nobody; name another label")
                        .detail);
  }

  void check_authorities() {
    for (const auto& [name, authority] : model_.authorities) {
      const Settings settings = settings_of("authority", name);
      if (!authority.keys.empty()) refer(settings, "key", "keys", authority.keys);
      if (!authority.registrar_keys.empty()) refer(settings, "registrar", "keys", authority.registrar_keys);
      if (authority.issuer == name) {
        messages_.add(
            settings
                .error("issuer",
                       "an authority is not its own issuer; leave the key out for a self-signed one")
                .detail);
        continue;
      }
      if (authority.next == name) {
        messages_.add(settings.error("next", "an authority does not take over from itself").detail);
        continue;
      }
      if (!check_link(authority, settings, "issuer", &AuthorityConfig::issuer, "the issuers") ||
          !check_link(authority, settings, "next", &AuthorityConfig::next, "those that take over"))
        return;
    }
    for (const auto& [name, pipeline] : model_.pipelines) {
      const auto authority = model_.authorities.find(pipeline.authority);
      for (const std::string& profile_name : pipeline.profiles) {
        const auto profile = model_.profiles.find(profile_name);
        if (authority == model_.authorities.end() || profile == model_.profiles.end() ||
            !profile->second.scheme)
          continue;
        if (!x509::fits(authority->second.key_type, *profile->second.scheme))
          messages_.add(settings_of("profile", profile_name)
                            .error("signature", "authority " + pipeline.authority + " (" +
                                                    to_string(authority->second.key_type) +
                                                    ") cannot sign with it")
                            .detail);
      }
    }
  }

  void check_mounts() {
    std::map<std::string, std::string> taken;
    for (const auto& [name, listener] : model_.listeners)
      if (listener.health)
        for (const char* path : {" /health", " /metrics"})
          taken.emplace(name + path, "what the node says of itself");
    for (const InstanceConfig& instance : model_.instances) {
      if (instance.kind != "protocol" || instance.path.empty()) continue;
      const auto [other, fresh] =
          taken.emplace(instance.listener + " " + instance.path, "protocol." + instance.name);
      if (!fresh)
        messages_.add(
            instance.settings
                .error("path", other->second + " is served at " + instance.path + " of that listener already")
                .detail);
    }
    std::map<std::string, std::string> bound;
    for (const auto& [name, listener] : model_.listeners) {
      if (listener.port == 0) continue;
      const auto [other, fresh] = bound.emplace(listener.host + " " + std::to_string(listener.port), name);
      if (!fresh)
        messages_.add(settings_of("listener", name)
                          .error("bind", "listener." + other->second + " binds the same address")
                          .detail);
    }
  }

  void check_unused() {
    // Pipelines are entered from the command line too; protocols and status listeners are where the world
    // enters.
    const auto unused = [&](std::string_view kind, std::string_view by) {
      for (const Named& item : named(kind)) {
        const std::string full = std::string(kind) + "." + item.name;
        if (used_.contains(full)) continue;
        if (kind == "listener" && model_.listeners.contains(item.name) &&
            model_.listeners.at(item.name).health)
          continue;
        messages_.add(item.entry->place, full + ": not used; " + std::string(by) + ", or take it out");
      }
    };
    unused("listener", "serve a protocol there, or set health = true");
    unused("authority", "name it in a pipeline");
    unused("profile", "name it in a pipeline");
    unused("keys", "name it in the key of an authority or a listener");
    for (std::string_view kind : {"authenticator", "policy", "validator", "publisher", "notifier"})
      unused(kind, "name it in a pipeline");
  }

  const Table& root_;
  const FindManifest& manifests_;
  Messages& messages_;
  const bool read_secrets_;
  std::vector<std::string>* const missing_pins_;
  const Position whole_;  // of what is missing altogether
  Model model_;
  std::set<std::string> used_;
};

}  // namespace

InstanceConfig InstanceConfig::without_secrets() const {
  return {.kind = kind,
          .name = name,
          .plugin = plugin,
          .listener = listener,
          .path = path,
          .url = url,
          .events = events,
          .from_beginning = from_beginning,
          .settings = settings.without_secrets(),
          .references = references};
}

std::vector<std::string> InstanceConfig::referred(std::string_view kind_of) const {
  std::vector<std::string> names;
  for (const Reference& reference : references)
    if (reference.kind == kind_of && std::ranges::find(names, reference.name) == names.end())
      names.push_back(reference.name);
  return names;
}

Error InstanceConfig::error(std::string_view kind_of, std::string_view other,
                            std::string_view message) const {
  for (const Reference& reference : references)
    if (reference.kind == kind_of && reference.name == other) return settings.error(reference.key, message);
  return settings.error(message);
}

const InstanceConfig* Model::instance(std::string_view kind, std::string_view name) const {
  for (const InstanceConfig& candidate : instances)
    if (candidate.kind == kind && candidate.name == name) return &candidate;
  return nullptr;
}

const InstanceConfig* Model::instance_of_kind(std::string_view kind) const {
  for (const InstanceConfig& candidate : instances)
    if (candidate.kind == kind) return &candidate;
  return nullptr;
}

std::string Model::public_url(const InstanceConfig& protocol) const {
  if (!protocol.url.empty()) return protocol.url;
  const auto listener = listeners.find(protocol.listener);
  return (listener == listeners.end() ? "" : listener->second.url) + protocol.path;
}

std::string socket_of(const Table& root) {
  Messages ignored;
  const FindManifest none = [](std::string_view, std::string_view) -> Result<const Manifest*> {
    return not_found("no plugins are asked for");
  };
  return Builder(root, none, false, ignored).socket();
}

Model make_model(const Table& root, const FindManifest& manifests, bool read_secrets, Messages& messages,
                 std::vector<std::string>* missing_pins) {
  return Builder(root, manifests, read_secrets, messages, missing_pins).build();
}

}  // namespace hanaper::config
