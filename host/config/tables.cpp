// The key tables of the host's own configuration.
#include "model.hpp"

#include <algorithm>

namespace hanaper::config {
namespace {

using enum SettingType;

constexpr SettingKey node_keys[] = {
    {"state", text, nullptr, nullptr, "the state folder: everything this node writes is below it"},
    {"name", text, "main", nullptr,
     "this node's name in audit, leases and metrics; unique among nodes of one database"},
    {"socket", path, "control.sock", nullptr, "unix socket of the command line"},
    {"workers", integer, "32", "1..1024", "threads that answer requests"},
    {"queue", integer, "1024", "1..100000", "requests that may wait for a worker; more are answered 503"},
    {"io_threads", integer, "0", "0..256", "network threads; 0 is one for each core"},
    {"request_memory", size, "128MiB", "1MiB..64GiB",
     "what the requests of all connections may hold together, an eighth of it those of one address (IPv6: "
     "/64); more are answered 503"},
    {"request_timeout", duration, "30s", "100ms..10m", "how long one request may take"},
    {"lame_duck", duration, "3s", "0s..5m",
     "how long a stop goes on serving while it says not ready, so that balancers and floating addresses go "
     "first; none "
     "where nobody has asked for readiness in the last 10 s, no other node lives and no file is tracked"},
    {"drain", duration, "20s", "0s..10m", "how long running requests may take to end at a stop"},
    {"track_file", path, "", nullptr,
     "file that keepalived tracks for the address where certificates are issued: 0, or -254 while this node "
     "is not ready"},
    {"track_file_status", path, "", nullptr,
     "likewise for the address of CRLs, OCSP and administration: 0, or -60, with which an address never "
     "leaves the last "
     "node"},
    {"disk_reserve", size, "64MiB", "0B..64GiB",
     "what stays free on the disk of the state folder for revocations, CRLs and the audit: with less nothing "
     "is "
     "issued; no more than a sixteenth of the disk, else none"},
    {"blocked_keys", path, "", nullptr,
     "file of keys never to certify: a SHA-256 of SubjectPublicKeyInfo in hex each line; read again at a "
     "reload"},
};

constexpr SettingKey log_keys[] = {
    {"level", text, "info", "debug|info|warning|error", "the least that is logged"},
    {"format", text, "text", "text|json", "for people or for machines"},
    {"file", path, "", nullptr, "log file, rotated by size; standard error without"},
    {"max_size", size, "64MiB", "64KiB..4GiB", "size at which the file is rotated; five are kept"},
};

constexpr SettingKey outbound_keys[] = {
    {"resolvers", texts, "[]", nullptr, "DNS servers as address or address:port; none: those of the system"},
    {"trust_anchors", path, "", nullptr,
     "file with DNSSEC trust anchors, such as /usr/share/dns/root.key; without, the DNS servers are "
     "believed"},
    {"permit", texts, "[]", nullptr,
     "address ranges to reach although they are denied by default: whatever the registries of IANA do not "
     "give to hosts of the world (loopback, link-local, multicast, fc00::/7, NAT64, documentation and so "
     "on), "
     "and 168.63.129.16"},
    {"deny", texts, "[]", nullptr, "address ranges never to reach"},
    {"timeout", duration, "10s", "100ms..1m", "how long one outbound request may take"},
};

constexpr SettingKey listener_keys[] = {
    {"bind", text, nullptr, nullptr, "address and port, \"0.0.0.0:8443\" or \"[::]:8443\""},
    {"url", text, "", nullptr, "how the world reaches it; default from bind and certificate names"},
    {"certificate.issue", reference, "", "pipeline",
     "pipeline that issues and renews this listener's certificate"},
    {"certificate.names", texts, "[]", nullptr, "names of that certificate"},
    {"certificate.file", path, "", nullptr, "PEM certificate chain, instead of issue"},
    {"certificate.key", path, "", nullptr, "PEM private key of that file"},
    {"key", text, "", nullptr,
     "\"instance:label\" of that certificate's private key in keys, instead of one in a file; an EC key"},
    {"tls", text, "1.2", "1.2|1.3", "the least TLS version"},
    {"client_certificates", text, "none", "none|optional|required",
     "whether clients are asked for a certificate"},
    {"freebind", boolean, "false", nullptr,
     "bind although the address is not here (yet): floating addresses"},
    {"proxies", texts, "[]", nullptr,
     "address ranges of trusted proxies, which say whom they speak for; his address counts instead of "
     "theirs"},
    {"proxy", text, "protocol", "protocol|forwarded",
     "how they say it: by a header of the PROXY protocol, without which theirs are closed; or, where there "
     "is "
     "no TLS, by the fields Forwarded or X-Forwarded-For"},
    {"health", boolean, "false", nullptr,
     "serve /health/live, /health/ready and the like, and /metrics, here"},
    {"max_connections", integer, "10000", "1..1000000", "connections at once; more are closed"},
    {"connections_per_address", integer, "1000", "1..1000000",
     "connections at once from one address (IPv6: one /64); more are closed"},
    {"header_limit", size, "16KiB", "1KiB..64KiB", "size of a request's header section"},
    {"header_timeout", duration, "10s", "100ms..5m", "for the TLS handshake, and for the header section"},
    {"body_timeout", duration, "30s", "100ms..10m", "for the body"},
    {"idle_timeout", duration, "75s", "1s..1h", "between requests"},
};

constexpr SettingKey authority_keys[] = {
    {"key", text, nullptr, nullptr, "keys instance and label, \"soft:issuing\""},
    {"subject", text, nullptr, nullptr, "distinguished name, RFC 4514: \"CN=Example Root CA,O=Example\""},
    {"issuer", text, "", nullptr, "authority that signs it, or \"external\"; self-signed without"},
    {"next", text, "", nullptr,
     "authority that takes over from it one day; EST and SCEP announce it, and roots certify each other"},
    {"key_type", text, "ec-p256", nullptr, "what `hanaper init` generates"},
    {"registrar", text, "", nullptr,
     "place of an RSA key that signs and decrypts for it where a protocol wants that, as SCEP does; init "
     "makes it; \"authority\": its own, which has to be RSA"},
    {"lifetime", duration, "10y", "1d..100y", "how long its certificate is valid"},
    {"path_length", integer, "", "0..10", "authorities that may follow below it"},
    {"signature", text, "", nullptr, "signature scheme; default by key type"},
    {"name_constraints.permit", texts, "[]", nullptr, "names it may issue for (RFC 5280 4.2.1.10)"},
    {"name_constraints.exclude", texts, "[]", nullptr, "names it may not issue for"},
    {"serial", text, "random", "random|range", "how serial numbers are made"},
    {"range.start", text, "1", nullptr,
     "first number, hexadecimal; nodes of one storage either share it or stay far apart"},
    {"range.size", integer, "65536", "16..1000000000", "numbers taken from storage at once"},
};

constexpr SettingKey profile_keys[] = {
    {"lifetime", duration, nullptr, "1m..100y", "how long certificates are valid"},
    {"backdate", duration, "5m", "0s..1h", "how far notBefore lies back, for clocks that are slow"},
    {"validity", text, "profile", "profile|request",
     "who chooses notBefore and notAfter: the profile alone, or requests within its lifetime"},
    {"key_types", texts, "[\"ec-p256\", \"ec-p384\", \"rsa-2048\", \"rsa-3072\", \"rsa-4096\", \"ed25519\"]",
     nullptr, "keys accepted; rsa sizes are exact"},
    {"usages", texts, "[]", nullptr, "extended key usages by name or object identifier"},
    {"key_usages", texts, "", nullptr,
     "key usages, as far as the key type can do them; default all that the purposes need"},
    {"names", texts, "[\"dns\", \"ip\"]",
     "dns|ip|email|uri|permanent-identifier|hardware-module|user-principal-name|smtp-utf8-mailbox",
     "kinds of names accepted"},
    {"max_names", integer, "100", "0..1000", "names in one certificate"},
    {"subject", text, "common-name", "none|common-name|request",
     "subject: empty, the first name that fits, or as requested"},
    {"ca", boolean, "false", nullptr, "certificates of authorities"},
    {"path_length", integer, "", "0..10", "authorities that may follow below"},
    {"policies", texts, "[]", nullptr,
     "certificate policies: object identifier, or identifier=URL of the practice statement"},
    {"name_constraints.permit", texts, "[]", nullptr, "subtrees permitted, for authorities"},
    {"name_constraints.exclude", texts, "[]", nullptr, "subtrees excluded, for authorities"},
    {"must_staple", boolean, "false", nullptr, "demand a stapled OCSP response (RFC 7633)"},
    {"honour", texts, "[]", nullptr,
     "what requests may choose: key-usage and extended-key-usage below the profile's, tls-feature, or "
     "extensions "
     "by object identifier that say nothing an authority has to know"},
    {"signature", text, "", nullptr, "signature scheme; default the authority's"},
    {"ocsp_url", text, "", nullptr,
     "OCSP address in the certificates, \"none\" for none; default from the ocsp instances"},
    {"crl_url", text, "", nullptr, "CRL address, likewise"},
    {"issuer_url", text, "", nullptr, "address of the issuer's certificate, likewise"},
};

constexpr SettingKey pipeline_keys[] = {
    {"authority", reference, nullptr, "authority", "who signs"},
    {"profiles", references, nullptr, "profile", "what may be issued; the first is the default"},
    {"authenticate", references, "[]", "authenticator", "who may ask, for protocols that leave that to HTTP"},
    {"authenticate_by", text, "any", "any|all", "whether one of them has to know who asks, or each"},
    {"approval", text, "none", "none|manual", "whether somebody has to approve each request"},
    {"policy", references, "[]", "policy", "what may be asked, in this order"},
    {"validate", references, "[]", "validator", "what must hold before signing, in this order"},
    {"publish", references, "[]", "publisher", "where certificates are made public"},
    {"notify", references, "[]", "notifier", "who is told"},
};

constexpr SettingKey protocol_keys[] = {
    {"plugin", text, "", nullptr, "the plugin's name; default the instance's"},
    {"listener", reference, "", "listener",
     "where it is served; not needed where nothing listens, as at an offline root, or with a url"},
    {"path", text, "", nullptr, "below which path of the listener"},
    {"url", text, "", nullptr,
     "how the world reaches what something else serves; goes with no listener, where that has a url"},
};

constexpr SettingKey instance_keys[] = {
    {"plugin", text, "", nullptr, "the plugin's name; default the instance's"},
};

// The same for both kinds that are told of events.
constexpr SettingKey since_key = {"since", text, "now", "now|beginning",
                                  "what a new one is told of: what follows, or everything in the ledger"};

constexpr SettingKey publisher_keys[] = {instance_keys[0], since_key};

constexpr SettingKey notifier_keys[] = {
    instance_keys[0],
    since_key,
    {"events", texts, "[]",
     "authority.certified|authority.expiring|certificate.issued|certificate.released|certificate.revoked|"
     "crl.late|crl.made|health.failed|health.restored|node.started|node.stopped|request.approved|"
     "request.denied|request.pending",
     "types of events that it is told of; none: all"},
};

struct NamedKeys {
  std::string_view name;
  std::span<const SettingKey> keys;
};
constexpr NamedKeys named_keys[] = {{"node", node_keys},           {"log", log_keys},
                                    {"outbound", outbound_keys},   {"listener", listener_keys},
                                    {"authority", authority_keys}, {"profile", profile_keys},
                                    {"pipeline", pipeline_keys},   {"protocol", protocol_keys},
                                    {"publisher", publisher_keys}, {"notifier", notifier_keys}};

}  // namespace

std::span<const SettingKey> host_keys(std::string_view table) {
  for (const NamedKeys& entry : named_keys)
    if (entry.name == table) return entry.keys;
  if (std::ranges::find(kinds, table) != std::end(kinds)) return instance_keys;
  return {};
}

std::vector<std::string> host_tables() {
  return {"node", "log", "outbound", "listener", "authority", "profile", "pipeline"};
}

}  // namespace hanaper::config
