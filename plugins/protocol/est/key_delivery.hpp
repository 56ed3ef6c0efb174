// How a private key that was made here reaches its owner: below TLS alone, or encrypted to its key (RFC 7030
// 4.4.2).
#pragma once

#include "body.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/soft_key.hpp>
#include <hanaper/trust.hpp>

#include <map>

namespace hanaper::est {

// What keys can be encrypted with, by the identifier that requests name. Immutable.
struct TransportKeys {
  std::map<Bytes, Secret> secrets;    // AES keys of 16, 24 or 32 octets
  std::map<Bytes, Bytes> recipients;  // DER certificates, by their subjectKeyIdentifier

  // `secrets`: lines of "identifier:key", both hexadecimal; `recipients`: PEM certificates. Either may be
  // empty. malformed names file and line.
  static Result<TransportKeys> load(const std::string& secrets, const std::string& recipients);
};

// Decided before the key is made, from the attributes of the request. Views into both arguments.
class Delivery {
 public:
  // not_found when the request names a key that is not here; malformed.
  static Result<Delivery> plan(const x509::CsrView& csr, const TransportKeys& keys, const TlsPeer* tls);

  // [worker] The part with the private key.
  Result<Part> wrap(const crypto::SoftKey& key, Trust& trust, bool lines, Call& call) const;

 private:
  const Secret* secret_ = nullptr;
  Bytes identifier_;
  ByteView recipient_;  // DER certificate
};

}  // namespace hanaper::est
