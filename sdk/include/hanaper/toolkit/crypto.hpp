// Digests, random octets and signature verification at the speed OpenSSL allows: algorithms are fetched
// once for each thread, contexts are kept, keys go in as raw points and moduli instead of through d2i.
//
// All functions are thread-safe; what they keep is per thread.
#pragma once

#include <hanaper/keys.hpp>

#include <memory>

namespace hanaper::crypto {

enum class Hash : std::uint8_t { sha1, sha256, sha384, sha512 };

// Octets of a digest of that kind: 20, 32, 48, 64.
std::size_t digest_size(Hash hash) noexcept;
// The hash inside a signature scheme; nothing for Ed25519.
std::optional<Hash> hash_of(SignatureScheme scheme) noexcept;

Bytes digest(Hash hash, ByteView message);
Fingerprint sha256(ByteView message);
// SHA-256 over parts as if they stood one after the other.
Fingerprint sha256(std::initializer_list<ByteView> parts);

// RFC 2104 with SHA-256.
Fingerprint hmac_sha256(ByteView key, ByteView message);

// A digest of more than one wants to hold in memory.
class Hasher {
 public:
  explicit Hasher(Hash hash);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void update(ByteView part);
  Bytes finish();  // then it is spent

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Fills with octets of the thread's CSPRNG, drawn ahead in blocks. Throws std::runtime_error if OpenSSL has
// no randomness to give: nothing can go on without.
void random(std::span<std::uint8_t> octets);
// `octets` random octets, base64url: an unguessable name. No '-' in front, where command lines expect an
// option.
std::string random_name(std::size_t octets);

// Overwrites octets that were secret, in a way no optimiser takes out.
void wipe(std::span<std::uint8_t> octets) noexcept;

// Comparison in time that depends on the lengths alone.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

// Whether `signature` is `scheme`'s signature of `message` under `spki` (DER SubjectPublicKeyInfo).
// bad_key for a key that cannot be read, lies off its curve or does not fit the scheme; forbidden when the
// signature is wrong.
Status verify(SignatureScheme scheme, ByteView spki, ByteView message, ByteView signature);
// The same with RSA PKCS#1 v1.5 and SHA-1, which is no scheme: where an operator wants old devices.
Status verify_sha1(ByteView spki, ByteView message, ByteView signature);

}  // namespace hanaper::crypto
