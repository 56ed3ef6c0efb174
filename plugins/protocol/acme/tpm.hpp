// What a TPM says about a key of its own (Trusted Platform Module Library, part 2: Structures).
#pragma once

#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::acme::tpm {

// A TPMT_PUBLIC (12.2.4): RSA and EC keys that never leave their TPM.
struct Public {
  crypto::Hash name_hash{};
  std::uint16_t name_algorithm = 0;
  std::uint32_t attributes = 0;
  Bytes spki;  // DER SubjectPublicKeyInfo
};
// malformed, also for keys and hashes that this SDK does not know.
Result<Public> parse_public(ByteView area);

// Whether the key was made within the TPM and is bound to it (8.3: fixedTPM, fixedParent,
// sensitiveDataOrigin).
bool stays_inside(const Public& key) noexcept;

// The Name of an object (part 1, 16): its hash, behind the number of the hash.
Bytes name_of(const Public& key, ByteView area);

// A TPMS_ATTEST (10.12.12) that TPM2_Certify has made.
struct Certified {
  ByteView extra_data;
  ByteView name;  // of the object
};
Result<Certified> parse_certified(ByteView info);

// A TPMT_SIGNATURE (11.3.4) by the algorithm of that COSE number, in the form of X.509. malformed when it is
// another's, unsupported for other numbers, SHA-1 among them.
struct Signature {
  SignatureScheme scheme{};
  Bytes octets;
};
Result<Signature> parse_signature(ByteView signature, std::int64_t cose_algorithm);

}  // namespace hanaper::acme::tpm
