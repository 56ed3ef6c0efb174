// AlgorithmIdentifier of signatures (RFC 4055, 5758, 8410).
#pragma once

#include <hanaper/keys.hpp>
#include <hanaper/toolkit/der.hpp>

namespace hanaper::x509 {

// The whole DER AlgorithmIdentifier; static storage. Parameters as RFC 5280 4.1.1.2's companions want them:
// NULL for RSA PKCS#1, absent for ECDSA and Ed25519, explicit for PSS.
ByteView algorithm_identifier(SignatureScheme scheme) noexcept;

// The scheme of a whole AlgorithmIdentifier. unsupported for anything else, SHA-1 and MD5 among it.
// RSA without parameters is accepted (RFC 4055 5).
Result<SignatureScheme> parse_signature_algorithm(ByteView algorithm_identifier);

// The scheme a key signs with unless told otherwise: P-384 with SHA-384, P-521 with SHA-512, the rest with
// SHA-256.
SignatureScheme default_scheme(KeySpec key) noexcept;

// Whether a key of that kind can make such signatures.
bool fits(KeySpec key, SignatureScheme scheme) noexcept;

// "ecdsa-sha256" to scheme; malformed lists what is known.
Result<SignatureScheme> parse_scheme(std::string_view text);

}  // namespace hanaper::x509
