#include "model.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <charconv>
#include <filesystem>

namespace hanaper::config {
namespace {

namespace fs = std::filesystem;

// Settings of one table, read into a struct; failures of the reading functions become messages with the
// place of their key.
class Fields {
 public:
  Fields(Settings settings, Messages& messages) : settings_(std::move(settings)), messages_(messages) {}

  const Settings& settings() const { return settings_; }
  bool has(std::string_view key) const { return settings_.has(key); }
  std::string text(std::string_view key) const { return settings_.text_or(key, {}); }
  std::vector<std::string> texts(std::string_view key) const { return settings_.texts(key); }
  std::chrono::milliseconds duration(std::string_view key) const {
    return has(key) ? settings_.duration(key) : std::chrono::milliseconds{0};
  }
  ByteCount size(std::string_view key) const { return has(key) ? settings_.size(key) : ByteCount{}; }
  std::int64_t integer(std::string_view key) const { return has(key) ? settings_.integer(key) : 0; }
  bool flag(std::string_view key) const { return has(key) && settings_.boolean(key); }
  std::optional<unsigned> maybe_unsigned(std::string_view key) const {
    return has(key) ? std::optional(static_cast<unsigned>(settings_.integer(key))) : std::nullopt;
  }

  std::string position(std::string_view key) const {
    const std::string text = settings_.error(key, "").detail;
    return text.substr(0, text.find(": "));
  }
  void wrong(std::string_view key, std::string_view what) const {
    messages_.add(settings_.error(key, what).detail);
  }

  // parse(text) -> Result<T>; a failure is a message and gives nothing.
  template <class Parse>
  auto parsed(std::string_view key, Parse&& parse) const
      -> std::optional<std::remove_cvref_t<decltype(*parse(""))>> {
    if (!has(key)) return std::nullopt;
    auto result = parse(settings_.text(key));
    if (result) return *std::move(result);
    wrong(key, result.error().detail);
    return std::nullopt;
  }
  template <class Parse>
  auto each(std::string_view key, Parse&& parse) const
      -> std::vector<std::remove_cvref_t<decltype(*parse(""))>> {
    std::vector<std::remove_cvref_t<decltype(*parse(""))>> values;
    for (const std::string& item : texts(key)) {
      auto result = parse(item);
      if (result)
        values.push_back(*std::move(result));
      else
        wrong(key, result.error().detail);
    }
    return values;
  }

 private:
  Settings settings_;
  Messages& messages_;
};

x509::NameConstraints read_constraints(const Fields& fields) {
  const auto parse = [](std::string_view text) { return x509::parse_subtree(text); };
  return {fields.each("name_constraints.permit", parse), fields.each("name_constraints.exclude", parse)};
}

NodeConfig read_node(const Fields& fields) {
  NodeConfig node;
  node.name = fields.text("name");
  if (node.name.size() > 64) fields.wrong("name", "longer than 64 characters");
  node.socket = fields.text("socket");
  if (node.socket.size() > 107)
    fields.wrong("socket", "\"" + node.socket + "\" is too long for a unix socket (107 octets)");
  node.blocked_keys = fields.text("blocked_keys");
  node.workers = static_cast<std::size_t>(fields.integer("workers"));
  node.queue = static_cast<std::size_t>(fields.integer("queue"));
  node.io_threads = static_cast<std::size_t>(fields.integer("io_threads"));
  node.request_timeout = fields.duration("request_timeout");
  node.drain = fields.duration("drain");
  return node;
}

OutboundConfig read_outbound(const Fields& fields) {
  OutboundConfig outbound;
  outbound.resolvers = fields.texts("resolvers");
  const auto parse = [](std::string_view text) -> Result<x509::Subtree> {
    HANAPER_TRY(x509::Subtree range, x509::parse_subtree(text));
    if (range.kind != Identifier::Kind::ip)
      return malformed("\"" + std::string(text) + "\" is no address range");
    return range;
  };
  outbound.permit = fields.each("permit", parse);
  outbound.deny = fields.each("deny", parse);
  outbound.timeout = fields.duration("timeout");
  return outbound;
}

// "[::]:8443" to address and port.
bool split_endpoint(std::string_view text, std::string& host, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view address = text.substr(0, colon);
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  const auto octets = x509::ip_octets(address);
  if (!octets || (octets->size() == 16) != bracketed) return false;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  host = address;
  return error == std::errc{} && end == digits.data() + digits.size() && port != 0;
}

std::string default_url(const ListenerConfig& listener) {
  std::string host = listener.host.find(':') == std::string::npos ? listener.host : "[" + listener.host + "]";
  for (const Identifier& name : listener.names)
    if (name.kind == Identifier::Kind::dns && !name.value.starts_with("*.")) {
      host = name.value;
      break;
    }
  const bool usual = listener.port == (listener.tls ? 443 : 80);
  return (listener.tls ? "https://" : "http://") + host + (usual ? "" : ":" + std::to_string(listener.port));
}

// "hsm:root" as instance and label.
std::pair<std::string, std::string> read_key_place(const Fields& fields, const std::string& example) {
  const std::string key = fields.text("key");
  const std::size_t colon = key.find(':');
  if (!key.empty() && (colon == std::string::npos || colon == 0 || colon + 1 == key.size()))
    fields.wrong("key", "\"" + key + "\" is not instance:label, like \"soft:" + example + "\"");
  if (colon == std::string::npos) return {};
  return {key.substr(0, colon), key.substr(colon + 1)};
}

void read_certificate(const Fields& fields, ListenerConfig& listener) {
  listener.issue = fields.text("certificate.issue");
  listener.certificate_file = fields.text("certificate.file");
  listener.key_file = fields.text("certificate.key");
  listener.names =
      fields.each("certificate.names", [](std::string_view text) { return x509::guess_identifier(text); });
  listener.tls = !listener.issue.empty() || !listener.certificate_file.empty();
  if (!listener.issue.empty() && !listener.certificate_file.empty())
    fields.wrong("certificate.file", "both issue and file are given; one of them is the certificate");
  if (!listener.issue.empty() && listener.names.empty() && fields.texts("certificate.names").empty())
    fields.wrong("certificate.names", "must be given with certificate.issue");
  if (fields.has("key")) {
    std::tie(listener.keys, listener.label) = read_key_place(fields, "tls");
    if (!listener.tls) fields.wrong("key", "needs a TLS listener; give it a certificate");
    if (!listener.key_file.empty()) fields.wrong("key", "both key and certificate.key are given");
  } else if (listener.certificate_file.empty() != listener.key_file.empty())
    fields.wrong(listener.key_file.empty() ? "certificate.file" : "certificate.key",
                 "certificate.file and certificate.key go together");
}

ListenerConfig read_listener(const std::string& name, const Fields& fields) {
  ListenerConfig listener;
  listener.name = name;
  if (fields.has("bind") && !split_endpoint(fields.text("bind"), listener.host, listener.port))
    fields.wrong("bind", "\"" + fields.text("bind") +
                             "\" is not address:port, like \"0.0.0.0:8443\" or \"[::]:8443\"");
  read_certificate(fields, listener);
  listener.tls12 = fields.text("tls") == "1.2";
  const std::string clients = fields.text("client_certificates");
  listener.client_certificates = clients == "required"   ? ClientCertificates::required
                                 : clients == "optional" ? ClientCertificates::optional
                                                         : ClientCertificates::none;
  if (!listener.tls && listener.client_certificates != ClientCertificates::none)
    fields.wrong("client_certificates", "needs a TLS listener; give it a certificate");
  listener.freebind = fields.flag("freebind");
  listener.status = fields.flag("status");
  listener.max_connections = static_cast<std::size_t>(fields.integer("max_connections"));
  listener.header_limit = fields.size("header_limit");
  listener.header_timeout = fields.duration("header_timeout");
  listener.body_timeout = fields.duration("body_timeout");
  listener.idle_timeout = fields.duration("idle_timeout");
  listener.url = fields.has("url") ? fields.text("url") : default_url(listener);
  while (listener.url.ends_with('/')) listener.url.pop_back();
  if (!listener.url.starts_with("https://") && !listener.url.starts_with("http://"))
    fields.wrong("url", "\"" + listener.url + "\" begins with neither https:// nor http://");
  return listener;
}

SerialConfig read_serial(const Fields& fields) {
  SerialConfig serial;
  serial.range = fields.text("serial") == "range";
  serial.size = static_cast<std::uint64_t>(fields.integer("range.size"));
  if (const auto start =
          fields.parsed("range.start", [](std::string_view text) { return Serial::from_text(text); }))
    serial.start = *start;
  return serial;
}

AuthorityConfig read_authority(const std::string& name, const Fields& fields) {
  AuthorityConfig authority;
  authority.name = name;
  std::tie(authority.keys, authority.label) = read_key_place(fields, name);
  authority.key_position = fields.position("key");
  if (const auto spec = fields.parsed("key_type", [](std::string_view text) { return parse_key_spec(text); }))
    authority.key_type = *spec;
  if (auto subject =
          fields.parsed("subject", [](std::string_view text) { return x509::parse_name_text(text); }))
    authority.subject = *std::move(subject);
  authority.issuer = fields.text("issuer");
  authority.external = authority.issuer == "external";
  if (authority.external) authority.issuer.clear();
  authority.lifetime = fields.duration("lifetime");
  authority.path_length = fields.maybe_unsigned("path_length");
  authority.scheme =
      fields.parsed("signature", [](std::string_view text) { return x509::parse_scheme(text); });
  if (authority.scheme && !x509::fits(authority.key_type, *authority.scheme))
    fields.wrong("signature", "a key of type " + to_string(authority.key_type) + " cannot sign with it");
  authority.constraints = read_constraints(fields);
  authority.serial = read_serial(fields);
  return authority;
}

Result<Bytes> honoured_extension(std::string_view name) {
  if (name == "key-usage") return der::oid_from_text("2.5.29.15");
  if (name == "extended-key-usage") return der::oid_from_text("2.5.29.37");
  if (name == "tls-feature") return der::oid_from_text("1.3.6.1.5.5.7.1.24");
  HANAPER_TRY(Bytes oid, der::oid_from_text(name));
  // What the host writes itself cannot come from a request.
  for (std::string_view own : {"2.5.29.14", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.32",
                               "2.5.29.35", "2.5.29.46", "1.3.6.1.5.5.7.1.1"})
    if (own == name)
      return malformed("\"" + std::string(name) + "\" is written by the host and never taken from a request");
  return oid;
}

Result<x509::PolicyInformation> policy_information(std::string_view text) {
  const std::size_t equals = text.find('=');
  HANAPER_TRY(Bytes oid, der::oid_from_text(text.substr(0, equals)));
  x509::PolicyInformation policy{std::move(oid), {}};
  if (equals != std::string_view::npos) {
    HANAPER_TRY(const Identifier uri,
                x509::normal_identifier(Identifier::Kind::uri, text.substr(equals + 1)));
    policy.cps = uri.value;
  }
  return policy;
}

ProfileConfig read_profile(const std::string& name, const Fields& fields) {
  ProfileConfig profile;
  profile.name = name;
  profile.lifetime = fields.duration("lifetime");
  profile.backdate = fields.duration("backdate");
  profile.key_types = fields.each("key_types", [](std::string_view text) { return parse_key_spec(text); });
  profile.extended_usages =
      fields.each("usages", [](std::string_view text) { return x509::parse_extended_usage_name(text); });
  if (fields.has("key_usages")) {
    std::uint16_t bits = 0;
    for (std::uint16_t bit :
         fields.each("key_usages", [](std::string_view text) { return x509::parse_key_usage_name(text); }))
      bits |= bit;
    profile.key_usage = bits;
  }
  for (const std::string& kind : fields.texts("names"))
    for (auto known :
         {Identifier::Kind::dns, Identifier::Kind::ip, Identifier::Kind::email, Identifier::Kind::uri})
      if (to_string(known) == kind) profile.names.insert(known);
  profile.max_names = static_cast<std::size_t>(fields.integer("max_names"));
  const std::string subject = fields.text("subject");
  profile.subject = subject == "none"      ? ProfileConfig::Subject::none
                    : subject == "request" ? ProfileConfig::Subject::request
                                           : ProfileConfig::Subject::common_name;
  profile.ca = fields.flag("ca");
  profile.path_length = fields.maybe_unsigned("path_length");
  profile.policies = fields.each("policies", policy_information);
  profile.constraints = read_constraints(fields);
  profile.must_staple = fields.flag("must_staple");
  profile.honour = fields.each("honour", honoured_extension);
  profile.scheme = fields.parsed("signature", [](std::string_view text) { return x509::parse_scheme(text); });
  profile.ocsp_url = fields.text("ocsp_url");
  profile.crl_url = fields.text("crl_url");
  profile.issuer_url = fields.text("issuer_url");
  if (!profile.ca && profile.path_length)
    fields.wrong("path_length", "only certificates of authorities have one; set ca = true");
  for (const char* key : {"name_constraints.permit", "name_constraints.exclude"})
    if (!profile.ca && !fields.texts(key).empty())
      fields.wrong(key, "only certificates of authorities have them; set ca = true");
  if (profile.ca && profile.subject == ProfileConfig::Subject::none)
    fields.wrong("subject", "an authority needs one (RFC 5280 4.1.2.6)");
  return profile;
}

PipelineConfig read_pipeline(const std::string& name, const Fields& fields) {
  PipelineConfig pipeline;
  pipeline.name = name;
  pipeline.authority = fields.text("authority");
  pipeline.profiles = fields.texts("profiles");
  if (fields.has("profiles") && pipeline.profiles.empty()) fields.wrong("profiles", "at least one is needed");
  pipeline.authenticate = fields.texts("authenticate");
  pipeline.policy = fields.texts("policy");
  pipeline.validate = fields.texts("validate");
  pipeline.publish = fields.texts("publish");
  pipeline.notify = fields.texts("notify");
  return pipeline;
}

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

class Builder {
 public:
  Builder(const Table& root, const FindManifest& manifests, bool read_secrets, Messages& messages)
      : root_(root),
        manifests_(manifests),
        messages_(messages),
        read_secrets_(read_secrets),
        whole_{root.empty() ? "configuration" : root.begin()->place.file} {}

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
    Settings settings = make_settings(name, table, position, host_keys(keys),
                                      {model_.node.state, read_secrets_, {}}, messages_);
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
      if (state != nullptr && state->value.text() != nullptr) {
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
      const auto own = host_keys(kind == "protocol" ? "protocol" : "instance");
      std::vector<SettingKey> keys(own.begin(), own.end());
      keys.insert(keys.end(), (*manifest)->keys, (*manifest)->keys + (*manifest)->key_count);
      instance.settings = make_settings(full_name, table, item.entry->place, keys,
                                        {model_.node.state, read_secrets_, {}}, messages_);
      note_references(instance.settings, keys);
      for (const SettingKey& key : keys)
        for (const std::string& name : referred(instance.settings, key)) {
          if (key.name == std::string_view("authorities")) instance.authorities.push_back(name);
          if (key.bounds == std::string_view("pipeline")) instance.pipelines.push_back(name);
        }
      if (kind == "protocol") {
        instance.listener = instance.settings.text_or("listener", {});
        instance.path = instance.settings.text_or("path", {});
        check_crl_makers(instance, **manifest);
        if (!instance.path.empty() && !is_plain_path(instance.path))
          messages_.add(
              instance.settings.error("path", "\"" + instance.path + "\" must look like \"/acme\"").detail);
      }
      model_.instances.push_back(std::move(instance));
    }
  }

  // CRLs of one authority share their numbers (RFC 5280 5.2.3): one instance makes them all.
  void check_crl_makers(InstanceConfig& instance, const Manifest& manifest) {
    const std::string words = " " + std::string(manifest.capabilities) + " ";
    if (words.find(" crl ") == std::string::npos) return;
    std::vector<std::pair<std::string_view, std::string>> made;
    for (const std::string& name : instance.authorities) made.emplace_back("authorities", name);
    if (words.find(" issuer ") != std::string::npos)
      instance.crl_issuer = instance.settings.text_or("issuer", {});
    const std::string& issuer = instance.crl_issuer;
    if (!issuer.empty() && std::ranges::find(instance.authorities, issuer) == instance.authorities.end())
      made.emplace_back("issuer", issuer);
    for (const auto& [key, name] : made) {
      const auto [other, fresh] = crl_makers_.emplace(name, instance.name);
      if (fresh) continue;
      messages_.add(
          instance.settings
              .error(key, "protocol." + other->second + " makes the CRLs of authority " + name + " already")
              .detail);
    }
  }

  static std::vector<std::string> referred(const Settings& settings, const SettingKey& key) {
    if (!settings.has(key.name)) return {};
    if (key.type == SettingType::references) return settings.texts(key.name);
    if (key.type == SettingType::reference) return {settings.text(key.name)};
    return {};
  }

  // Every name that a key refers to must exist; what is referred to is used.
  void note_references(const Settings& settings, std::span<const SettingKey> keys) {
    for (const SettingKey& key : keys)
      for (const std::string& name : referred(settings, key)) refer(settings, key.name, key.bounds, name);
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

  // "issuing -> root -> issuing", or nothing.
  std::string circle_through(const AuthorityConfig& authority) const {
    std::string way = authority.name;
    std::set<std::string> seen;
    for (const AuthorityConfig* at = &authority; !at->issuer.empty() && seen.insert(at->name).second;) {
      way += " -> " + at->issuer;
      if (at->issuer == authority.name) return way;
      const auto next = model_.authorities.find(at->issuer);
      if (next == model_.authorities.end()) break;
      at = &next->second;
    }
    return {};
  }

  void check_listener_keys() {
    for (const auto& [name, listener] : model_.listeners)
      if (!listener.keys.empty()) refer(settings_of("listener", name), "key", "keys", listener.keys);
  }

  void check_authorities() {
    for (const auto& [name, authority] : model_.authorities) {
      const Settings settings = settings_of("authority", name);
      if (!authority.keys.empty()) refer(settings, "key", "keys", authority.keys);
      if (authority.issuer.empty()) continue;
      if (authority.issuer == name) {
        messages_.add(
            settings
                .error("issuer",
                       "an authority is not its own issuer; leave the key out for a self-signed one")
                .detail);
        continue;
      }
      refer(settings, "issuer", "authority", authority.issuer);
      if (const std::string circle = circle_through(authority); !circle.empty()) {
        messages_.add(settings.error("issuer", "the issuers form a circle: " + circle).detail);
        return;
      }
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
      if (listener.status)
        for (const char* path : {" /health", " /metrics"}) taken.emplace(name + path, "the status");
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
            model_.listeners.at(item.name).status)
          continue;
        messages_.add(item.entry->place, full + ": not used; " + std::string(by) + ", or take it out");
      }
    };
    unused("listener", "serve a protocol there, or set status = true");
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
  const Position whole_;  // of what is missing altogether
  Model model_;
  std::set<std::string> used_;
  std::map<std::string, std::string> crl_makers_;  // authority to instance
};

}  // namespace

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
  const auto listener = listeners.find(protocol.listener);
  return (listener == listeners.end() ? "" : listener->second.url) + protocol.path;
}

Model make_model(const Table& root, const FindManifest& manifests, bool read_secrets, Messages& messages) {
  return Builder(root, manifests, read_secrets, messages).build();
}

}  // namespace hanaper::config
