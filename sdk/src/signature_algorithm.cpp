#include <hanaper/toolkit/signature_algorithm.hpp>

#include <hanaper/toolkit/algorithms.hpp>

namespace hanaper::x509 {

ByteView algorithm_identifier(SignatureScheme scheme) noexcept { return algorithms::row(scheme).identifier; }

Result<SignatureScheme> parse_signature_algorithm(ByteView identifier) {
  for (const algorithms::SchemeRow& row : algorithms::schemes)
    if (equal(identifier, row.identifier)) return row.scheme;
  // RSA with absent parameters: the same without the final NULL.
  HANAPER_TRY(der::Reader reader, der::open(identifier, der::sequence));
  HANAPER_TRY(const ByteView id, reader.read_oid());
  for (const algorithms::SchemeRow& row : algorithms::schemes)
    if (row.padding == algorithms::Padding::pkcs1 && row.oid == id && reader.at_end()) return row.scheme;
  return unsupported("signature algorithm " + der::oid_to_text(id) + " is not supported");
}

SignatureScheme default_scheme(KeySpec key) noexcept { return algorithms::row(key.type).scheme; }

bool fits(KeySpec key, SignatureScheme scheme) noexcept {
  const algorithms::SchemeRow& row = algorithms::row(scheme);
  // Any digest may meet any key of its family (RFC 5758 3.2 names no pairs).
  return row.hash ? algorithms::family_of(key.type) == algorithms::family_of(scheme) : key.type == row.key;
}

Result<SignatureScheme> parse_scheme(std::string_view text) {
  std::string known;
  for (const algorithms::SchemeRow& row : algorithms::schemes) {
    if (to_string(row.scheme) == text) return row.scheme;
    known += (known.empty() ? "" : ", ") + std::string(to_string(row.scheme));
  }
  return malformed("no signature scheme \"" + std::string(text) + "\"; known are " + known);
}

}  // namespace hanaper::x509
