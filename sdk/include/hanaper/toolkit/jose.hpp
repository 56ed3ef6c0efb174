// JSON Web Signature and Key as ACME uses them (RFC 7515, 7517, 7518, 7638, 8037; RFC 8555 6.2).
#pragma once

#include <hanaper/keys.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::jose {

// A public key from a JWK.
struct Jwk {
  KeySpec spec;
  Bytes spki;              // DER SubjectPublicKeyInfo
  std::string thumbprint;  // RFC 7638 with SHA-256, base64url
};

// EC (P-256, P-384, P-521), RSA and OKP (Ed25519). bad_key for others, for wrong lengths, and when private
// members are present: nobody sends a private key by intent; and for keys that say, by `use` or `key_ops`,
// that they are not for signatures.
Result<Jwk> parse_jwk(const json::Value& jwk);

// The JWK of a SubjectPublicKeyInfo; bad_key when it cannot be read.
Result<json::Value> jwk_of(ByteView spki);

// The scheme of an `alg` that may sign requests: ES256, ES384, ES512, RS256, PS256, EdDSA. unsupported
// otherwise: "none" and MACs are among the otherwise.
Result<SignatureScheme> parse_algorithm(std::string_view alg);
// Names in the order of preference, for the `algorithms` of badSignatureAlgorithm.
const std::vector<std::string>& algorithms();

// A flattened JWS JSON object (RFC 7515 7.2.2), taken apart but not verified.
struct Jws {
  json::Value header;  // the protected one
  std::string alg;
  std::optional<Jwk> jwk;  // exactly one of jwk and kid, unless `header` has neither
  std::string kid;
  std::string nonce;
  std::string url;
  Bytes payload;
  Bytes signature;
  std::string signing_input;
};

// malformed for anything but the flattened form, for unprotected headers, `crit`, "b64":false, both jwk and
// kid, padded base64url and members given twice; bad_key from the jwk.
Result<Jws> parse_jws(std::string_view body);

// Checks alg against the key and the signature. unsupported for the alg, bad_key for a key of another kind,
// malformed for a wrong signature length, forbidden for a signature that does not verify.
Status verify(const Jws& jws, ByteView spki);

// The HMAC form of external account bindings (RFC 8555 7.3.4): HS256, HS384 are not offered; only HS256.
Status verify_mac(const Jws& jws, ByteView key);

}  // namespace hanaper::jose
