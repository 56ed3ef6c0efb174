// SubjectPublicKeyInfo: reading it without OpenSSL's decoders, writing it, and judging the key in it.
#pragma once

#include <hanaper/keys.hpp>
#include <hanaper/toolkit/der.hpp>

namespace hanaper::x509 {

// A view of a SubjectPublicKeyInfo (RFC 5280 4.1.2.7, RFC 3279, RFC 5480, RFC 8410).
struct PublicKey {
  KeySpec spec;
  ByteView spki;      // the whole
  ByteView point;     // EC: uncompressed point, 04 x y; Ed25519: the 32 octets; RSA: empty
  ByteView modulus;   // RSA: magnitude without sign octet
  ByteView exponent;  // RSA: likewise
  ByteView key_bits;  // content of the BIT STRING, what RFC 5280 4.2.1.2 hashes
};

// Reads the structure and nothing more: the key may still be weak or off its curve. bad_key for an algorithm
// this SDK does not know, compressed points, named curves other than P-256, P-384 and P-521, and for what
// check_key_cost refuses.
Result<PublicKey> parse_public_key(ByteView spki);

// Whether a CA may certify that key at all: RSA of 2048 to 8192 bits with an odd exponent above 65536 and a
// modulus without small factors, that is no power of another number, not from a generator with the ROCA flaw
// (CVE-2017-15361) and not with prime factors close to each other (Fermat); points on their curve, in their
// one encoding and not of small order. bad_key says which rule is broken. Takes less than 0.2 ms.
Status check_public_key(const PublicKey& key);
// Whether an RSA modulus is the product of different primes, as far as that shows: one that is a prime itself
// has a private key that everybody can compute. Others always pass. bad_key. One exponentiation: 2 ms for
// 2048 bits, 8 times as much for twice as many; so it is for those who have passed everything else.
Status check_modulus(const PublicKey& key);

// Whether it costs little to read that key and to verify a signature with it, whoever made it: RSA of at most
// 8192 bits with an exponent of at most 64, EC on a named curve, Ed25519, Ed448. To be asked before OpenSSL
// sees the key. bad_key; malformed when it cannot be read.
Status check_key_cost(ByteView spki);

// The same for certificates (DER) that somebody sends, the first of which is his own: their number, size and
// keys.
inline constexpr std::size_t longest_chain = 10;
inline constexpr std::size_t largest_certificate = std::size_t{16} * 1024;
Status check_chain_cost(std::span<const ByteView> chain);

// The DER of a SubjectPublicKeyInfo from its parts: an uncompressed point or 32 Ed25519 octets; modulus and
// exponent as magnitudes.
Bytes ec_spki(KeyType type, ByteView point);
Bytes rsa_spki(ByteView modulus, ByteView exponent);

// RFC 7093 2 (1): the leftmost 160 bits of the SHA-256 of the key bits.
std::array<std::uint8_t, 20> key_identifier(const PublicKey& key);

}  // namespace hanaper::x509
