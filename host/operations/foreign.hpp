// Certificates and revocations that were made elsewhere: what the ledger is told of them.
#pragma once

#include "../validity/index_reader.hpp"

#include <hanaper/toolkit/certificate.hpp>

namespace hanaper::operations {

// Of what was issued elsewhere nobody knows the profile.
inline constexpr std::string_view foreign_profile = "imported";

// Whose it is, and who takes it in. Outlives the writes that are made with it.
struct Intake {
  AuthorityId authority = 0;
  std::string name;  // of the authority
  std::string requester;
  Time now;
  std::string crl = {};  // "issuing 17": which says so; empty: none
};

// A certificate as the ledger has it, or will have it once that is written. Outlives its write.
struct Known {
  enum class State : std::uint8_t { kept, fresh, completed };  // completed: had only its serial number
  CertificateRow row;
  State state = State::kept;

  bool is_fresh() const noexcept { return state == State::fresh; }
};

// New: by its octets, or by its serial number alone.
Known new_certificate(const Intake& intake, const x509::CertificateView& view, std::uint32_t shard);
// The same of one that was known by its serial number alone. Whose key was compromised is revoked for it once
// more: now the key is known.
Known completed(const CertificateRow& row, const x509::CertificateView& view);
// The CRL that it is on is not known: it is on every one.
Known new_number(const Intake& intake, const Serial& serial, Time not_before, Time not_after);

// Whether the ledger has it as better than somebody says. Nothing is released: a hold that has ended since
// costs a command, a certificate that is good by mistake costs more.
bool adds_to(const CertificateRow& row, const validity::IndexEntry& said);

// What is new of it, and that it is revoked where something is said; with the audit's lines.
Result<Write> write_of(const Intake& intake, const Known& known, const validity::IndexEntry* revoked);
// What that changes in the counts of what is valid.
std::optional<ExpiryChange> expiry_change(const Known& known, bool revoked);

// That a CRL's number is spent, on one that is over when it begins: whoever serves CRLs knows that those
// before it are outdated.
Write spent_number(AuthorityId authority, std::uint32_t shard, std::uint64_t number, Time at);

// "0a1b,2027-01-31T12:00:00Z,2026-11-30T09:00:00Z,keyCompromise,2026-11-01T00:00:00Z": serial number,
// notAfter, when it was revoked, why, since when not to trust it. What is not known is empty, and what is
// empty at the end may be left out.
std::string entry_text(const validity::IndexEntry& entry);
Result<validity::IndexEntry> parse_entry(std::string_view text);

}  // namespace hanaper::operations
