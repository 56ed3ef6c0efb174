// Making a CRL: one scan of the revocations, one signature, and as little memory for ten million entries as
// for ten.
#pragma once

#include <hanaper/validity.hpp>

#include <functional>

namespace hanaper::crl {

// Whose certificates a CRL is for (RFC 5280 5.2.5).
enum class Scope : std::uint8_t { any, users, authorities };

struct Order {
  StatusAuthority& issuer;           // who signs it
  std::vector<StatusAuthority*> of;  // whose certificates are on it; others than the issuer: indirect
  std::uint32_t shard = 0;
  std::uint64_t number = 0;  // that was claimed before this order was drawn up
  Scope scope = Scope::any;
  std::uint64_t base = 0;  // of a delta: the number of the CRL it adds to
  Time changed_from{};     // of a delta: what has not changed since then is left out
  Time this_update{};
  Time next_update{};
  // Certificates that expired before are left out; none: everything is kept, and the CRL says since when.
  std::optional<Time> expired_before = {};
  std::vector<std::string> distribution_points =
      {};                       // the URLs that certificates give, byte for byte; empty: no IDP
  std::string freshest = {};    // where the deltas are; empty: there are none
  std::string issuer_url = {};  // where the issuer's certificate is; empty: nowhere
};

// [worker] Calls `take` with each revocation that belongs on the CRLs of that shard, until it says false or
// fails.
Status each_revocation(StatusAuthority& authority, std::uint32_t shard,
                       const std::function<Result<bool>(const RevocationRow&)>& take);

// [worker] Leaves the signed CRL in `path`, replacing what is there at once or not at all. conflict when
// another node makes this CRL, or has made one meanwhile; unavailable when ledger, key or disk is.
Result<CrlRow> generate(const Order& order, const std::string& path, Call& call);

}  // namespace hanaper::crl
