// The family of certificates and requests that the oracle tests draw from.
#pragma once

#include "oracle.hpp"

#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/soft_key.hpp>

namespace hanaper::oracle {

using KeyPtr = std::shared_ptr<crypto::SoftKey>;

// One key of each kind the SDK knows (RSA in two sizes), made once in a run. Their order is fixed.
const std::vector<KeyPtr>& keys();
const KeyPtr& other_key(KeySpec spec);  // another one of that kind

struct Signer {
  KeyPtr key;
  SignatureScheme scheme;
};
// Every key with every scheme that fits it.
const std::vector<Signer>& signers();

// Subjects of 0 to 8 attributes: known types, unknown ones, Unicode, values as long as they may be.
x509::Name random_name(Random& random);
NameAttribute random_attribute(Random& random, std::string_view oid);
// The attribute types the toolkit knows by name: dotted object identifier and greatest length.
struct KnownType {
  std::string_view oid;
  std::size_t bound;
  enum class Form { utf8, printable, ia5, country } form;
};
const std::vector<KnownType>& known_types();

Identifier random_identifier(Random& random);  // in normal form
std::vector<Identifier> random_identifiers(Random& random);
Serial random_serial(Random& random);
Time random_time(Random& random);  // 1950 to 9999
x509::Subtree random_subtree(Random& random);

// What the extensions of a certificate say. Empty members are left out of it.
struct ExtensionPlan {
  std::vector<Bytes> usages;
  std::optional<x509::BasicConstraints> basic_constraints;
  std::vector<std::string> ocsp, ca_issuers, crls;
  std::vector<x509::PolicyInformation> policies;
  x509::NameConstraints constraints;
  bool must_staple = false;
  std::optional<x509::Extension> unknown;
};
ExtensionPlan random_extensions(Random& random);
std::vector<x509::Extension> written(const ExtensionPlan& plan, Random& random);

struct CertificatePlan {
  Signer issuer_key;
  KeyPtr subject_key;
  x509::Name issuer, subject;
  Serial serial;
  Time not_before, not_after;
  Bytes key_identifier, authority_key_identifier;
  std::uint16_t key_usage = 0;
  std::vector<Identifier> names;
  ExtensionPlan extensions;
  std::vector<x509::Extension> fixed, filled;
};
// Case `number`: keys and schemes follow from it in turn, all else is drawn.
CertificatePlan random_certificate(std::size_t number);
Result<Bytes> issue(const CertificatePlan& plan);

// The octets with one bit changed.
Bytes flipped(ByteView octets, Random& random);

}  // namespace hanaper::oracle
