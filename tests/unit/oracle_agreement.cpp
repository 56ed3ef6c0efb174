#include "oracle_agreement.hpp"

#include <hanaper/toolkit/oids.hpp>

#include <gtest/gtest.h>

namespace hanaper::oracle {
namespace {

using Refusals = std::vector<std::string>;

// True when the toolkit has a value to compare.
template <class T>
bool taken(const Result<T>& result, std::string_view part, Refusals& refusals) {
  if (!result) refusals.push_back(std::string(part) + ": " + result.error().detail);
  return result.has_value();
}

void expect_name(const X509_NAME* theirs, ByteView ours, std::string_view part, Refusals& refusals) {
  EXPECT_EQ(to_hex(encoded(i2d_X509_NAME, theirs)), to_hex(ours)) << part;
  const auto name = x509::parse_name(ours);
  if (taken(name, part, refusals)) {
    EXPECT_EQ(name_of(theirs), *name) << part;
  }
}

int type_of(Identifier::Kind kind) {
  constexpr int types[] = {GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI};
  const auto index = static_cast<std::size_t>(kind);
  return index < std::size(types) ? types[index] : GEN_OTHERNAME;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

// The names both judge, in their order; host names are compared without case.
void expect_names(const std::vector<GeneralName>& theirs, const x509::GeneralNames& ours) {
  std::vector<GeneralName> judged, read;
  std::size_t others = 0;
  for (const GeneralName& name : theirs) {
    if (name.type == GEN_DNS || name.type == GEN_EMAIL || name.type == GEN_URI || name.type == GEN_IPADD)
      judged.push_back({name.type, lower(name.value)});
    else
      ++others;
  }
  for (const Identifier& name : ours.names) {
    // otherNames, which OpenSSL leaves as they are.
    if (type_of(name.kind) == GEN_OTHERNAME) {
      --others;
      continue;
    }
    const bool address = name.kind == Identifier::Kind::ip;
    read.push_back(
        {type_of(name.kind), address ? to_hex(x509::ip_octets(name.value).value_or({})) : lower(name.value)});
  }
  EXPECT_EQ(judged, read);
  EXPECT_EQ(others, ours.others);
}

void expect_subtrees(const std::vector<GeneralName>& theirs, const std::vector<x509::Subtree>& ours) {
  std::vector<GeneralName> judged, read;
  for (const GeneralName& name : theirs) {
    if (name.type == GEN_DNS || name.type == GEN_EMAIL || name.type == GEN_URI || name.type == GEN_IPADD)
      judged.push_back({name.type, lower(name.value)});
  }
  for (const x509::Subtree& subtree : ours) {
    const bool range = subtree.kind == Identifier::Kind::ip;
    read.push_back(
        {type_of(subtree.kind), range ? to_hex(subtree.base) : lower(std::string(as_text(subtree.base)))});
  }
  EXPECT_EQ(judged, read);
}

void expect_access(const std::vector<Access>& theirs, const std::vector<x509::AccessDescription>& ours) {
  ASSERT_EQ(theirs.size(), ours.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(theirs[i].method, der::oid_to_text(ours[i].method));
    if (theirs[i].location.type != GEN_URI) continue;
    EXPECT_EQ(ours[i].tag, der::context_primitive(6));
    EXPECT_EQ(theirs[i].location.value, as_text(ours[i].location));
  }
}

// Both lists hold the same extensions when this is called.
void expect_known(const Known& known, const std::vector<x509::ExtensionView>& list, Refusals& refusals) {
  const auto value = [&](ByteView oid) -> std::optional<ByteView> {
    const auto found = std::ranges::find_if(
        list, [&](const x509::ExtensionView& extension) { return equal(extension.oid, oid); });
    return found == list.end() ? std::nullopt : std::optional(found->value);
  };
  // Compares one extension when OpenSSL has read it; `parse` is the toolkit's reader for it.
  const auto compare = [&](const auto& theirs, const der::Oid& oid, std::string_view part, auto parse,
                           auto expect) {
    if (!theirs) return;
    const auto ours = parse(*value(oid));
    if (taken(ours, part, refusals)) expect(*theirs, *ours);
  };
  compare(known.names, oid::subject_alt_name, "names", x509::parse_general_names, expect_names);
  compare(known.key_usage, oid::key_usage, "key usage", x509::parse_key_usage,
          [](std::uint16_t theirs, std::uint16_t ours) { EXPECT_EQ(theirs, ours); });
  compare(known.extended_key_usage, oid::extended_key_usage, "extended key usage",
          x509::parse_extended_key_usage,
          [](const std::vector<std::string>& theirs, const std::vector<ByteView>& ours) {
            std::vector<std::string> dotted;
            for (ByteView usage : ours) dotted.push_back(der::oid_to_text(usage));
            EXPECT_EQ(theirs, dotted);
          });
  compare(known.basic_constraints, oid::basic_constraints, "basic constraints", x509::parse_basic_constraints,
          [](const x509::BasicConstraints& theirs, const x509::BasicConstraints& ours) {
            EXPECT_EQ(theirs.ca, ours.ca);
            EXPECT_EQ(theirs.path_length, ours.path_length);
          });
  compare(known.subject_key_identifier, oid::subject_key_identifier, "subject key identifier",
          x509::parse_subject_key_identifier,
          [](const Bytes& theirs, ByteView ours) { EXPECT_EQ(to_hex(theirs), to_hex(ours)); });
  compare(known.authority_key_identifier, oid::authority_key_identifier, "authority key identifier",
          x509::parse_authority_key_identifier,
          [](const Known::Authority& theirs, const x509::AuthorityKeyIdentifier& ours) {
            EXPECT_EQ(to_hex(theirs.identifier), to_hex(ours.identifier));
            EXPECT_EQ(theirs.has_issuer, ours.has_issuer);
            EXPECT_EQ(theirs.has_serial, ours.has_serial);
          });
  compare(known.authority_info_access, oid::authority_info_access, "information access",
          x509::parse_info_access, expect_access);
  compare(known.name_constraints, oid::name_constraints, "name constraints", x509::parse_name_constraints,
          [](const Subtrees& theirs, const x509::NameConstraints& ours) {
            expect_subtrees(theirs.permitted, ours.permitted);
            expect_subtrees(theirs.excluded, ours.excluded);
          });
}

void expect_extensions(const STACK_OF(X509_EXTENSION) * theirs, const std::vector<x509::ExtensionView>& ours,
                       Refusals& refusals) {
  const auto read = extensions_of(theirs);
  ASSERT_EQ(read, extensions_of(ours));
  expect_known(known_of(theirs), ours, refusals);
}

}  // namespace

Refusals expect_agreement(const X509* theirs, const x509::CertificateView& ours) {
  Refusals refusals;
  EXPECT_EQ(X509_get_version(theirs) + 1, static_cast<long>(ours.version));
  const ASN1_INTEGER* serial = X509_get0_serialNumber(theirs);
  EXPECT_EQ(serial->type, V_ASN1_INTEGER);
  EXPECT_EQ(Serial::from_magnitude(octets_of(serial)).value_or(Serial{}).hex(), ours.serial.hex());
  expect_name(X509_get_issuer_name(theirs), ours.issuer, "issuer", refusals);
  expect_name(X509_get_subject_name(theirs), ours.subject, "subject", refusals);
  EXPECT_EQ(time_of(X509_get0_notBefore(theirs)), ours.not_before);
  EXPECT_EQ(time_of(X509_get0_notAfter(theirs)), ours.not_after);
  EXPECT_EQ(X509_get0_notBefore(theirs)->type, ours.not_before_tag);
  EXPECT_EQ(X509_get0_notAfter(theirs)->type, ours.not_after_tag);
  EXPECT_EQ(to_hex(encoded(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(theirs))), to_hex(ours.spki));
  const ASN1_BIT_STRING *issuer_id = nullptr, *subject_id = nullptr, *signature = nullptr;
  X509_get0_uids(theirs, &issuer_id, &subject_id);
  EXPECT_EQ(issuer_id != nullptr || subject_id != nullptr, ours.has_unique_identifiers);
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(&signature, &algorithm, theirs);
  EXPECT_EQ(to_hex(octets_of(signature)), to_hex(ours.signature));
  EXPECT_EQ(to_hex(encoded(i2d_X509_ALGOR, algorithm)), to_hex(ours.outer_algorithm));
  EXPECT_EQ(to_hex(encoded(i2d_X509_ALGOR, X509_get0_tbs_sigalg(theirs))), to_hex(ours.signature_algorithm));
  EXPECT_EQ(to_hex(encoded(i2d_X509, theirs)), to_hex(ours.der));
  expect_extensions(X509_get0_extensions(theirs), ours.extensions, refusals);
  return refusals;
}

Refusals expect_agreement(X509_REQ* theirs, const x509::CsrView& ours) {
  Refusals refusals;
  // Of whatever version: nothing hangs on it.
  expect_name(X509_REQ_get_subject_name(theirs), ours.subject, "subject", refusals);
  EXPECT_EQ(to_hex(encoded(i2d_X509_PUBKEY, X509_REQ_get_X509_PUBKEY(theirs))), to_hex(ours.spki));
  const ASN1_BIT_STRING* signature = nullptr;
  const X509_ALGOR* algorithm = nullptr;
  X509_REQ_get0_signature(theirs, &signature, &algorithm);
  EXPECT_EQ(to_hex(octets_of(signature)), to_hex(ours.signature));
  EXPECT_EQ(to_hex(encoded(i2d_X509_REQ, theirs)), to_hex(ours.der));
  const ExtensionsPtr extensions(X509_REQ_get_extensions(theirs));
  expect_extensions(extensions.get(), ours.extensions, refusals);
  const int at = X509_REQ_get_attr_by_NID(theirs, NID_pkcs9_challengePassword, -1);
  std::string password;
  if (at >= 0) {
    const ASN1_TYPE* value = X509_ATTRIBUTE_get0_type(X509_REQ_get_attr(theirs, at), 0);
    password = as_text(octets_of(value->value.asn1_string));
  }
  EXPECT_EQ(password, ours.challenge_password);
  return refusals;
}

}  // namespace hanaper::oracle
