#include "crl_intake.hpp"

#include "../node/chains.hpp"
#include "../services/gathered_writes.hpp"
#include "foreign.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::operations {
namespace {

using validity::IndexEntry;

// One of ten million entries.
constexpr std::size_t largest_crl_file = std::size_t{1} << 30;
constexpr std::size_t kept_at_once = 1024;

Error not_taken(const CrlFile& file, const Error& why) { return {why.code, file.path + ": " + why.detail}; }

}  // namespace

Result<std::vector<CrlFile>> read_crls(const std::string& path) {
  HANAPER_TRY(const std::string text, files::read_stream(path, largest_crl_file));
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
    issuers_.push_back(
        {row.id, row.name, to_bytes(view.subject), to_bytes(view.spki), view.not_before, view.not_after});
  }
  return {};
}

Status CrlIntake::add(const CrlFile& file) {
  HANAPER_TRY(const validity::CrlView view, validity::parse_crl(file.der));
  bool named = false;
  for (const Issuer& issuer : issuers_) {
    if (!equal(view.issuer, issuer.subject)) continue;
    named = true;
    if (!was_signed_by(issuer.spki, view.algorithm, view.tbs, view.signature)) continue;
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
  for (const Signed& crl : crls_)
    if (crl.signer->id == authority) newest = std::max(newest, crl.view.number);
  return newest;
}

Result<json::Array> CrlIntake::take(const Caller& caller) {
  json::Array told;
  for (const Signed& crl : crls_) {
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

Result<CrlIntake::Tally> CrlIntake::take(const Signed& crl, const std::string& requester) {
  Tally tally;
  std::list<std::pair<Intake, Known>> kept;  // until they are written
  services::GatheredWrites writes(node_.writer(), std::chrono::steady_clock::now() + std::chrono::hours{1});
  HANAPER_CHECK(validity::each_entry(crl.view, [&](const validity::CrlEntry& entry) -> Status {
    ++tally.entries;
    HANAPER_TRY(Found found, find(crl, entry));
    if (found.issuer == nullptr) return {};
    const Issuer& issuer = *found.issuer;
    Intake taking{.authority = issuer.id,
                  .name = issuer.name,
                  .requester = requester,
                  .now = node_.shared().clock.now(),
                  .crl = crl.signer->name + " " + std::to_string(crl.view.number)};
    Known known = found.row ? Known{*std::move(found.row)}
                            : new_number(taking, entry.serial, issuer.not_before, issuer.not_after);
    if (known.is_fresh()) ++tally.unknown;
    const IndexEntry said{entry.serial, {}, entry.at, entry.reason, entry.invalidity};
    if (!is_news(known.row, said, crl)) return {};
    ++tally.taken;
    if (kept.size() == kept_at_once) {
      if (Status written = writes.commit(); !written) return written;
      kept.clear();
    }
    const auto& [intake, row] = kept.emplace_back(std::move(taking), std::move(known));
    HANAPER_TRY(Write write, write_of(intake, row, &said));
    return writes.add(std::move(write), expiry_change(row, true));
  }));
  HANAPER_CHECK(writes.commit());
  return tally;
}

// One that the ledger does not know is taken by its serial number alone, where its issuer is certain.
Result<CrlIntake::Found> CrlIntake::find(const Signed& crl, const validity::CrlEntry& entry) const {
  const bool own = equal(entry.issuer, crl.view.issuer);
  std::vector<const Issuer*> issuers;
  for (const Issuer& issuer : issuers_) {
    if (own ? &issuer != crl.signer : !equal(entry.issuer, issuer.subject)) continue;
    auto row = node_.storage().ledger().certificate(issuer.id, entry.serial);
    if (row) return Found{&issuer, *std::move(row)};
    if (row.error().code != Code::not_found) return std::move(row).error();
    issuers.push_back(&issuer);
  }
  if (issuers.size() != 1 || entry.reason == RevocationReason::remove_from_crl) return Found{};
  return Found{issuers.front()};
}

bool CrlIntake::is_news(const CertificateRow& row, const IndexEntry& said, const Signed& crl) const {
  if (!row.released || said.reason == RevocationReason::remove_from_crl) return adds_to(row, said);
  return crl.view.this_update > backup_;
}

}  // namespace hanaper::operations
