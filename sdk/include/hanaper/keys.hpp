// Key providers: where private keys live and the only place they ever act.
#pragma once

#include <hanaper/plugin.hpp>

#include <memory>
#include <optional>

namespace hanaper {

enum class KeyType : std::uint8_t { rsa, ec_p256, ec_p384, ec_p521, ed25519 };

// What to generate, or what a key is. `bits` is the modulus size of an RSA key and 0 otherwise.
struct KeySpec {
  KeyType type = KeyType::ec_p256;
  std::uint16_t bits = 0;
  auto operator<=>(const KeySpec&) const = default;
};

// As configurations spell them; RSA is followed by its bits. What else there is to know of an algorithm
// stands in toolkit/algorithms.hpp.
inline constexpr std::string_view key_type_names[] = {"rsa", "ec-p256", "ec-p384", "ec-p521", "ed25519"};

// What can be asked for.
inline constexpr KeySpec key_specs[] = {{KeyType::ec_p256, 0}, {KeyType::ec_p384, 0}, {KeyType::ec_p521, 0},
                                        {KeyType::ed25519, 0}, {KeyType::rsa, 2048},  {KeyType::rsa, 3072},
                                        {KeyType::rsa, 4096}};
inline constexpr std::string_view key_spec_choices =
    "ec-p256|ec-p384|ec-p521|ed25519|rsa-2048|rsa-3072|rsa-4096";

// "ec-p256", "rsa-3072", "ed25519": as configurations spell it.
inline std::string to_string(KeySpec spec) {
  if (static_cast<std::size_t>(spec.type) >= std::size(key_type_names)) return "unknown";
  std::string text(key_type_names[static_cast<std::size_t>(spec.type)]);
  if (spec.bits != 0) text.append(1, '-').append(std::to_string(spec.bits));
  return text;
}

// unsupported when the text names no key type this SDK knows.
inline Result<KeySpec> parse_key_spec(std::string_view text) {
  std::string known;
  for (KeySpec spec : key_specs) {
    std::string name = to_string(spec);
    if (name == text) return spec;
    known += (known.empty() ? "" : ", ") + std::move(name);
  }
  return unsupported("no key type \"" + std::string(text) + "\"; known are " + known);
}

// How to sign. ECDSA signatures are DER SEQUENCE { r, s }; PSS uses a salt as long as the digest and MGF1
// with the same digest (RFC 4055 3.1).
enum class SignatureScheme : std::uint8_t {
  ecdsa_sha256,
  ecdsa_sha384,
  ecdsa_sha512,
  rsa_pkcs1_sha256,
  rsa_pkcs1_sha384,
  rsa_pkcs1_sha512,
  rsa_pss_sha256,
  rsa_pss_sha384,
  rsa_pss_sha512,
  ed25519,
};

// "ecdsa-sha256", "rsa-pss-sha384", ...: as configurations spell it.
inline constexpr std::string_view signature_scheme_names[] = {
    "ecdsa-sha256", "ecdsa-sha384",   "ecdsa-sha512",   "rsa-sha256",     "rsa-sha384",
    "rsa-sha512",   "rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512", "ed25519"};
constexpr std::string_view to_string(SignatureScheme scheme) noexcept {
  return signature_scheme_names[static_cast<std::size_t>(scheme)];
}

// A private key as an operation. Never a value: no call gives its secret away. Thread-safe.
class Key {
 public:
  virtual ~Key() = default;

  virtual KeySpec spec() const noexcept = 0;   // [any]
  virtual ByteView spki() const noexcept = 0;  // [any] DER SubjectPublicKeyInfo; lives as long as the key

  // [worker] The signature over `message`, which is hashed on this side where the scheme hashes.
  // unsupported for a scheme the key cannot do; unavailable when the token is away.
  virtual Result<Bytes> sign(SignatureScheme scheme, ByteView message) = 0;

  // [worker] The same over a digest made elsewhere, for messages too large to hold. unsupported for Ed25519,
  // which has no such form (RFC 8032 5.1).
  virtual Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) = 0;

  // [worker] RSA PKCS#1 v1.5 decryption (RFC 8017 7.2.2) of a ciphertext exactly as long as the modulus.
  // The answer never tells why it failed. unsupported unless RSA.
  virtual Result<Secret> decrypt(ByteView ciphertext) = 0;
};

struct KeyInfo {
  std::string label;
  KeySpec spec;
};

// 1 to 64 of [A-Za-z0-9._-], and no dot in front: a label may become the name of a file.
inline bool is_key_label(std::string_view label) noexcept {
  if (label.empty() || label.size() > 64 || label[0] == '.') return false;
  for (char c : label)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
          c == '_' || c == '-'))
      return false;
  return true;
}

// A place for keys: a folder, a token, a service. Labels are what is_key_label accepts.
class Keys : public Plugin {
 public:
  // [worker] The key of that label; the provider keeps it alive together with every holder of the pointer,
  // because a token may be re-opened while signatures run. not_found; unavailable.
  virtual Result<std::shared_ptr<Key>> find(std::string_view label) = 0;

  // [worker] Generates; durable when it returns. conflict when the label is taken: a key is never replaced.
  virtual Result<std::shared_ptr<Key>> create(std::string_view label, KeySpec spec) = 0;

  // [worker] Takes a PKCS#8 PrivateKeyInfo (DER, unencrypted) under a new label. conflict when taken;
  // bad_key when it is not one of the key types above.
  virtual Result<std::shared_ptr<Key>> import(std::string_view label, const Secret& pkcs8) = 0;

  // [worker] Destroys the key for good; a holder may find it gone at once, or only when it lets go.
  // not_found; unavailable.
  virtual Status remove(std::string_view label) = 0;

  // [worker] Every key, by label.
  virtual Result<std::vector<KeyInfo>> list() = 0;

  // [any] Whether a signature would succeed now; quick, from memory.
  virtual Status health() = 0;
};

// Optional: a provider that keeps the same keys in several places can bring a key to those that lack it.
class Replication {
 public:
  static constexpr std::string_view ability_id = "hanaper.replication/1";

  // [worker] The names of the places that hold the key now, besides the first. forbidden when the key may not
  // leave; conflict when a place has another key of that label; unavailable.
  virtual Result<std::vector<std::string>> replicate(std::string_view label) = 0;

 protected:
  ~Replication() = default;
};

// Optional: a provider whose keys lie encrypted under a pin of ours can encrypt them again under another.
class Repinning {
 public:
  static constexpr std::string_view ability_id = "hanaper.repinning/1";

  // [worker] All of them or none, durable when it returns: how many there are. From then on the old pin opens
  // none. malformed when it takes no such pin; unavailable.
  virtual Result<std::size_t> repin(const Secret& pin) = 0;

 protected:
  ~Repinning() = default;
};

}  // namespace hanaper
