// Revocation, hold and release, the same for every protocol and command.
#pragma once

#include "../services/writer.hpp"
#include "blocked_keys.hpp"

#include <functional>

namespace hanaper::issuance {

struct RevocationOrder {
  RevocationReason reason = RevocationReason::unspecified;  // remove_from_crl: release from hold
  std::optional<Time> invalidity;                           // when it is known or feared to have gone wrong
  std::string requester;
  // Of a compromise: whether an operator says so, or somebody who has the key. Nobody else can have a key
  // blocked.
  bool key_proven = true;
};

// Everything that revoking takes; all outlive it. Thread-safe.
struct Revoker {
  services::Writer& writer;
  BlockedKeys& blocked;
  const Clock& clock;
  // Told of every change that is durable, before whoever asked for it.
  std::function<void(const RevocationRow&)> changed = {};

  // A change prepared from what the ledger says, to be committed. conflict when it does not follow from
  // there: revoked already, expired, not on hold; not_found when the certificate was never signed.
  struct Change {
    Write write;
    std::optional<ExpiryChange> expiry;
  };
  Result<Change> prepare(const std::string& authority, const CertificateRow& row,
                         const RevocationOrder& order, const Call& call) const;

  // [any] What is to be done once `change` is durable.
  void done(const Change& change) const;

  // [worker] All of it.
  Status revoke(const std::string& authority, const CertificateRow& row, const RevocationOrder& order,
                const Call& call) const;
};

}  // namespace hanaper::issuance
