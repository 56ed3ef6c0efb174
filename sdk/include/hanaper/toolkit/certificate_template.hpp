// A certificate as a form: what a profile fixes is encoded once, what differs is filled in.
//
// Rendering writes one TBSCertificate back to front into a buffer the caller keeps: no OpenSSL object, no
// decoding of keys. Immutable after construction, so any number of threads may render at once.
#pragma once

#include <hanaper/stages.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::x509 {

struct Extension {
  Bytes oid;
  bool critical = false;
  Bytes value;
};

class CertificateTemplate {
 public:
  // What stays the same from certificate to certificate.
  struct Fixed {
    SignatureScheme scheme = SignatureScheme::ecdsa_sha256;
    Bytes issuer;                       // DER Name
    Bytes authority_key_identifier;     // octets; empty: no extension (a self-signed root)
    std::vector<Extension> extensions;  // in the order in which they are to appear
  };

  // What differs. Views must outlive the call.
  struct Filled {
    Serial serial;
    Time not_before;
    Time not_after;
    ByteView subject;                       // DER Name
    ByteView spki;                          // DER
    ByteView key_identifier;                // octets
    std::uint16_t key_usage = 0;            // KeyUsage bits; 0: no extension
    std::span<const Identifier> names;      // none: no extension
    std::span<const Extension> extensions;  // taken from the request
  };

  explicit CertificateTemplate(const Fixed& fixed);

  // Leaves the TBSCertificate in `writer`, which is cleared first; its view stays valid until the writer's
  // next use. subjectAltName is critical when the subject is empty (RFC 5280 4.1.2.6).
  void render(const Filled& filled, der::Writer& writer) const;

  SignatureScheme scheme() const noexcept { return scheme_; }

 private:
  SignatureScheme scheme_;
  Bytes algorithm_and_issuer_;  // as they stand between serial number and validity
  Bytes extensions_;            // encoded Extension values, one after the other
};

}  // namespace hanaper::x509
