#include "foreign.hpp"

#include "../issuance/signing.hpp"
#include "../services/audit.hpp"
#include "../validity/reasons.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>
#include <hanaper/validity.hpp>

#include <algorithm>
#include <array>

namespace hanaper::operations {
namespace {

using Reason = RevocationReason;
using validity::IndexEntry;

// What a reservation and its signature do for a certificate of ours, at once.
void write_new(const Intake& intake, const Known& known, Write& write) {
  const CertificateRow& row = known.row;
  write.reservation = Reservation{.authority = row.authority,
                                  .serial = row.serial,
                                  .profile = known.is_fresh() ? std::string_view(row.profile) : "",
                                  .requester = row.requester,
                                  .not_before = row.not_before,
                                  .not_after = row.not_after,
                                  .shard = row.shard,
                                  .tbs = row.tbs};
  write.recording = Recording{row.authority, row.serial, row.signature, intake.now};
  const std::string digest =
      row.tbs.empty() ? "" : to_hex(crypto::sha256(x509::assemble_certificate(row.tbs, row.signature)));
  write.audit += services::audit_line(intake.now, "imported",
                                      {{"authority", intake.name},
                                       {"serial", row.serial.hex()},
                                       {"certificate", digest},
                                       {"crl", intake.crl},
                                       {"requester", intake.requester}});
}

Status write_revocation(const Intake& intake, const CertificateRow& row, const IndexEntry& said,
                        Write& write) {
  Revocation& revocation = write.revocation.emplace();
  revocation.authority = row.authority;
  revocation.serial = row.serial;
  revocation.shard = row.shard;
  revocation.reason = said.reason;
  revocation.replaces = row.released ? Reason::remove_from_crl : row.revoked;
  revocation.at = *said.revoked_at;
  revocation.invalidity = said.invalidity;
  revocation.not_after = row.not_after;
  // Whether the compromise was proven nobody says; a key that is blocked by mistake costs less.
  if (said.reason == Reason::key_compromise && !row.tbs.empty()) {
    HANAPER_TRY(const x509::TbsView tbs, x509::parse_tbs(row.tbs));
    revocation.block_key = crypto::sha256(tbs.spki);
  }
  write.audit +=
      services::audit_line(intake.now, "revoked",
                           {{"authority", intake.name},
                            {"serial", row.serial.hex()},
                            {"reason", std::string(to_string(said.reason))},
                            {"invalidity", said.invalidity ? time_text(*said.invalidity) : std::string()},
                            {"since", time_text(*said.revoked_at)},
                            {"crl", intake.crl},
                            {"requester", intake.requester}});
  return {};
}

Result<Reason> parse_reason(std::string_view text) {
  if (const auto reason = validity::reason_named(text)) return *reason;
  return malformed("\"" + std::string(text.substr(0, 40)) + "\" is no reason of RFC 5280");
}

Result<std::optional<Time>> parse_maybe(std::string_view text) {
  if (text.empty()) return std::optional<Time>();
  HANAPER_TRY(const Time time, parse_time_text(text));
  return std::optional(time);
}

// Nobody has revoked before 1970, whatever a date says; texts of times begin there.
std::string text_of(const std::optional<Time>& time) {
  return time ? time_text(std::max(*time, Time{})) : std::string();
}

}  // namespace

Known new_certificate(const Intake& intake, const x509::CertificateView& view, std::uint32_t shard) {
  Known known{.row = {}, .state = Known::State::fresh};
  known.row.authority = intake.authority;
  known.row.serial = view.serial;
  known.row.profile = foreign_profile;
  known.row.requester = intake.requester;
  known.row.not_before = view.not_before;
  known.row.not_after = view.not_after;
  known.row.shard = shard;
  known.row.tbs = to_bytes(view.whole);
  known.row.signature = to_bytes(view.signature);
  known.row.issued_at = intake.now;
  return known;
}

Known completed(const CertificateRow& row, const x509::CertificateView& view) {
  Known known{.row = row, .state = Known::State::completed};
  known.row.not_before = view.not_before;
  known.row.not_after = view.not_after;
  known.row.tbs = to_bytes(view.whole);
  known.row.signature = to_bytes(view.signature);
  return known;
}

Known new_number(const Intake& intake, const Serial& serial, Time not_before, Time not_after) {
  Known known{.row = {}, .state = Known::State::fresh};
  known.row.authority = intake.authority;
  known.row.serial = serial;
  known.row.profile = foreign_profile;
  known.row.requester = intake.requester;
  known.row.shard = every_shard;
  known.row.not_before = std::min(not_before, not_after);
  known.row.not_after = not_after;
  known.row.issued_at = intake.now;
  return known;
}

bool adds_to(const CertificateRow& row, const IndexEntry& said) {
  if (!said.revoked_at || said.reason == Reason::remove_from_crl) return false;
  if (row.released) return said.reason != Reason::certificate_hold;
  if (!row.revoked) return true;
  if (row.revoked == Reason::certificate_hold) return said.reason != Reason::certificate_hold;
  return said.reason == Reason::key_compromise && row.revoked != Reason::key_compromise;
}

Result<Write> write_of(const Intake& intake, const Known& known, const IndexEntry* revoked) {
  Write write;
  if (known.state != Known::State::kept) write_new(intake, known, write);
  if (revoked != nullptr) HANAPER_CHECK(write_revocation(intake, known.row, *revoked, write));
  return write;
}

// What was never signed to the ledger's knowledge was never counted.
std::optional<ExpiryChange> expiry_change(const Known& known, bool revoked) {
  const std::int64_t day = issuance::expiry_day(known.row.not_after);
  if (known.is_fresh()) return revoked ? std::nullopt : std::optional(ExpiryChange{day, 1});
  const bool counted = !known.row.revoked && known.row.issued_at;
  return revoked && counted ? std::optional(ExpiryChange{day, -1}) : std::nullopt;
}

Write spent_number(AuthorityId authority, std::uint32_t shard, std::uint64_t number, Time at) {
  Write write;
  CrlRow& row = write.crl.emplace();
  row.authority = authority;
  row.shard = shard;
  row.number = number;
  row.this_update = row.next_update = at;
  return write;
}

std::string entry_text(const IndexEntry& entry) {
  std::string text = entry.serial.hex() + "," + text_of(entry.not_after);
  if (!entry.revoked_at) return text;
  return text + "," + text_of(entry.revoked_at) + "," + std::string(to_string(entry.reason)) + "," +
         text_of(entry.invalidity);
}

Result<IndexEntry> parse_entry(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t comma = std::min(text.find(','), text.size());
    parts[i] = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (!text.empty()) return malformed("has more than five parts");
  IndexEntry entry;
  HANAPER_TRY(entry.serial, Serial::from_text(parts[0]));
  HANAPER_TRY(entry.not_after, parse_maybe(parts[1]));
  HANAPER_TRY(entry.revoked_at, parse_maybe(parts[2]));
  HANAPER_TRY(entry.invalidity, parse_maybe(parts[4]));
  if (!parts[3].empty()) {
    HANAPER_TRY(entry.reason, parse_reason(parts[3]));
  }
  if (!entry.revoked_at && (!parts[3].empty() || entry.invalidity))
    return malformed("says why it was revoked, and not when");
  return entry;
}

}  // namespace hanaper::operations
