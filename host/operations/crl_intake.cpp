#include "crl_intake.hpp"

#include "../issuance/signing.hpp"
#include "../services/audit.hpp"
#include "../services/gathered_writes.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::operations {
namespace {

// One of ten million entries.
constexpr std::size_t largest_crl_file = std::size_t{1} << 30;

Error not_taken(const CrlFile& file, const Error& why) { return {why.code, file.path + ": " + why.detail}; }

}  // namespace

Result<std::vector<CrlFile>> read_crls(const std::string& path) {
  HANAPER_TRY(const std::string text, files::read(path, largest_crl_file));
  std::vector<CrlFile> found;
  if (text.find("-----BEGIN ") == std::string::npos) {
    found.push_back({path, to_bytes(as_bytes(text))});
  } else {
    auto blocks = pem::decode(text);
    if (!blocks) return std::move(blocks).error().within(path);
    for (pem::Block& block : *blocks) {
      if (block.label != "X509 CRL")
        return malformed(path + ": holds a " + block.label + ", which is no CRL");
      found.push_back({path, std::move(block.der)});
    }
  }
  for (const CrlFile& file : found)
    if (const auto crl = validity::parse_crl(file.der); !crl)
      return not_taken(file, Error{crl.error().code, "is no CRL that could be read: " + crl.error().detail});
  return found;
}

Result<CrlIntake> CrlIntake::open(Node& node, const std::vector<CrlFile>& files, Time backup) {
  CrlIntake intake(node, backup);
  HANAPER_CHECK(intake.load_issuers());
  for (const CrlFile& file : files) HANAPER_CHECK(intake.add(file));
  return intake;
}

Status CrlIntake::load_issuers() {
  HANAPER_TRY(const std::vector<AuthorityRow> rows, node_.storage().ledger().authorities());
  for (const AuthorityRow& row : rows) {
    if (row.certificate.empty()) continue;
    HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(row.certificate));
    issuers_.push_back({row.id, row.name, to_bytes(view.subject), to_bytes(view.spki)});
  }
  return {};
}

Status CrlIntake::add(const CrlFile& file) {
  HANAPER_TRY(const validity::CrlView view, validity::parse_crl(file.der));
  const auto scheme = x509::parse_signature_algorithm(view.algorithm);
  if (!scheme) return not_taken(file, scheme.error());
  bool named = false;
  for (const Issuer& issuer : issuers_) {
    if (!equal(view.issuer, issuer.subject)) continue;
    named = true;
    if (!crypto::verify(*scheme, issuer.spki, view.tbs, view.signature)) continue;
    crls_.push_back({&file, &issuer, view});
    return {};
  }
  return forbidden(
      file.path +
      (named ? ": is not signed by the authority that it names; get it again from where it is published"
             : ": is a CRL of none of the authorities of the backup"));
}

std::uint64_t CrlIntake::newest_number(AuthorityId authority) const {
  std::uint64_t newest = 0;
  for (const Known& crl : crls_)
    if (crl.signer->id == authority) newest = std::max(newest, crl.view.number);
  return newest;
}

Result<json::Array> CrlIntake::take(const Caller& caller) {
  json::Array told;
  for (const Known& crl : crls_) {
    auto tally = take(crl, caller.requester());
    if (!tally) return not_taken(*crl.file, tally.error());
    told.emplace_back(json::Object{{"file", crl.file->path},
                                   {"authority", crl.signer->name},
                                   {"number", static_cast<std::int64_t>(crl.view.number)},
                                   {"kind", crl.view.delta ? "delta" : "complete"},
                                   {"this_update", time_text(crl.view.this_update)},
                                   {"newer", crl.view.this_update >= backup_},
                                   {"entries", tally->entries},
                                   {"taken", tally->taken},
                                   {"unknown", tally->unknown}});
  }
  return told;
}

Result<CrlIntake::Tally> CrlIntake::take(const Known& crl, const std::string& requester) {
  Tally tally;
  services::GatheredWrites writes(node_.writer(), std::chrono::steady_clock::now() + std::chrono::hours{1});
  HANAPER_CHECK(validity::each_entry(crl.view, [&](const validity::CrlEntry& entry) -> Status {
    ++tally.entries;
    HANAPER_TRY(const std::optional<CertificateRow> row, find(crl, entry));
    if (!row) ++tally.unknown;
    if (!row || !adds_to(*row, entry, crl)) return {};
    ++tally.taken;
    HANAPER_TRY(Write write, write_of(*row, entry, crl, requester));
    // What was never signed to the ledger's knowledge was never counted.
    const bool counted = !row->revoked && !row->signature.empty();
    return writes.add(
        std::move(write),
        counted ? std::optional(ExpiryChange{issuance::expiry_day(row->not_after), -1}) : std::nullopt);
  }));
  HANAPER_CHECK(writes.commit());
  return tally;
}

Result<std::optional<CertificateRow>> CrlIntake::find(const Known& crl,
                                                      const validity::CrlEntry& entry) const {
  const bool own = equal(entry.issuer, crl.view.issuer);
  for (const Issuer& issuer : issuers_) {
    if (own ? &issuer != crl.signer : !equal(entry.issuer, issuer.subject)) continue;
    auto row = node_.storage().ledger().certificate(issuer.id, entry.serial);
    if (row) return std::optional(*std::move(row));
    if (row.error().code != Code::not_found) return std::move(row).error();
  }
  return std::optional<CertificateRow>{};
}

// Whether the ledger has it as better than the CRL does. Nothing is released here: a hold that has ended
// since costs a command, a certificate that is good by mistake costs more.
bool CrlIntake::adds_to(const CertificateRow& row, const validity::CrlEntry& entry, const Known& crl) const {
  if (entry.reason == RevocationReason::remove_from_crl) return false;
  if (row.released) return crl.view.this_update > backup_;
  if (row.revoked == RevocationReason::certificate_hold)
    return entry.reason != RevocationReason::certificate_hold;
  return !row.revoked;
}

Result<Write> CrlIntake::write_of(const CertificateRow& row, const validity::CrlEntry& entry,
                                  const Known& crl, const std::string& requester) const {
  Write write;
  Revocation& revocation = write.revocation.emplace();
  revocation.authority = row.authority;
  revocation.serial = row.serial;
  revocation.shard = row.shard;
  revocation.reason = entry.reason;
  revocation.replaces = row.released ? RevocationReason::remove_from_crl : row.revoked;
  revocation.at = entry.at;
  revocation.invalidity = entry.invalidity;
  revocation.not_after = row.not_after;
  // Whether the compromise was proven is not on the CRL; a key that is blocked by mistake costs less.
  if (entry.reason == RevocationReason::key_compromise) {
    HANAPER_TRY(const x509::TbsView tbs, x509::parse_tbs(row.tbs));
    revocation.block_key = crypto::sha256(tbs.spki);
  }
  const auto issuer = std::ranges::find(issuers_, row.authority, &Issuer::id);
  write.audit =
      services::audit_line(node_.shared().clock.now(), "revoked",
                           {{"authority", issuer->name},
                            {"serial", row.serial.hex()},
                            {"reason", std::string(to_string(entry.reason))},
                            {"invalidity", entry.invalidity ? time_text(*entry.invalidity) : std::string()},
                            {"since", time_text(entry.at)},
                            {"crl", crl.signer->name + " " + std::to_string(crl.view.number)},
                            {"requester", requester}});
  return write;
}

}  // namespace hanaper::operations
