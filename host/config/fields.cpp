#include "fields.hpp"

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <charconv>

namespace hanaper::config {
namespace {

x509::NameConstraints read_constraints(const Fields& fields) {
  const auto parse = [](std::string_view text) { return x509::parse_subtree(text); };
  return {fields.each("name_constraints.permit", parse), fields.each("name_constraints.exclude", parse)};
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
std::pair<std::string, std::string> read_key_place(const Fields& fields, const std::string& field,
                                                   const std::string& example) {
  const std::string key = fields.text(field);
  const std::size_t colon = key.find(':');
  if (!key.empty() && (colon == std::string::npos || colon == 0 || colon + 1 == key.size()))
    fields.wrong(field, "\"" + key + "\" is not instance:label, like \"soft:" + example + "\"");
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
    std::tie(listener.keys, listener.label) = read_key_place(fields, "key", "tls");
    if (!listener.tls) fields.wrong("key", "needs a TLS listener; give it a certificate");
    if (!listener.key_file.empty()) fields.wrong("key", "both key and certificate.key are given");
  } else if (listener.certificate_file.empty() != listener.key_file.empty())
    fields.wrong(listener.key_file.empty() ? "certificate.file" : "certificate.key",
                 "certificate.file and certificate.key go together");
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

Result<Bytes> honoured_extension(std::string_view name) {
  if (name == "key-usage") return der::oid_from_text("2.5.29.15");
  if (name == "extended-key-usage") return der::oid_from_text("2.5.29.37");
  if (name == "tls-feature") return der::oid_from_text("1.3.6.1.5.5.7.1.24");
  HANAPER_TRY(Bytes oid, der::oid_from_text(name));
  if (!x509::may_be_requested(oid))
    return malformed("\"" + std::string(name) +
                     "\" says what an authority has checked and is never taken from a request");
  return oid;
}

// An authority's powers are the profile's to give; where a request chooses, they are no choice.
void check_honoured(const Fields& fields, const ProfileConfig& profile) {
  const auto honours = [&](const der::Oid& oid) {
    return std::ranges::any_of(profile.honour, [&](const Bytes& one) { return oid == ByteView(one); });
  };
  constexpr std::uint16_t powers = x509::key_cert_sign | x509::crl_sign;
  if (honours(oid::key_usage) && (profile.ca || (profile.key_usage.value_or(0) & powers) != 0))
    fields.wrong("honour", "key-usage cannot come from a request where it has key-cert-sign or crl-sign");
  for (const Bytes& usage : profile.extended_usages)
    if (honours(oid::extended_key_usage) && x509::is_authority_purpose(usage))
      fields.wrong("honour", "extended-key-usage cannot come from a request where usages has " +
                                 x509::extended_usage_name(usage));
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

Result<x509::Subtree> address_range(std::string_view text) {
  HANAPER_TRY(x509::Subtree range, x509::parse_subtree(text));
  if (range.kind != Identifier::Kind::ip)
    return malformed("\"" + std::string(text) + "\" is no address range");
  return range;
}

// Peers of IPv4 are met as such, however they come.
Result<x509::Subtree> peer_range(std::string_view text) {
  constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  HANAPER_TRY(x509::Subtree range, address_range(text));
  if (range.base.size() == 32 && equal(ByteView(range.base).first(12), mapped))
    return malformed("\"" + std::string(text) +
                     "\" has addresses of IPv4 in IPv6; write them as those of IPv4");
  return range;
}

void read_proxies(const Fields& fields, ListenerConfig& listener) {
  listener.proxies = fields.each("proxies", peer_range);
  listener.forwarded = fields.text("proxy") == "forwarded";
  if (!listener.forwarded) return;
  if (listener.tls)
    fields.wrong("proxy",
                 "\"forwarded\" is for a listener without TLS; with TLS proxies speak the PROXY protocol");
  if (fields.texts("proxies").empty())
    fields.wrong("proxy", "\"forwarded\" goes with proxies, and none are given");
}

}  // namespace

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
  node.disk_reserve = fields.size("disk_reserve");
  node.request_memory = fields.size("request_memory");
  node.request_timeout = fields.duration("request_timeout");
  node.lame_duck = fields.duration("lame_duck");
  node.drain = fields.duration("drain");
  node.track_file = fields.text("track_file");
  node.track_file_status = fields.text("track_file_status");
  return node;
}

OutboundConfig read_outbound(const Fields& fields) {
  OutboundConfig outbound;
  outbound.resolvers = fields.texts("resolvers");
  outbound.trust_anchors = fields.text("trust_anchors");
  outbound.permit = fields.each("permit", address_range);
  outbound.deny = fields.each("deny", address_range);
  outbound.timeout = fields.duration("timeout");
  return outbound;
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
  read_proxies(fields, listener);
  listener.health = fields.flag("health");
  listener.max_connections = static_cast<std::size_t>(fields.integer("max_connections"));
  listener.connections_per_address = static_cast<std::size_t>(fields.integer("connections_per_address"));
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

AuthorityConfig read_authority(const std::string& name, const Fields& fields) {
  AuthorityConfig authority;
  authority.name = name;
  std::tie(authority.keys, authority.label) = read_key_place(fields, "key", name);
  authority.own_registrar = fields.text("registrar") == "authority";
  if (!authority.own_registrar)
    std::tie(authority.registrar_keys, authority.registrar_label) =
        read_key_place(fields, "registrar", "registrar");
  authority.key_position = fields.position("key");
  if (const auto spec = fields.parsed("key_type", [](std::string_view text) { return parse_key_spec(text); }))
    authority.key_type = *spec;
  if (auto subject =
          fields.parsed("subject", [](std::string_view text) { return x509::parse_name_text(text); }))
    authority.subject = *std::move(subject);
  authority.issuer = fields.text("issuer");
  authority.external = authority.issuer == "external";
  if (authority.external) authority.issuer.clear();
  authority.next = fields.text("next");
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

ProfileConfig read_profile(const std::string& name, const Fields& fields) {
  ProfileConfig profile;
  profile.name = name;
  profile.lifetime = fields.duration("lifetime");
  profile.backdate = fields.duration("backdate");
  profile.validity_by_request = fields.text("validity") == "request";
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
    for (auto known : identifier_kinds)
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
  check_honoured(fields, profile);
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
  pipeline.authenticate_all = fields.text("authenticate_by") == "all";
  pipeline.approval = fields.text("approval") == "manual";
  pipeline.policy = fields.texts("policy");
  pipeline.validate = fields.texts("validate");
  pipeline.publish = fields.texts("publish");
  pipeline.notify = fields.texts("notify");
  return pipeline;
}

}  // namespace hanaper::config
