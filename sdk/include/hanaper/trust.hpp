// Trust: what clients of a pipeline need to know of the authority behind it, and what it says to them.
#pragma once

#include <hanaper/protocol.hpp>
#include <hanaper/registrar.hpp>
#include <hanaper/storage.hpp>

#include <memory>

namespace hanaper {

// Certificates with which clients follow from one authority to the one that takes over from it, DER.
struct RollOver {
  // The certificate of the authority that takes over, then those above it; the self-signed root is the last.
  // Empty when none takes over.
  std::vector<Bytes> next;
  // What clients may be given besides Trust::path(): `next`, the certificates of authorities that this one
  // has taken over from, and those that the roots among them have issued for each other (RFC 4210 4.4:
  // OldWithOld, OldWithNew, NewWithOld, NewWithNew).
  std::vector<Bytes> others;
};

// The authority that a pipeline issues by: its certificates, its successor, its CRLs, and the registrar that
// speaks for it. A reload may change all of it. Thread-safe; the host owns it and keeps it until it ends.
class Trust {
 public:
  // [any] The authority that issues now. Certificates that were issued before a roll-over name another.
  virtual AuthorityId authority() const = 0;

  // [any] The chain above certificates of that authority: this pipeline's, or one that it has taken over
  // from. DER, issuer first, self-signed root left out. Empty for any other.
  virtual std::vector<Bytes> chain(AuthorityId authority) const = 0;

  // [any] The chain of the authority that issues now. DER; the self-signed root is the last where this host
  // has it.
  virtual std::vector<Bytes> path() const = 0;

  // [any] What clients are to know of the authorities before and after this one.
  virtual RollOver roll_over() const = 0;

  // [worker] RollOver::next in a message that the authority of now signs: SignedData around SignedData
  // (RFC 8894 4.7.1), DER. not_found when none takes over; unavailable.
  virtual Result<Bytes> next_message() = 0;

  // [worker] Who speaks for the authority; the host makes and renews its certificate. Whoever asks owns it
  // together with the host, and asks again for each piece of work. unsupported when the authority's table
  // names no key for it; unavailable.
  virtual Result<std::shared_ptr<Registrar>> registrar(Call& call) = 0;

  // [worker] The complete CRL that would list that certificate, as it is published now: DER. not_found when
  // there is no such certificate, or no CRL for it; unsupported when the CRL has more than `limit` octets;
  // unavailable.
  virtual Result<Bytes> crl(const CertificateId& id, ByteCount limit) = 0;

 protected:
  ~Trust() = default;
};

}  // namespace hanaper
