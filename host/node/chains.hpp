// Chains of certificates, and those of authorities elsewhere that stand above ours.
#pragma once

#include <hanaper/result.hpp>
#include <hanaper/storage.hpp>
#include <hanaper/toolkit/certificate.hpp>

namespace hanaper {

// DER, one after the other, as the ledger has them.
Bytes joined(const std::vector<Bytes>& chain);

// The certificates of a PEM text, at least one.
Result<std::vector<Bytes>> certificates_of(const std::string& pem);

// Whether it is that key's signature. RSA with SHA-1 counts: for what was signed long ago, where an operator
// vouches for the rest.
bool was_signed_by(ByteView spki, ByteView algorithm, ByteView tbs, ByteView signature);

// By name and key: a root and the one that takes over from it may have one name.
bool is_signed_by(const x509::CertificateView& certificate, const x509::CertificateView& issuer);

bool is_self_signed(ByteView certificate);

// Whether it may sign certificates; rejected says why not. `what` begins the text: "the certificate".
Status check_is_authority(const x509::CertificateView& view, Time now, const std::string& what);

// Certificates of issuers elsewhere, kept as documents: self-signed ones, which no chain in the ledger has,
// and those that were missing above an authority when its certificate came. [main] only, but for what is
// const.
class OutsideIssuers {
 public:
  Status load(Records& records);

  bool knows(const Bytes& certificate) const;
  // The one of them that has signed that; of several the one that lives longest. Null: none has.
  const Bytes* issuer_of(const x509::CertificateView& certificate) const;
  // A chain goes on as far as they lead, a self-signed certificate left out.
  void complete(ByteView certificate, std::vector<Bytes>& chain) const;

  // What makes them known with the next commit; `add` when that has been. One that is known is left out.
  std::vector<RecordWrite> writes(const std::vector<Bytes>& certificates) const;
  void add(const std::vector<Bytes>& certificates);

 private:
  std::vector<Bytes> all_;
};

}  // namespace hanaper
