#include <hanaper/toolkit/extensions.hpp>

#include <hanaper/toolkit/oids.hpp>

namespace hanaper::x509 {
namespace {

struct NamedBit {
  std::string_view name;
  std::uint16_t bit;
};
constexpr NamedBit key_usages[] = {{"digital-signature", digital_signature},
                                   {"non-repudiation", non_repudiation},
                                   {"key-encipherment", key_encipherment},
                                   {"data-encipherment", data_encipherment},
                                   {"key-agreement", key_agreement},
                                   {"key-cert-sign", key_cert_sign},
                                   {"crl-sign", crl_sign},
                                   {"encipher-only", encipher_only},
                                   {"decipher-only", decipher_only}};

struct NamedOid {
  std::string_view name;
  const der::Oid& oid;
};
constexpr NamedOid extended_usages[] = {{"server-auth", oid::server_auth},
                                        {"client-auth", oid::client_auth},
                                        {"code-signing", oid::code_signing},
                                        {"email-protection", oid::email_protection},
                                        {"time-stamping", oid::time_stamping},
                                        {"ocsp-signing", oid::ocsp_signing},
                                        {"cmc-ra", oid::cmc_ra},
                                        {"any", oid::any_extended_key_usage}};

template <class Table>
std::string known(const Table& table) {
  std::string text;
  for (const auto& entry : table) text += (text.empty() ? "" : ", ") + std::string(entry.name);
  return text;
}

void write_uri(der::Writer& writer, const std::string& uri) { writer.text(der::context_primitive(6), uri); }

}  // namespace

Result<std::uint16_t> parse_key_usage_name(std::string_view name) {
  for (const NamedBit& usage : key_usages)
    if (usage.name == name) return usage.bit;
  return malformed("no key usage \"" + std::string(name) + "\"; known are " + known(key_usages));
}

Result<Bytes> parse_extended_usage_name(std::string_view name) {
  for (const NamedOid& usage : extended_usages)
    if (usage.name == name) return to_bytes(usage.oid);
  if (auto oid = der::oid_from_text(name)) return oid;
  return malformed("no extended key usage \"" + std::string(name) + "\"; known are " +
                   known(extended_usages) + " and dotted object identifiers");
}

std::string extended_usage_name(ByteView oid) {
  for (const NamedOid& usage : extended_usages)
    if (usage.oid == oid) return std::string(usage.name);
  return der::oid_to_text(oid);
}

Bytes key_usage(std::uint16_t bits) {
  // A named bit list drops its trailing zeros (X.690 11.2.2).
  std::uint8_t octets[2] = {};
  for (int bit = 0; bit < 9; ++bit)
    if (bits >> bit & 1) octets[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  const std::size_t size = octets[1] != 0 ? 2 : 1;
  std::uint8_t unused = 0;
  while (unused < 7 && !(octets[size - 1] >> unused & 1)) ++unused;
  der::Writer writer(16);
  writer.bits({octets, size}, unused);
  return writer.bytes();
}

Bytes extended_key_usage(const std::vector<Bytes>& usages) {
  der::Writer writer(64);
  writer.sequence([&] {
    for (std::size_t i = usages.size(); i-- > 0;) writer.oid(usages[i]);
  });
  return writer.bytes();
}

Bytes basic_constraints(bool ca, std::optional<unsigned> path_length) {
  der::Writer writer(16);
  writer.sequence([&] {
    if (!ca) return;  // DEFAULT FALSE stays out
    if (path_length) writer.integer(*path_length);
    writer.boolean(true);
  });
  return writer.bytes();
}

Bytes subject_key_identifier(ByteView identifier) {
  der::Writer writer(32);
  writer.octets(identifier);
  return writer.bytes();
}

Bytes authority_key_identifier(ByteView identifier) {
  der::Writer writer(32);
  writer.sequence([&] { writer.primitive(der::context_primitive(0), identifier); });
  return writer.bytes();
}

Bytes authority_info_access(const std::vector<std::string>& ocsp,
                            const std::vector<std::string>& ca_issuers) {
  der::Writer writer(256);
  const auto write = [&](ByteView method, const std::vector<std::string>& urls) {
    for (std::size_t i = urls.size(); i-- > 0;) {
      writer.sequence([&] {
        write_uri(writer, urls[i]);
        writer.oid(method);
      });
    }
  };
  writer.sequence([&] {
    write(oid::ad_ca_issuers, ca_issuers);
    write(oid::ad_ocsp, ocsp);
  });
  return writer.bytes();
}

Bytes crl_distribution_points(const std::vector<std::string>& urls, ByteView crl_issuer) {
  der::Writer writer(256);
  writer.sequence([&] {
    for (std::size_t i = urls.size(); i-- > 0;) {
      writer.sequence([&] {
        if (!crl_issuer.empty())
          writer.constructed(der::context(2), [&] {                                // cRLIssuer
            writer.constructed(der::context(4), [&] { writer.raw(crl_issuer); });  // directoryName
          });
        writer.constructed(der::context(0), [&] {    // distributionPoint
          writer.constructed(der::context(0), [&] {  // fullName
            write_uri(writer, urls[i]);
          });
        });
      });
    }
  });
  return writer.bytes();
}

namespace {

// Of a DistributionPointName: [0] fullName with GeneralNames.
Result<std::vector<std::string>> uris_of_point(ByteView name) {
  std::vector<std::string> uris;
  der::Reader choice(name);
  HANAPER_TRY(const auto full, choice.maybe(der::context(0)));
  if (!full) return uris;
  for (der::Reader names(full->content); !names.at_end();) {
    HANAPER_TRY(const der::Element one, names.next());
    if (one.tag == der::context_primitive(6)) uris.emplace_back(as_text(one.content));
  }
  return uris;
}

}  // namespace

Result<std::vector<std::string>> parse_crl_distribution_points(ByteView value) {
  std::vector<std::string> all;
  HANAPER_TRY(der::Reader points, der::open(value, der::sequence));
  while (!points.at_end()) {
    HANAPER_TRY(der::Reader point, points.enter(der::sequence));
    HANAPER_TRY(const auto name, point.maybe(der::context(0)));
    HANAPER_TRY(const auto reasons, point.maybe(der::context_primitive(1)));
    HANAPER_TRY(const auto issuer, point.maybe(der::context(2)));
    HANAPER_CHECK(point.finish());
    static_cast<void>(reasons);
    if (!name || issuer) continue;
    HANAPER_TRY(std::vector<std::string> uris, uris_of_point(name->content));
    for (std::string& uri : uris) all.push_back(std::move(uri));
  }
  return all;
}

Bytes certificate_policies(const std::vector<PolicyInformation>& policies) {
  der::Writer writer(256);
  writer.sequence([&] {
    for (std::size_t i = policies.size(); i-- > 0;) {
      writer.sequence([&] {
        if (!policies[i].cps.empty()) {
          writer.sequence([&] {
            writer.sequence([&] {
              writer.text(der::ia5_string, policies[i].cps);
              writer.oid(oid::cps_qualifier);
            });
          });
        }
        writer.oid(policies[i].oid);
      });
    }
  });
  return writer.bytes();
}

Bytes tls_feature_status_request() {
  der::Writer writer(8);
  writer.sequence([&] { writer.integer(5); });
  return writer.bytes();
}

Result<BasicConstraints> parse_basic_constraints(ByteView value) {
  HANAPER_TRY(der::Reader fields, der::open(value, der::sequence));
  BasicConstraints result;
  if (fields.peek() == der::boolean) {
    HANAPER_TRY(result.ca, fields.read_boolean());
    if (!result.ca) return malformed("basic constraints: DEFAULT FALSE is encoded");
  }
  if (fields.peek() == der::integer) {
    HANAPER_TRY(result.path_length, fields.read_unsigned());
  }
  HANAPER_CHECK(fields.finish());
  return result;
}

Result<std::uint16_t> parse_key_usage(ByteView value) {
  HANAPER_TRY(const der::Element element, der::only(value, der::bit_string));
  const ByteView content = element.content;
  if (content.size() < 2 || content.size() > 3 || content[0] > 7)
    return malformed("key usage: not a bit string of 1 to 9 bits");
  // X.690 11.2.2: the last octet holds a set bit just above the unused ones.
  const std::uint8_t last = content.back();
  if ((last & ((1u << content[0]) - 1)) != 0 || !(last >> content[0] & 1))
    return malformed("key usage: not a minimal bit list");
  std::uint16_t bits = 0;
  for (std::size_t bit = 0; bit < (content.size() - 1) * 8; ++bit)
    if (content[1 + bit / 8] >> (7 - bit % 8) & 1) {
      if (bit > 8) return malformed("key usage: unknown bit");
      bits |= static_cast<std::uint16_t>(1 << bit);
    }
  return bits;
}

Result<std::vector<ByteView>> parse_extended_key_usage(ByteView value) {
  HANAPER_TRY(der::Reader list, der::open(value, der::sequence));
  std::vector<ByteView> usages;
  while (!list.at_end()) {
    HANAPER_TRY(const ByteView usage, list.read_oid());
    usages.push_back(usage);
  }
  if (usages.empty()) return malformed("extended key usage: empty list");
  return usages;
}

namespace {

bool lies_below(ByteView oid, const der::Oid& arc) {
  const ByteView prefix = arc;
  return oid.size() > prefix.size() && equal(oid.first(prefix.size()), prefix);
}

using namespace der::literals;

// Arcs, and single extensions, that say what only an issuer can know.
constexpr der::Oid authority_arcs[] = {
    "2.5.29"_oid,              // id-ce, RFC 5280 4.2.1
    "1.3.6.1.5.5.7.1"_oid,     // id-pe: information access, statements, resources, proxies, telephone numbers
    "1.3.6.1.5.5.7.48.1"_oid,  // OCSP: no check, RFC 6960 4.2.2.2.1
    "1.3.6.1.4.1.11129.2.4"_oid,  // certificate transparency, RFC 6962 3
    "2.16.840.1.113730.1"_oid,    // Netscape: its certificate types are purposes
    "1.3.6.1.4.1.311.21"_oid,     // Microsoft: application policies are purposes, version of an authority
    "1.3.6.1.4.1.311.25"_oid,     // Microsoft: the security identifier is an account
};

constexpr der::Oid authority_purposes[] = {
    oid::any_extended_key_usage,
    oid::ocsp_signing,
    "1.3.6.1.5.5.7.3.10"_oid,  // id-kp-dvcs, RFC 3029
    "1.3.6.1.5.5.7.3.15"_oid,  // id-kp-scvpServer, RFC 5055
    "1.3.6.1.5.5.7.3.27"_oid,  // id-kp-cmcCA, RFC 6402
    oid::cmc_ra,
    "1.3.6.1.5.5.7.3.29"_oid,       // id-kp-cmcArchive
    "1.3.6.1.5.5.7.3.30"_oid,       // id-kp-bgpsec-router, RFC 8209
    "1.3.6.1.5.5.7.3.32"_oid,       // id-kp-cmKGA, RFC 9480
    "1.3.6.1.4.1.11129.2.4.4"_oid,  // signs precertificates, RFC 6962 3.1
    "1.3.6.1.4.1.311.10.3.1"_oid,   // Microsoft: signs trust lists
    "1.3.6.1.4.1.311.10.3.9"_oid,   // Microsoft: signs lists of roots
    "1.3.6.1.4.1.311.10.3.10"_oid,  // Microsoft: qualified subordination
    "1.3.6.1.4.1.311.10.3.11"_oid,  // Microsoft: recovers keys
    "1.3.6.1.4.1.311.10.12.1"_oid,  // Microsoft: any application policy
    "1.3.6.1.4.1.311.20.2.1"_oid,   // Microsoft: enrols for others
    "1.3.6.1.4.1.311.21.5"_oid,     // Microsoft: exchange of an authority
    "1.3.6.1.4.1.311.21.6"_oid,     // Microsoft: key recovery agent
};

}  // namespace

bool may_be_requested(ByteView extension) {
  if (oid::key_usage == extension || oid::extended_key_usage == extension || oid::tls_feature == extension)
    return true;
  return std::ranges::none_of(authority_arcs,
                              [&](const der::Oid& arc) { return lies_below(extension, arc); });
}

bool is_authority_purpose(ByteView usage) {
  return std::ranges::any_of(authority_purposes, [&](const der::Oid& one) { return one == usage; });
}

bool has_extended_key_usage(const TbsView& certificate, ByteView usage) {
  const ExtensionView* extension = certificate.find(oid::extended_key_usage);
  const auto usages = extension ? parse_extended_key_usage(extension->value)
                                : Result<std::vector<ByteView>>(not_found("none"));
  return usages && std::ranges::any_of(*usages, [&](ByteView one) { return equal(one, usage); });
}

Result<ByteView> parse_subject_key_identifier(ByteView value) {
  HANAPER_TRY(const der::Element element, der::only(value, der::octet_string));
  return element.content;
}

Result<AuthorityKeyIdentifier> parse_authority_key_identifier(ByteView value) {
  HANAPER_TRY(der::Reader fields, der::open(value, der::sequence));
  AuthorityKeyIdentifier result;
  HANAPER_TRY(const auto identifier, fields.maybe(der::context_primitive(0)));
  HANAPER_TRY(const auto issuer, fields.maybe(der::context(1)));
  HANAPER_TRY(const auto serial, fields.maybe(der::context_primitive(2)));
  HANAPER_CHECK(fields.finish());
  if (identifier) result.identifier = identifier->content;
  result.has_issuer = issuer.has_value();
  result.has_serial = serial.has_value();
  return result;
}

Result<std::vector<AccessDescription>> parse_info_access(ByteView value) {
  HANAPER_TRY(der::Reader list, der::open(value, der::sequence));
  std::vector<AccessDescription> descriptions;
  while (!list.at_end()) {
    HANAPER_TRY(der::Reader fields, list.enter(der::sequence));
    AccessDescription description;
    HANAPER_TRY(description.method, fields.read_oid());
    HANAPER_TRY(const der::Element location, fields.next());
    HANAPER_CHECK(fields.finish());
    description.tag = location.tag;
    description.location = location.content;
    descriptions.push_back(description);
  }
  if (descriptions.empty()) return malformed("information access: empty list");
  return descriptions;
}

}  // namespace hanaper::x509
