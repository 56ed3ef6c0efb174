#include "attestation.hpp"

#include "cbor.hpp"
#include "tpm.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

using der::operator""_oid;

constexpr std::size_t longest_chain = 6;
constexpr std::size_t most_members = 16;  // of a map

// What Apple puts into the certificates of its Managed Device Attestation.
constexpr der::Oid apple_serial_number = "1.2.840.113635.100.8.9.1"_oid;
constexpr der::Oid apple_udid = "1.2.840.113635.100.8.9.2"_oid;
constexpr der::Oid apple_nonce = "1.2.840.113635.100.8.11.1"_oid;
// TCG: tcg-kp-AIKCertificate
constexpr der::Oid aik_certificate = "2.23.133.8.3"_oid;

// An attestation statement of either format; what is absent is empty.
struct Statement {
  std::string_view format;
  std::string_view version;
  std::int64_t algorithm = 0;
  std::vector<ByteView> chain;
  ByteView signature, certified, area;
};

// Calls `take(name)` at each value of a map with names; it says whether it has read the value.
template <class Take>
Status each_member(cbor::Reader& reader, Take&& take) {
  HANAPER_TRY(const std::size_t count, reader.map());
  if (count > most_members) return malformed("cbor: a map of more than " + std::to_string(most_members));
  std::vector<std::string_view> seen;
  for (std::size_t i = 0; i < count; ++i) {
    HANAPER_TRY(const std::string_view name, reader.text());
    if (std::ranges::find(seen, name) != seen.end()) return malformed("cbor: a member is given twice");
    seen.push_back(name);
    HANAPER_TRY(const bool read, take(name));
    if (!read) HANAPER_CHECK(reader.skip());
  }
  return {};
}

Status read_chain(cbor::Reader& reader, std::vector<ByteView>& chain) {
  HANAPER_TRY(const std::size_t count, reader.array());
  if (count > longest_chain)
    return malformed("x5c: more than " + std::to_string(longest_chain) + " certificates");
  for (std::size_t i = 0; i < count; ++i) {
    HANAPER_TRY(const ByteView certificate, reader.octets());
    chain.push_back(certificate);
  }
  return {};
}

// `take` reads into `target` and is done.
template <class T>
Result<bool> into(T& target, Result<T> value) {
  if (!value) return std::move(value).error();
  target = *std::move(value);
  return true;
}

Status read_statement(cbor::Reader& reader, Statement& statement) {
  return each_member(reader, [&](std::string_view name) -> Result<bool> {
    if (name == "x5c") {
      HANAPER_CHECK(read_chain(reader, statement.chain));
      return true;
    }
    if (name == "ver") return into(statement.version, reader.text());
    if (name == "alg") return into(statement.algorithm, reader.integer());
    if (name == "sig") return into(statement.signature, reader.octets());
    if (name == "certInfo") return into(statement.certified, reader.octets());
    if (name == "pubArea") return into(statement.area, reader.octets());
    return false;
  });
}

// WebAuthn 6.5.4. authData has no meaning here.
Result<Statement> read_object(ByteView object) {
  Statement statement;
  bool stated = false;
  cbor::Reader reader(object);
  const auto take = [&](std::string_view name) -> Result<bool> {
    if (name == "fmt") return into(statement.format, reader.text());
    if (name != "attStmt") return false;
    HANAPER_CHECK(read_statement(reader, statement));
    return stated = true;
  };
  HANAPER_CHECK(each_member(reader, take));
  HANAPER_CHECK(reader.finish());
  if (!stated) return malformed("there is no attStmt");
  if (statement.chain.empty()) return malformed("x5c: at least one certificate is expected");
  return statement;
}

std::string_view text_of(const x509::CertificateView& certificate, ByteView oid) {
  const x509::ExtensionView* extension = certificate.find(oid);
  return extension ? as_text(extension->value) : std::string_view{};
}

// The certificate is the statement: Apple made it for this key, and for this token.
Result<AttestedKey> judge_apple(const Attestation& attestation, const x509::CertificateView& leaf) {
  const x509::ExtensionView* nonce = leaf.find(apple_nonce);
  if (nonce == nullptr) return malformed("apple: the certificate has no nonce");
  if (!crypto::equal_constant_time(nonce->value, crypto::sha256(as_bytes(attestation.token))))
    return malformed("apple: the certificate's nonce is not the digest of the token");
  const std::string_view serial = text_of(leaf, apple_serial_number), udid = text_of(leaf, apple_udid);
  const std::string& wanted = attestation.identifier.value;
  if (attestation.identifier.kind != Identifier::Kind::permanent_identifier ||
      (serial != wanted && udid != wanted))
    return malformed("apple: the certificate is for another device");
  return AttestedKey{"apple", to_bytes(leaf.spki)};
}

// WebAuthn 8.3.1
Status check_aik(const x509::CertificateView& aik, const Identifier& wanted) {
  if (aik.version != 3) return malformed("tpm: the AIK certificate is not of version 3");
  constexpr std::size_t empty_name = 2;
  if (aik.subject.size() != empty_name) return malformed("tpm: the AIK certificate has a subject");
  if (!x509::has_extended_key_usage(aik, aik_certificate))
    return malformed(
        "tpm: the AIK certificate is for something else (2.23.133.8.3 is no extended key usage of it)");
  if (const auto* constraints = aik.find(oid::basic_constraints)) {
    const auto parsed = x509::parse_basic_constraints(constraints->value);
    if (!parsed || parsed->ca) return malformed("tpm: the AIK certificate is an authority's");
  }
  const x509::ExtensionView* san = aik.find(oid::subject_alt_name);
  const auto names =
      san ? x509::parse_general_names(san->value) : Result<x509::GeneralNames>(malformed("there is none"));
  if (!names || std::ranges::find(names->names, wanted) == names->names.end())
    return malformed("tpm: the AIK certificate is for another device");
  return {};
}

// WebAuthn 8.3
Result<AttestedKey> judge_tpm(const Attestation& attestation, const Statement& statement,
                              const x509::CertificateView& aik) {
  if (statement.version != "2.0") return malformed("tpm: ver is not 2.0");
  HANAPER_CHECK(check_aik(aik, attestation.identifier));
  HANAPER_TRY(const tpm::Signature signature, tpm::parse_signature(statement.signature, statement.algorithm));
  if (Status signed_by = crypto::verify(signature.scheme, aik.spki, statement.certified, signature.octets);
      !signed_by)
    return malformed("tpm: sig is not the AIK's signature of certInfo: " + signed_by.error().detail);
  HANAPER_TRY(const tpm::Certified certified, tpm::parse_certified(statement.certified));
  // "extraData is set to the hash of attToBeSigned using the hash algorithm employed in alg"
  const Bytes expected =
      crypto::digest(*crypto::hash_of(signature.scheme), as_bytes(attestation.key_authorization));
  if (!crypto::equal_constant_time(certified.extra_data, expected))
    return malformed("tpm: extraData is not the digest of the key authorization");
  HANAPER_TRY(const tpm::Public key, tpm::parse_public(statement.area));
  if (!equal(certified.name, tpm::name_of(key, statement.area)))
    return malformed("tpm: certInfo is about another key than pubArea");
  if (!tpm::stays_inside(key)) return malformed("tpm: the key was not made in the TPM, or may leave it");
  return AttestedKey{"tpm", key.spki};
}

}  // namespace

Result<AttestedKey> judge_attestation(const Attestation& attestation, const x509::TrustAnchors& trust,
                                      Time now) {
  HANAPER_TRY(const Statement statement, read_object(attestation.object));
  const bool apple = statement.format == "apple";
  if (!apple && statement.format != "tpm") return malformed("fmt: apple and tpm are supported");
  const auto leaf = x509::parse_certificate(statement.chain.front());
  if (!leaf) return malformed("x5c: a certificate cannot be read: " + leaf.error().detail);
  if (const Status trusted = trust.check(statement.chain, now); !trusted)
    return malformed("x5c: not trusted: " + trusted.error().detail);
  return apple ? judge_apple(attestation, *leaf) : judge_tpm(attestation, statement, *leaf);
}

}  // namespace hanaper::acme
