#include "revocation.hpp"

#include "../services/audit.hpp"
#include "signing.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::issuance {
namespace {

using Reason = RevocationReason;

Status may_follow(const CertificateRow& row, Reason reason, Time now) {
  if (!row.issued_at)
    return not_found("serial number " + row.serial.hex() + " was reserved but never signed");
  if (row.not_after < now) return conflict("the certificate has expired");
  const bool held = row.revoked == Reason::certificate_hold;
  if (reason == Reason::remove_from_crl) return held ? Status{} : conflict("the certificate is not on hold");
  if (held && reason == Reason::certificate_hold) return conflict("the certificate is on hold already");
  // A compromise may come to light later; it blocks the key, and counts for everything signed since.
  const bool worse = reason == Reason::key_compromise && row.revoked != Reason::key_compromise;
  if (row.revoked && !held && !worse)
    return conflict("the certificate is revoked already, " + std::string(to_string(*row.revoked)));
  return {};
}

// A certificate that is revoked a second time is invalid since the first: nobody begins to trust it again.
std::optional<Time> invalid_since(const CertificateRow& row) {
  const bool over = row.revoked && !row.released && row.revoked != Reason::certificate_hold;
  if (!over) return {};
  return row.invalidity ? row.invalidity : row.revoked_at;
}

// What is stored now, which the change replaces.
std::optional<Reason> stored(const CertificateRow& row) {
  if (row.released) return Reason::remove_from_crl;
  return row.revoked;
}

}  // namespace

Result<Revoker::Change> Revoker::prepare(const std::string& authority, const CertificateRow& row,
                                         const RevocationOrder& order, const Call& call) const {
  const Time now = clock.now();
  HANAPER_CHECK(may_follow(row, order.reason, now));
  const bool release = order.reason == Reason::remove_from_crl;
  Change change;
  change.write.revocation = Revocation{.authority = row.authority,
                                       .serial = row.serial,
                                       .shard = row.shard,
                                       .reason = order.reason,
                                       .replaces = stored(row),
                                       .at = now,
                                       .invalidity = order.invalidity ? order.invalidity : invalid_since(row),
                                       .not_after = row.not_after,
                                       .block_key = {}};
  // Of a certificate that is known by its serial number alone nobody knows the key.
  if (order.reason == Reason::key_compromise && order.key_proven && !row.tbs.empty()) {
    HANAPER_TRY(const x509::TbsView tbs, x509::parse_tbs(row.tbs));
    change.write.revocation->block_key = crypto::sha256(tbs.spki);
  }
  change.write.audit =
      services::audit_line(now, release ? "released" : "revoked",
                           {{"authority", authority},
                            {"serial", row.serial.hex()},
                            {"reason", release ? "" : std::string(to_string(order.reason))},
                            {"invalidity", order.invalidity ? time_text(*order.invalidity) : std::string()},
                            {"requester", order.requester},
                            {"call", call.id}});
  if (release || !row.revoked) change.expiry = ExpiryChange{expiry_day(row.not_after), release ? 1 : -1};
  return change;
}

void Revoker::done(const Change& change) const {
  const Revocation& made = *change.write.revocation;
  if (made.block_key) blocked.add(*made.block_key);
  if (changed)
    changed({made.authority, made.serial, made.shard, made.reason, made.at, made.invalidity, made.not_after});
}

Status Revoker::revoke(const std::string& authority, const CertificateRow& row, const RevocationOrder& order,
                       const Call& call) const {
  HANAPER_TRY(Change change, prepare(authority, row, order, call));
  HANAPER_CHECK(writer.commit(change.write, call.deadline, change.expiry));
  done(change);
  return {};
}

}  // namespace hanaper::issuance
