#include <hanaper/toolkit/signature_algorithm.hpp>

#include <hanaper/toolkit/oids.hpp>

namespace hanaper::x509 {
namespace {

template <std::size_t N>
struct Octets {
  std::array<std::uint8_t, N / 2> octets{};
  consteval Octets(const char (&hex)[N]) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < N - 1; i += 2)
      octets[i / 2] = static_cast<std::uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  }
};

template <Octets octets>
constexpr ByteView operator""_hex() {
  return octets.octets;
}

constexpr SignatureScheme schemes[] = {SignatureScheme::ecdsa_sha256,     SignatureScheme::ecdsa_sha384,
                                       SignatureScheme::ecdsa_sha512,     SignatureScheme::rsa_pkcs1_sha256,
                                       SignatureScheme::rsa_pkcs1_sha384, SignatureScheme::rsa_pkcs1_sha512,
                                       SignatureScheme::rsa_pss_sha256,   SignatureScheme::rsa_pss_sha384,
                                       SignatureScheme::rsa_pss_sha512,   SignatureScheme::ed25519};

}  // namespace

ByteView algorithm_identifier(SignatureScheme scheme) noexcept {
  switch (scheme) {
    case SignatureScheme::ecdsa_sha256:
      return "300a06082a8648ce3d040302"_hex;
    case SignatureScheme::ecdsa_sha384:
      return "300a06082a8648ce3d040303"_hex;
    case SignatureScheme::ecdsa_sha512:
      return "300a06082a8648ce3d040304"_hex;
    case SignatureScheme::rsa_pkcs1_sha256:
      return "300d06092a864886f70d01010b0500"_hex;
    case SignatureScheme::rsa_pkcs1_sha384:
      return "300d06092a864886f70d01010c0500"_hex;
    case SignatureScheme::rsa_pkcs1_sha512:
      return "300d06092a864886f70d01010d0500"_hex;
    case SignatureScheme::rsa_pss_sha256:
      return "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"_hex;
    case SignatureScheme::rsa_pss_sha384:
      return "304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"_hex;
    case SignatureScheme::rsa_pss_sha512:
      return "304106092a864886f70d01010a3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500a203020140"_hex;
    case SignatureScheme::ed25519:
      return "300506032b6570"_hex;
  }
  return {};
}

Result<SignatureScheme> parse_signature_algorithm(ByteView identifier) {
  for (SignatureScheme scheme : schemes)
    if (equal(identifier, algorithm_identifier(scheme))) return scheme;
  // RSA with absent parameters: the same without the final NULL.
  HANAPER_TRY(der::Reader reader, der::open(identifier, der::sequence));
  HANAPER_TRY(const ByteView id, reader.read_oid());
  if (reader.at_end()) {
    if (oid::sha256_rsa == id) return SignatureScheme::rsa_pkcs1_sha256;
    if (oid::sha384_rsa == id) return SignatureScheme::rsa_pkcs1_sha384;
    if (oid::sha512_rsa == id) return SignatureScheme::rsa_pkcs1_sha512;
  }
  return unsupported("signature algorithm " + der::oid_to_text(id) + " is not supported");
}

SignatureScheme default_scheme(KeySpec key) noexcept {
  switch (key.type) {
    case KeyType::ec_p256:
      return SignatureScheme::ecdsa_sha256;
    case KeyType::ec_p384:
      return SignatureScheme::ecdsa_sha384;
    case KeyType::ec_p521:
      return SignatureScheme::ecdsa_sha512;
    case KeyType::ed25519:
      return SignatureScheme::ed25519;
    case KeyType::rsa:
      return SignatureScheme::rsa_pkcs1_sha256;
  }
  return SignatureScheme::ecdsa_sha256;
}

bool fits(KeySpec key, SignatureScheme scheme) noexcept {
  switch (scheme) {
    case SignatureScheme::ed25519:
      return key.type == KeyType::ed25519;
    case SignatureScheme::ecdsa_sha256:
    case SignatureScheme::ecdsa_sha384:
    case SignatureScheme::ecdsa_sha512:
      return key.type == KeyType::ec_p256 || key.type == KeyType::ec_p384 || key.type == KeyType::ec_p521;
    default:
      return key.type == KeyType::rsa;
  }
}

Result<SignatureScheme> parse_scheme(std::string_view text) {
  std::string known;
  for (SignatureScheme scheme : schemes) {
    if (to_string(scheme) == text) return scheme;
    known += (known.empty() ? "" : ", ") + std::string(to_string(scheme));
  }
  return malformed("no signature scheme \"" + std::string(text) + "\"; known are " + known);
}

}  // namespace hanaper::x509
