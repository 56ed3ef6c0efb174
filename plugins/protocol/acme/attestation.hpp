// Attestations of devices for device-attest-01 (draft-ietf-acme-device-attest 5): WebAuthn's attestation
// objects of the formats "apple" and "tpm".
#pragma once

#include <hanaper/toolkit/trust_anchors.hpp>

#include <hanaper/toolkit/identifiers.hpp>

namespace hanaper::acme {

// What is attested, and against what.
struct Attestation {
  ByteView object;  // CBOR
  Identifier identifier;
  std::string_view token;
  std::string_view key_authorization;
};

// Which key was attested to belong to the device.
struct AttestedKey {
  std::string format;
  Bytes spki;  // DER SubjectPublicKeyInfo
};

// malformed says which check failed, in the words of the format.
Result<AttestedKey> judge_attestation(const Attestation& attestation, const x509::TrustAnchors& trust,
                                      Time now);

}  // namespace hanaper::acme
