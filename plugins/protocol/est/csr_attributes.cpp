#include "csr_attributes.hpp"

#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::est {
namespace {

// Attribute ::= SEQUENCE { type, values SET { one value } }.
template <class Value>
Bytes attribute(ByteView type, Value&& write_value) {
  der::Writer writer(64);
  writer.sequence([&] {
    writer.constructed(der::set, [&] { write_value(writer); });
    writer.oid(type);
  });
  return writer.bytes();
}

Bytes plain(ByteView oid) {
  der::Writer writer(64);
  writer.oid(oid);
  return writer.bytes();
}

// "represented as an attribute, to be reflected as the AlgorithmIdentifier of the SubjectPublicKeyInfo".
Bytes key_attribute(KeySpec spec) {
  const auto curve = [](der::Oid oid) {
    return attribute(oid::ec_public_key, [&](der::Writer& writer) { writer.oid(oid); });
  };
  switch (spec.type) {
    case KeyType::ec_p256:
      return curve(oid::p256);
    case KeyType::ec_p384:
      return curve(oid::p384);
    case KeyType::ec_p521:
      return curve(oid::p521);
    case KeyType::ed25519:
      return plain(oid::ed25519);
    case KeyType::rsa:
      break;
  }
  return attribute(oid::rsa_encryption,
                   [&](der::Writer& writer) { writer.integer(std::uint64_t{spec.bits}); });
}

Result<Bytes> one(std::string_view text) {
  constexpr std::string_view extension = "extension=";
  if (text == "challenge-password") return plain(oid::challenge_password);
  if (const auto spec = parse_key_spec(text)) return key_attribute(*spec);
  if (const auto scheme = x509::parse_scheme(text)) {
    HANAPER_TRY(der::Reader algorithm, der::open(x509::algorithm_identifier(*scheme), der::sequence));
    HANAPER_TRY(const ByteView oid, algorithm.read_oid());
    return plain(oid);
  }
  if (text.starts_with(extension)) {
    HANAPER_TRY(const Bytes oid, der::oid_from_text(text.substr(extension.size())));
    return attribute(oid::extension_request, [&](der::Writer& writer) { writer.oid(oid); });
  }
  HANAPER_TRY(const Bytes oid, der::oid_from_text(text));
  return plain(oid);
}

}  // namespace

Result<Bytes> csr_attributes(const std::vector<std::string>& texts) {
  std::vector<Bytes> parts;
  for (const std::string& text : texts) {
    auto part = one(text);
    if (!part)
      return malformed("\"" + text +
                       "\" is none of challenge-password, a key type, a signature scheme, extension=OID and "
                       "an object identifier");
    parts.push_back(*std::move(part));
  }
  der::Writer writer(256);
  writer.sequence([&] {
    for (std::size_t i = parts.size(); i-- > 0;) writer.raw(parts[i]);
  });
  return writer.bytes();
}

}  // namespace hanaper::est
