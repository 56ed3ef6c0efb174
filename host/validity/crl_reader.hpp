// Reading CRLs (RFC 5280 5.1) that authorities of ours have published: what they say outlives the ledger that
// they were made from.
#pragma once

#include <hanaper/storage.hpp>

#include <functional>

namespace hanaper::validity {

// A CRL, as views into the octets that were read.
struct CrlView {
  ByteView tbs;        // what the signature covers
  ByteView algorithm;  // whole AlgorithmIdentifier
  ByteView signature;
  ByteView issuer;  // whole Name
  Time this_update;
  std::uint64_t number = 0;  // 0: it has none
  bool delta = false;
  ByteView entries;  // content of revokedCertificates; empty: there are none
};

// Strict, for CRLs that somebody relies on. malformed when it is none; unsupported when it has a critical
// extension that is not known here, or a number beyond 2^62. The signature is not looked at.
Result<CrlView> parse_crl(ByteView der);

struct CrlEntry {
  ByteView issuer;  // whole Name of whose certificate it is
  Serial serial;
  Time at;
  RevocationReason reason = RevocationReason::unspecified;
  std::optional<Time> invalidity;
};

// Calls `take` with every entry in turn, until one call fails. malformed and unsupported as above for the
// first entry that cannot be read; with `unread`, that is told which it is, from 1, and why, and the others
// go on.
Status each_entry(const CrlView& crl, const std::function<Status(const CrlEntry&)>& take,
                  const std::function<void(std::size_t, const Error&)>& unread = {});

}  // namespace hanaper::validity
