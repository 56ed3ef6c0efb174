// Values of certificate extensions (RFC 5280 4.2), written and read. "Value" is always the content of
// extnValue.
#pragma once

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/identifiers.hpp>

namespace hanaper::x509 {

// Bits of RFC 5280 4.2.1.3 in its numbering.
enum KeyUsage : std::uint16_t {
  digital_signature = 1 << 0,
  non_repudiation = 1 << 1,
  key_encipherment = 1 << 2,
  data_encipherment = 1 << 3,
  key_agreement = 1 << 4,
  key_cert_sign = 1 << 5,
  crl_sign = 1 << 6,
  encipher_only = 1 << 7,
  decipher_only = 1 << 8,
};

// "digital-signature" and so on; malformed lists the known ones.
Result<std::uint16_t> parse_key_usage_name(std::string_view name);
// "server-auth" and so on, or a dotted object identifier; content octets.
Result<Bytes> parse_extended_usage_name(std::string_view name);
std::string extended_usage_name(ByteView oid);

Bytes key_usage(std::uint16_t bits);
Bytes extended_key_usage(const std::vector<Bytes>& usages);
Bytes basic_constraints(bool ca, std::optional<unsigned> path_length);
Bytes subject_key_identifier(ByteView identifier);
Bytes authority_key_identifier(ByteView identifier);
Bytes authority_info_access(const std::vector<std::string>& ocsp, const std::vector<std::string>& ca_issuers);
// One DistributionPoint for each URL. `crl_issuer` is the DER Name of who signs the CRLs there, when it is
// not the certificate's issuer.
Bytes crl_distribution_points(const std::vector<std::string>& urls, ByteView crl_issuer = {});
// The URIs at which CRLs of the certificate's own issuer are said to be; points of other issuers' CRLs are
// left out. malformed.
Result<std::vector<std::string>> parse_crl_distribution_points(ByteView value);
struct PolicyInformation {
  Bytes oid;
  std::string cps;  // URI of the certification practice statement, or empty
};
Bytes certificate_policies(const std::vector<PolicyInformation>& policies);
Bytes tls_feature_status_request();  // RFC 7633 with status_request (5): "must staple"

// Subtrees of dns names, addresses ("192.0.2.0/24"), email domains and URI hosts (RFC 5280 4.2.1.10).
struct Subtree {
  Identifier::Kind kind = Identifier::Kind::dns;
  Bytes base;  // dns, email, uri: text without leading '*.'; ip: address and mask
  auto operator<=>(const Subtree&) const = default;
};
struct NameConstraints {
  std::vector<Subtree> permitted;
  std::vector<Subtree> excluded;
  bool others = false;  // subtrees of kinds this SDK does not judge are present
};
// "example.test", ".example.test", "192.0.2.0/24", "2001:db8::/32", "@example.test".
Result<Subtree> parse_subtree(std::string_view text);
std::string subtree_text(const Subtree& subtree);
Bytes name_constraints(const NameConstraints& constraints);
// Whether subtrees of that kind say anything about names of the other: those of mail addresses do about
// addresses that are not ASCII (RFC 9598 6), and those of addresses about whatever form an address has.
bool judges(const Subtree& subtree, Identifier::Kind kind);
// Whether `name` lies within the constraints.
bool allows(const NameConstraints& constraints, const Identifier& name);

struct BasicConstraints {
  bool ca = false;
  std::optional<std::uint64_t> path_length;
};
Result<BasicConstraints> parse_basic_constraints(ByteView value);
Result<std::uint16_t> parse_key_usage(ByteView value);
Result<std::vector<ByteView>> parse_extended_key_usage(ByteView value);
// Whether a request may bring that extension into its certificate. Of those that standards define only
// keyUsage, extKeyUsage and TLS features: all others say what an authority has checked, or give its power
// away.
bool may_be_requested(ByteView extension);
// Purposes that make their holder speak for an authority, such as OCSPSigning and cmcRA, and
// anyExtendedKeyUsage. A profile may give them, a request never asks for them.
bool is_authority_purpose(ByteView usage);
// Whether the extension is there and names that usage.
bool has_extended_key_usage(const TbsView& certificate, ByteView usage);
Result<ByteView> parse_subject_key_identifier(ByteView value);
struct AuthorityKeyIdentifier {
  ByteView identifier;  // empty when absent
  bool has_issuer = false;
  bool has_serial = false;
};
Result<AuthorityKeyIdentifier> parse_authority_key_identifier(ByteView value);
Result<NameConstraints> parse_name_constraints(ByteView value);
struct AccessDescription {
  ByteView method;  // OID content
  std::uint8_t tag = 0;
  ByteView location;
};
Result<std::vector<AccessDescription>> parse_info_access(ByteView value);

}  // namespace hanaper::x509
