// The one table of algorithms: a row for each digest, key type and signature scheme, with what every standard
// that we speak calls it. A new algorithm of a known family is a row here and a value of its enumeration; a
// new family is that and its encodings (public_key.cpp, verify.cpp, soft_key.cpp, jose.cpp, keys/pkcs11).
#pragma once

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::algorithms {

// How keys are written and signatures made: what code differs by.
enum class Family : std::uint8_t { rsa, ec, edwards };

// DER that is known when the program is built.
struct Fixed {
  std::array<std::uint8_t, 80> octets{};
  std::uint8_t size = 0;

  constexpr operator ByteView() const noexcept { return {octets.data(), size}; }
  constexpr bool empty() const noexcept { return size == 0; }
};

namespace detail {

// A value of that tag around the parts; `ahead` octets of its content are still to come.
consteval Fixed wrap_all(std::uint8_t tag, std::size_t ahead, std::initializer_list<ByteView> parts) {
  Fixed made;
  made.octets[0] = tag;
  made.size = 2;
  for (ByteView part : parts)
    for (std::uint8_t octet : part) made.octets[made.size++] = octet;
  made.octets[1] = static_cast<std::uint8_t>(made.size - 2 + ahead);  // below 128: the array is that short
  return made;
}
template <class... Parts>
consteval Fixed wrap(std::uint8_t tag, std::size_t ahead, const Parts&... parts) {
  return wrap_all(tag, ahead, {ByteView(parts)...});
}
template <class... Parts>
consteval Fixed sequence(const Parts&... parts) {
  return wrap(der::sequence, 0, parts...);
}
consteval Fixed oid(const der::Oid& id) { return wrap(der::object_identifier, 0, id); }
consteval Fixed null() { return wrap(der::null, 0); }
consteval Fixed integer(std::uint8_t value) { return wrap(der::integer, 0, der::Oid{{value}, 1}); }
template <std::size_t N>
consteval Fixed printable(const char (&text)[N]) {
  der::Oid octets;
  for (std::size_t i = 0; i + 1 < N; ++i) octets.octets[octets.size++] = static_cast<std::uint8_t>(text[i]);
  return wrap(der::printable_string, 0, octets);
}
// RFC 4055 3.1: the digest, MGF1 with the same, and a salt as long; the trailer is its default.
consteval Fixed pss(const der::Oid& digest, std::uint8_t size) {
  const Fixed hash = sequence(oid(digest), null());
  return sequence(oid(hanaper::oid::rsassa_pss),
                  sequence(wrap(der::context(0), 0, hash),
                           wrap(der::context(1), 0, sequence(oid(hanaper::oid::mgf1), hash)),
                           wrap(der::context(2), 0, integer(size))));
}
// RFC 8017 9.2: DigestInfo but for the digest.
consteval Fixed digest_info(const der::Oid& digest, std::uint8_t size) {
  const Fixed algorithm = sequence(oid(digest), null());
  return wrap(der::sequence, size, algorithm, wrap(der::octet_string, size));
}

}  // namespace detail

struct HashRow {
  crypto::Hash hash;
  const char* openssl;
  std::size_t size;
  der::Oid oid;
  Fixed digest_info;          // what PKCS#1 v1.5 signs in front of the digest
  std::uint32_t pkcs11, mgf;  // CKM_..., CKG_MGF1_...
};

inline constexpr HashRow hashes[] = {
    {crypto::Hash::sha1, "SHA1", 20, oid::sha1, detail::digest_info(oid::sha1, 20), 0x220, 1},
    {crypto::Hash::sha256, "SHA256", 32, oid::sha256, detail::digest_info(oid::sha256, 32), 0x250, 2},
    {crypto::Hash::sha384, "SHA384", 48, oid::sha384, detail::digest_info(oid::sha384, 48), 0x260, 3},
    {crypto::Hash::sha512, "SHA512", 64, oid::sha512, detail::digest_info(oid::sha512, 64), 0x270, 4},
};

struct KeyRow {
  KeyType type;
  Family family;
  der::Oid oid;                            // of the SubjectPublicKeyInfo's algorithm
  Fixed parameters;                        // and its parameters, whole; empty where they are absent
  const char* openssl;                     // the group, or the algorithm where there are no groups
  std::size_t octets;                      // of a coordinate, or of the raw public key; RSA: its size says
  std::uint16_t bits;                      // for who has no wish: what to generate; 0 where the type says all
  std::uint16_t least_bits, most_bits;     // what a CA certifies; 0 where the type says all
  bool encrypts;                           // whether somebody may encrypt to such a key
  SignatureScheme scheme;                  // what it signs with unless told otherwise
  std::uint32_t pkcs11, pkcs11_generate;   // CKK_..., CKM_..._KEY_PAIR_GEN
  Fixed pkcs11_parameters;                 // CKA_EC_PARAMS
  std::string_view jose_type, jose_curve;  // RFC 7518 6.1, RFC 8037 2
  std::int64_t cose_type, cose_curve;      // RFC 9053 7, RFC 8230 4
};

// PKCS#11 3.0 2.3.5: the curve of Edwards keys by its name or its identifier; modules know the name.
inline constexpr KeyRow keys[] = {
    {KeyType::rsa,
     Family::rsa,
     oid::rsa_encryption,
     detail::null(),
     "RSA",
     0,
     2048,
     2048,
     8192,
     true,
     SignatureScheme::rsa_pkcs1_sha256,
     0x00,
     0x0000,
     {},
     "RSA",
     "",
     3,
     0},
    {KeyType::ec_p256, Family::ec, oid::ec_public_key, detail::oid(oid::p256), "P-256", 32, 0, 0, 0, false,
     SignatureScheme::ecdsa_sha256, 0x03, 0x1040, detail::oid(oid::p256), "EC", "P-256", 2, 1},
    {KeyType::ec_p384, Family::ec, oid::ec_public_key, detail::oid(oid::p384), "P-384", 48, 0, 0, 0, false,
     SignatureScheme::ecdsa_sha384, 0x03, 0x1040, detail::oid(oid::p384), "EC", "P-384", 2, 2},
    {KeyType::ec_p521, Family::ec, oid::ec_public_key, detail::oid(oid::p521), "P-521", 66, 0, 0, 0, false,
     SignatureScheme::ecdsa_sha512, 0x03, 0x1040, detail::oid(oid::p521), "EC", "P-521", 2, 3},
    {KeyType::ed25519,
     Family::edwards,
     oid::ed25519,
     {},
     "ED25519",
     32,
     0,
     0,
     0,
     false,
     SignatureScheme::ed25519,
     0x40,
     0x1055,
     detail::printable("edwards25519"),
     "OKP",
     "Ed25519",
     1,
     6},
};

enum class Padding : std::uint8_t { none, pkcs1, pss };

struct SchemeRow {
  SignatureScheme scheme;
  KeyType key;      // whose it is: any of its family where it hashes, this very type elsewhere
  Padding padding;  // RSA's
  std::optional<crypto::Hash> hash;  // nothing: the key signs messages, not digests
  crypto::Hash cms_hash;             // of the content in SignedData (RFC 5652 5.4, RFC 8419 2.3)
  der::Oid oid;
  Fixed identifier;       // the whole AlgorithmIdentifier (RFC 4055, 5758, 8410)
  std::uint32_t pkcs11;   // CKM_... over the digest, or over the message
  std::string_view jose;  // RFC 7518 3.1, RFC 8037 3.1
  bool jws;               // whether it may sign what clients send
  std::int64_t cose;      // RFC 9053 2, RFC 8230 2, RFC 8812 2
};

namespace detail {
using enum SignatureScheme;
using crypto::Hash;

consteval SchemeRow ecdsa(SignatureScheme scheme, KeyType curve, Hash hash, const der::Oid& id,
                          std::string_view jose, std::int64_t cose) {
  return {scheme, curve, Padding::none, hash, hash, id, sequence(oid(id)), 0x1041, jose, true, cose};
}
consteval SchemeRow pkcs1(SignatureScheme scheme, Hash hash, const der::Oid& id, std::string_view jose,
                          bool jws, std::int64_t cose) {
  return {scheme, KeyType::rsa, Padding::pkcs1, hash, hash, id, sequence(oid(id), null()), 0x0001, jose,
          jws,    cose};
}
consteval SchemeRow rsa_pss(SignatureScheme scheme, Hash hash, std::string_view jose, bool jws,
                            std::int64_t cose) {
  const HashRow& digest = hashes[static_cast<std::size_t>(hash)];
  return {scheme,
          KeyType::rsa,
          Padding::pss,
          hash,
          hash,
          hanaper::oid::rsassa_pss,
          pss(digest.oid, static_cast<std::uint8_t>(digest.size)),
          0x000d,
          jose,
          jws,
          cose};
}
}  // namespace detail

// Those that clients may use, in the order in which they are recommended.
inline constexpr SchemeRow schemes[] = {
    detail::ecdsa(SignatureScheme::ecdsa_sha256, KeyType::ec_p256, crypto::Hash::sha256, oid::ecdsa_sha256,
                  "ES256", -7),
    detail::ecdsa(SignatureScheme::ecdsa_sha384, KeyType::ec_p384, crypto::Hash::sha384, oid::ecdsa_sha384,
                  "ES384", -35),
    detail::ecdsa(SignatureScheme::ecdsa_sha512, KeyType::ec_p521, crypto::Hash::sha512, oid::ecdsa_sha512,
                  "ES512", -36),
    detail::pkcs1(SignatureScheme::rsa_pkcs1_sha256, crypto::Hash::sha256, oid::sha256_rsa, "RS256", true,
                  -257),
    detail::pkcs1(SignatureScheme::rsa_pkcs1_sha384, crypto::Hash::sha384, oid::sha384_rsa, "RS384", false,
                  -258),
    detail::pkcs1(SignatureScheme::rsa_pkcs1_sha512, crypto::Hash::sha512, oid::sha512_rsa, "RS512", false,
                  -259),
    detail::rsa_pss(SignatureScheme::rsa_pss_sha256, crypto::Hash::sha256, "PS256", true, -37),
    detail::rsa_pss(SignatureScheme::rsa_pss_sha384, crypto::Hash::sha384, "PS384", false, -38),
    detail::rsa_pss(SignatureScheme::rsa_pss_sha512, crypto::Hash::sha512, "PS512", false, -39),
    {SignatureScheme::ed25519, KeyType::ed25519, Padding::none, std::nullopt, crypto::Hash::sha512,
     oid::ed25519, detail::sequence(detail::oid(oid::ed25519)), 0x1057, "EdDSA", true, -8},
};

constexpr const HashRow& row(crypto::Hash hash) noexcept { return hashes[static_cast<std::size_t>(hash)]; }
constexpr const KeyRow& row(KeyType type) noexcept { return keys[static_cast<std::size_t>(type)]; }
constexpr const SchemeRow& row(SignatureScheme scheme) noexcept {
  return schemes[static_cast<std::size_t>(scheme)];
}

constexpr Family family_of(KeyType type) noexcept { return row(type).family; }
constexpr Family family_of(SignatureScheme scheme) noexcept { return row(row(scheme).key).family; }

// The row whose `column` has that value, or null: find(keys, &KeyRow::openssl, ...).
template <class Row, std::size_t N, class Column, class Value>
constexpr const Row* find(const Row (&table)[N], Column Row::*column, const Value& value) noexcept {
  for (const Row& row : table)
    if (row.*column == value) return &row;
  return nullptr;
}

// The key type of a SubjectPublicKeyInfo's algorithm and parameters (content octets; the whole element); null
// when it is unknown.
inline const KeyRow* find_key(ByteView oid, ByteView parameters) noexcept {
  for (const KeyRow& row : keys)
    if (row.oid == oid && equal(row.parameters, parameters)) return &row;
  return nullptr;
}

namespace detail {
// A row stands where its value in the enumeration says, and the enumerations are as long as the tables.
consteval bool in_order() {
  for (std::size_t i = 0; i < std::size(hashes); ++i)
    if (hashes[i].hash != static_cast<Hash>(i)) return false;
  for (std::size_t i = 0; i < std::size(keys); ++i)
    if (keys[i].type != static_cast<KeyType>(i)) return false;
  for (std::size_t i = 0; i < std::size(schemes); ++i)
    if (schemes[i].scheme != static_cast<SignatureScheme>(i)) return false;
  return std::size(keys) == std::size(key_type_names) &&
         std::size(schemes) == std::size(signature_scheme_names);
}
static_assert(in_order());
}  // namespace detail

}  // namespace hanaper::algorithms
