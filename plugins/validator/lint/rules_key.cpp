// Algorithms: of the signature to come and of the key that is certified.
#include "rules.hpp"

#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::lint {
namespace {

constexpr std::uint8_t null_octets[] = {der::null, 0};

bool is_one_of(ByteView id, std::initializer_list<der::Oid> oids) {
  return std::ranges::any_of(oids, [&](const der::Oid& oid) { return oid == id; });
}

Finding rsa_signature_null(const Subject& subject) {
  if (!is_one_of(subject.signature.oid, {oid::sha256_rsa, oid::sha384_rsa, oid::sha512_rsa}))
    return std::nullopt;
  // RFC 4055 5: "When any of these four object identifiers appears within an AlgorithmIdentifier, the
  // parameters MUST be NULL."
  if (equal(subject.signature.parameters, null_octets)) return std::nullopt;
  return "signature algorithm " + der::oid_to_text(subject.signature.oid) + " has parameters " +
         in_quotes(to_hex(subject.signature.parameters)) + " instead of NULL";
}

Finding ecdsa_signature_bare(const Subject& subject) {
  if (!is_one_of(subject.signature.oid, {oid::ecdsa_sha256, oid::ecdsa_sha384, oid::ecdsa_sha512}))
    return std::nullopt;
  // RFC 5758 3.2: "the encoding MUST omit the parameters field"
  if (subject.signature.parameters.empty()) return std::nullopt;
  return "signature algorithm " + der::oid_to_text(subject.signature.oid) + " has parameters " +
         in_quotes(to_hex(subject.signature.parameters));
}

Finding eddsa_signature_bare(const Subject& subject) {
  if (oid::ed25519 != subject.signature.oid) return std::nullopt;
  // RFC 8410 6: "When used to identify signature algorithms, the parameters MUST be absent."
  if (subject.signature.parameters.empty()) return std::nullopt;
  return "signature algorithm Ed25519 has parameters " + in_quotes(to_hex(subject.signature.parameters));
}

Finding pss_signature_parameters(const Subject& subject) {
  if (oid::rsassa_pss != subject.signature.oid) return std::nullopt;
  // RFC 4055 3.1: "The parameters MUST be present when used in the algorithm identifier associated with a
  // signature value."
  const std::optional<der::Element> parameters = child(subject.signature.parameters, der::sequence);
  if (parameters && !parameters->content.empty()) return std::nullopt;
  // Present and empty means SHA-1 throughout, which no signature of this host uses.
  return "signature algorithm RSASSA-PSS names no digest in its parameters";
}

Finding signature_known(const Subject& subject) {
  // RFC 5280 4.1.2.3: "This field MUST contain the same algorithm identifier as the signatureAlgorithm field
  // in the sequence Certificate"; the host writes that one, and only of the kinds it knows.
  const auto scheme = x509::parse_signature_algorithm(subject.tbs.signature_algorithm);
  if (scheme) return std::nullopt;
  return scheme.error().detail;
}

Finding rsa_key_null(const Subject& subject) {
  if (oid::rsa_encryption != subject.key_algorithm.oid) return std::nullopt;
  // RFC 3279 2.3.1: "The parameters field MUST have ASN.1 type NULL for this algorithm identifier."
  if (equal(subject.key_algorithm.parameters, null_octets)) return std::nullopt;
  return "the rsa key has parameters " + in_quotes(to_hex(subject.key_algorithm.parameters)) +
         " instead of NULL";
}

Finding ec_key_named_curve(const Subject& subject) {
  if (oid::ec_public_key != subject.key_algorithm.oid) return std::nullopt;
  // RFC 5480 2.1.1: "implicitCurve and specifiedCurve MUST NOT be used in PKIX."
  if (child(subject.key_algorithm.parameters, der::object_identifier)) return std::nullopt;
  return subject.key_algorithm.parameters.empty() ? "the ec key has no curve"
                                                  : "the ec key spells its curve out instead of naming it";
}

Finding ec_key_point(const Subject& subject) {
  if (oid::ec_public_key != subject.key_algorithm.oid) return std::nullopt;
  const ByteView point = subject.key_octets;
  // RFC 5480 2.2: "The public key MUST be rejected if any other value is included in the first octet."
  if (!point.empty() && point[0] >= 2 && point[0] <= 4) return std::nullopt;
  return "the ec key's point begins with octet " +
         in_quotes(to_hex(point.first(std::min<std::size_t>(point.size(), 1))));
}

Finding eddsa_key_bare(const Subject& subject) {
  if (oid::ed25519 != subject.key_algorithm.oid) return std::nullopt;
  // RFC 8410 3: "For all of the OIDs, the parameters MUST be absent."
  if (subject.key_algorithm.parameters.empty()) return std::nullopt;
  return "the Ed25519 key has parameters " + in_quotes(to_hex(subject.key_algorithm.parameters));
}

Finding key_known(const Subject& subject) {
  // RFC 5280 4.1.2.7: "This field is used to carry the public key and identify the algorithm with which the
  // key is used". Whether the key is a strong one is judged before a draft exists.
  if (subject.key) return std::nullopt;
  return subject.key_fault;
}

constexpr Rule key_table[] = {
    {"rsa-signature-null", "RFC 4055 5", Severity::error,
     "The parameters of an RSA PKCS#1 v1.5 signature algorithm are NULL", rsa_signature_null},
    {"ecdsa-signature-bare", "RFC 5758 3.2", Severity::error,
     "An ECDSA signature algorithm has no parameters", ecdsa_signature_bare},
    {"eddsa-signature-bare", "RFC 8410 6", Severity::error, "An EdDSA signature algorithm has no parameters",
     eddsa_signature_bare},
    {"pss-signature-parameters", "RFC 4055 3.1", Severity::error,
     "An RSASSA-PSS signature algorithm has parameters that name its digest", pss_signature_parameters},
    {"signature-known", "RFC 5280 4.1.2.3", Severity::error,
     "The signature algorithm is one that the host can sign with", signature_known},
    {"rsa-key-null", "RFC 3279 2.3.1", Severity::error, "The parameters of an RSA key are NULL",
     rsa_key_null},
    {"ec-key-named-curve", "RFC 5480 2.1.1", Severity::error, "An EC key names its curve",
     ec_key_named_curve},
    {"ec-key-point", "RFC 5480 2.2", Severity::error, "The point of an EC key is not in hybrid form",
     ec_key_point},
    {"eddsa-key-bare", "RFC 8410 3", Severity::error, "An EdDSA key has no parameters", eddsa_key_bare},
    {"key-known", "RFC 5280 4.1.2.7", Severity::error,
     "The key is one of a kind and form that the host knows", key_known},
};

}  // namespace

std::span<const Rule> key_rules() { return key_table; }

}  // namespace hanaper::lint
