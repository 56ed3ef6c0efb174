// The configuration as the host understands it: typed, complete, with every reference resolved.
#pragma once

#include "settings.hpp"
#include "value.hpp"

#include <hanaper/plugin.hpp>
#include <hanaper/stages.hpp>
#include <hanaper/toolkit/certificate_template.hpp>

#include <functional>
#include <list>
#include <map>
#include <set>

namespace hanaper::config {

inline constexpr std::string_view kinds[] = {"protocol", "storage",   "keys",      "authenticator",
                                             "policy",   "validator", "publisher", "notifier"};

struct NodeConfig {
  std::string name;
  std::string state;
  std::string socket;
  std::string blocked_keys;  // empty: none
  std::size_t workers = 32;
  std::size_t queue = 1024;
  std::size_t io_threads = 0;  // 0: one for each core
  ByteCount request_memory, disk_reserve;
  std::chrono::milliseconds request_timeout{};
  std::chrono::milliseconds lame_duck{}, drain{};
  std::string track_file, track_file_status;  // empty: none
};

struct LogConfig {
  std::string level;
  std::string format;
  std::string file;  // empty: standard error
  ByteCount max_size;
  auto operator<=>(const LogConfig&) const = default;
};

struct OutboundConfig {
  std::vector<std::string> resolvers;
  std::string trust_anchors;  // file; empty: none
  std::vector<x509::Subtree> permit;
  std::vector<x509::Subtree> deny;
  std::chrono::milliseconds timeout{};
};

enum class ClientCertificates { none, optional, required };

struct ListenerConfig {
  std::string name;
  std::string host;  // address to bind
  std::uint16_t port = 0;
  std::string url;  // how the world reaches it, without final slash
  bool tls = false;
  std::string issue;  // pipeline that issues its certificate; empty: from files
  std::vector<Identifier> names;
  std::string certificate_file;
  std::string key_file;
  std::string keys, label;  // where its private key is, when a provider keeps it
  bool tls12 = true;
  ClientCertificates client_certificates = ClientCertificates::none;
  bool freebind = false;
  std::vector<x509::Subtree> proxies;  // ranges of trusted proxies
  bool forwarded = false;  // which name clients in fields of requests, instead of by the PROXY protocol
  bool health = false;
  std::size_t max_connections = 0, connections_per_address = 1000;
  ByteCount header_limit;
  std::chrono::milliseconds header_timeout{}, body_timeout{}, idle_timeout{};
};

struct SerialConfig {
  bool range = false;
  Serial start;            // of the range space, for this node's lane
  std::uint64_t size = 0;  // how many numbers are taken at once
};

struct AuthorityConfig {
  std::string name;
  std::string keys;   // instance
  std::string label;  // in it
  KeySpec key_type;
  x509::Name subject;
  std::string issuer;     // another authority; empty: self-signed
  bool external = false;  // signed by somebody outside
  std::string next;       // another authority, which takes over one day; empty: none
  std::chrono::milliseconds lifetime{};
  std::optional<unsigned> path_length;
  std::optional<SignatureScheme> scheme;
  x509::NameConstraints constraints;
  SerialConfig serial;
  std::string key_position;                     // "pki.toml:31:7", for what only shows at start
  std::string registrar_keys, registrar_label;  // its registrar's key, when it has one
  bool own_registrar = false;                   // it signs and decrypts with its own key instead
};

struct ProfileConfig {
  std::string name;
  std::chrono::milliseconds lifetime{}, backdate{};
  bool validity_by_request = false;
  std::vector<KeySpec> key_types;
  std::vector<Bytes> extended_usages;
  std::optional<std::uint16_t> key_usage;  // none: what the key type can do
  std::set<Identifier::Kind> names;
  std::size_t max_names = 100;
  enum class Subject { none, common_name, request } subject = Subject::common_name;
  bool ca = false;
  std::optional<unsigned> path_length;
  std::vector<x509::PolicyInformation> policies;
  x509::NameConstraints constraints;
  bool must_staple = false;
  std::vector<Bytes> honour;  // extensions taken from the request
  std::optional<SignatureScheme> scheme;
  // "" derives the URL from the protocol instances that cover the authority, "none" leaves it out.
  std::string ocsp_url, crl_url, issuer_url;
};

struct PipelineConfig {
  std::string name;
  std::string authority;
  std::vector<std::string> profiles, authenticate, policy, validate, publish, notify;
  bool authenticate_all = false;
  bool approval = false;  // somebody has to approve each request
};

// A plugin instance: [kind.name].
struct InstanceConfig {
  std::string kind;
  std::string name;
  std::string plugin;
  std::string listener;             // protocols
  std::string path;                 // protocols
  std::string url;                  // protocols that something else serves
  std::vector<std::string> events;  // notifiers: the types they are told of; empty: all
  bool from_beginning = false;      // publishers and notifiers
  Settings settings{"", ""};
  struct Reference {
    std::string key, kind, name;
  };
  std::vector<Reference> references;  // what its settings refer to, in the order of the keys

  // A copy whose settings lack the secrets: those belong to the plugin alone.
  InstanceConfig without_secrets() const;

  // Names of that kind that its settings refer to, each once.
  std::vector<std::string> referred(std::string_view kind_of) const;
  // An error at the key that refers to `other`, or about the table where none does.
  Error error(std::string_view kind_of, std::string_view other, std::string_view message) const;
};

struct Model {
  NodeConfig node;
  LogConfig log;
  OutboundConfig outbound;
  std::map<std::string, ListenerConfig> listeners;
  std::map<std::string, AuthorityConfig> authorities;
  std::map<std::string, ProfileConfig> profiles;
  std::map<std::string, PipelineConfig> pipelines;
  std::list<InstanceConfig> instances;  // at stable addresses: plugins in use refer to theirs
  // Each top-level table as written ("profile.web"), with digests of the secrets and files that it names, to
  // tell what a reload changes.
  std::map<std::string, std::string> written;

  const InstanceConfig* instance(std::string_view kind, std::string_view name) const;
  const InstanceConfig& storage() const { return *instance_of_kind("storage"); }
  const InstanceConfig* instance_of_kind(std::string_view kind) const;
  // How the world reaches a protocol instance: the listener's url and the instance's path.
  std::string public_url(const InstanceConfig& protocol) const;
};

// Finds the manifest of a plugin; the error says why there is none.
using FindManifest = std::function<Result<const Manifest*>(std::string_view kind, std::string_view plugin)>;

// Makes the model, or says everything that is wrong. `read_secrets` is false where nothing is started. Pins
// that `hanaper init` has yet to make are wrong as well, or named in `missing_pins`, and others stand for
// them.
Model make_model(const Table& root, const FindManifest& manifests, bool read_secrets, Messages& messages,
                 std::vector<std::string>* missing_pins = nullptr);

// Where the daemon of that configuration listens for the command line, whatever else is wrong with it; empty
// when nothing says it.
std::string socket_of(const Table& root);

// The host's own keys of a table by its name ("node", "listener", ...) or of a plugin by its kind.
std::span<const SettingKey> host_keys(std::string_view table);
std::vector<std::string> host_tables();

}  // namespace hanaper::config
