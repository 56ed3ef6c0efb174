// What an authority has issued and revoked before, or without the ledger's knowledge, taken into it.
#include "../node/chains.hpp"
#include "../services/gathered_writes.hpp"
#include "foreign.hpp"
#include "table.hpp"

#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::operations {
namespace {

using validity::IndexEntry;

// While revocations are taken in there is a document: whoever finds it later makes CRLs anew, which may have
// been made in between.
constexpr std::string_view unfinished = "host.import";

// A number of a CRL that somebody else may spend at the same time.
constexpr int number_attempts = 8;

// Where a certificate says that its CRLs are; none when it does not, or nobody can read it.
std::vector<std::string> crl_addresses_in(const x509::CertificateView& view) {
  const auto* extension = view.find(oid::crl_distribution_points);
  if (extension == nullptr) return {};
  return x509::parse_crl_distribution_points(extension->value).value_or(std::vector<std::string>{});
}

bool share_one(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  return std::ranges::find_first_of(some, others) != some.end();
}

class Import {
 public:
  Import(Node& node, std::shared_ptr<issuance::Authority> authority, const Caller& caller, bool dry_run,
         Deadline deadline)
      : node_(node),
        ledger_(node.storage().ledger()),
        authority_(std::move(authority)),
        intake_{.authority = authority_->id(),
                .name = authority_->config().name,
                .requester = caller.requester(),
                .now = node.shared().clock.now()},
        plan_(node.status_plans().at(intake_.name)),
        dry_run_(dry_run),
        deadline_(deadline) {}

  // What becomes of each, in the order in which they were given.
  Status take_certificates(ByteView certificates);
  Status take_entries(const std::vector<std::string>& entries);
  // Writes all of it, and has the next CRL go above `published`.
  Status finish(std::uint64_t published);

  json::Array certificates, entries;
  std::uint64_t next_crl = 0;  // 0: nothing is known of CRLs

 private:
  struct Taken {
    Known known;
    std::optional<IndexEntry> revoked = {};
  };

  Result<std::string> judge(ByteView der);
  Result<std::string> judge(const x509::CertificateView& view);
  Result<std::string> judge(const IndexEntry& entry);
  std::string compare(const CertificateRow& row, const x509::CertificateView& view);
  Taken* find(const Serial& serial);
  std::uint32_t note_addresses(const x509::CertificateView& view);
  Status remember_addresses();
  std::string signed_elsewhere(const x509::CertificateView& view) const;
  Status write();
  Status spend_numbers(std::uint64_t published, bool outdated);
  Status spend(AuthorityId authority, std::uint32_t shard, std::uint64_t least, bool outdated);
  Status mark();
  Status unmark();
  Result<std::uint64_t> version_of_mark() const;
  bool revokes() const {
    return std::ranges::any_of(taken_, [](const auto& entry) { return entry.second.revoked.has_value(); });
  }

  Node& node_;
  Ledger& ledger_;
  const std::shared_ptr<issuance::Authority> authority_;
  const Intake intake_;
  const issuance::StatusPlan& plan_;
  const bool dry_run_;
  const Deadline deadline_;
  std::map<Serial, Taken> taken_;              // that are new, or revoked by this
  issuance::CrlAddresses::ByShard addresses_;  // that new ones name
};

Status Import::take_certificates(ByteView all) {
  for (der::Reader reader(all); !reader.at_end();) {
    HANAPER_TRY(const der::Element one, reader.expect(der::sequence));
    HANAPER_TRY(std::string outcome, judge(one.whole));
    certificates.emplace_back(std::move(outcome));
  }
  return {};
}

Status Import::take_entries(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    auto entry = parse_entry(text);
    if (!entry) return std::move(entry).error().within("entries: \"" + text.substr(0, 60) + "\"");
    HANAPER_TRY(std::string outcome, judge(*entry));
    entries.emplace_back(std::move(outcome));
  }
  return {};
}

Result<std::string> Import::judge(ByteView der) {
  if (equal(der, authority_->certificate())) return std::string("known");
  const auto view = x509::parse_certificate(der);
  if (!view) return "refused: cannot be read: " + view.error().detail;
  if (!x509::same_name(view->issuer, authority_->subject()) ||
      !was_signed_by(authority_->spki(), view->signature_algorithm, view->whole, view->signature))
    return "refused: " + signed_elsewhere(*view);
  if (!equal(x509::assemble_certificate(view->whole, view->signature), der))
    return std::string("refused: its two signature algorithms differ");
  return judge(*view);
}

std::string Import::signed_elsewhere(const x509::CertificateView& view) const {
  for (const auto& [name, unused] : node_.model().authorities)
    if (const auto other = node_.authorities().find(name);
        other && other != authority_ && is_signed_by(view, other->view()))
      return "is signed by authority " + name + ", not " + intake_.name;
  return "is not signed by authority " + intake_.name;
}

Result<std::string> Import::judge(const x509::CertificateView& view) {
  if (const Taken* found = find(view.serial)) return compare(found->known.row, view);
  auto row = ledger_.certificate(intake_.authority, view.serial);
  if (row) return compare(*row, view);
  if (row.error().code != Code::not_found) return std::move(row).error();
  taken_.emplace(view.serial, Taken{new_certificate(intake_, view, note_addresses(view))});
  return std::string("new");
}

// The shard whose CRL is, or was, at an address that the certificate names; 0 when none is. CRLs of several
// have to name those addresses, or they are not good for it.
std::uint32_t Import::note_addresses(const x509::CertificateView& view) {
  const std::vector<std::string> said = crl_addresses_in(view);
  std::uint32_t shard = 0;
  for (const std::uint32_t one : authority_->status().all_shards())
    if (shard == 0 && share_one(authority_->crl_urls(one), said)) shard = one;
  std::vector<std::string>& known = addresses_[shard];
  for (const std::string& one : said)
    if (std::ranges::find(known, one) == known.end()) known.push_back(one);
  return shard;
}

std::string Import::compare(const CertificateRow& row, const x509::CertificateView& view) {
  if (row.tbs.empty()) {
    note_addresses(view);
    Taken& taken = taken_.emplace(view.serial, Taken{completed(row, view)}).first->second;
    if (row.revoked == RevocationReason::key_compromise)
      taken.revoked = IndexEntry{row.serial, {}, row.revoked_at, *row.revoked, row.invalidity};
    return "completed";
  }
  if (equal(row.tbs, view.whole) && row.issued_at) return "known";
  if (row.issued_at) return "refused: another certificate has the serial number " + view.serial.hex();
  return "refused: the serial number " + view.serial.hex() + " was reserved here and never signed";
}

Result<std::string> Import::judge(const IndexEntry& entry) {
  Taken* found = find(entry.serial);
  std::string outcome = "known";
  if (found == nullptr) {
    auto row = ledger_.certificate(intake_.authority, entry.serial);
    if (!row && row.error().code != Code::not_found) return std::move(row).error();
    if (!row && entry.reason == RevocationReason::remove_from_crl) return outcome;
    if (row && !adds_to(*row, entry)) return outcome;
    if (!row) outcome = "new";
    Known known = row ? Known{*std::move(row)}
                      : new_number(intake_, entry.serial, authority_->not_before(),
                                   entry.not_after.value_or(authority_->not_after()));
    found = &taken_.emplace(entry.serial, Taken{std::move(known)}).first->second;
  }
  if (found->revoked || !adds_to(found->known.row, entry)) return outcome;
  found->revoked = entry;
  return std::string(outcome == "new" ? "new, revoked" : "revoked");
}

// Of what this call has taken; null when it has not.
Import::Taken* Import::find(const Serial& serial) {
  const auto found = taken_.find(serial);
  return found == taken_.end() ? nullptr : &found->second;
}

Status Import::finish(std::uint64_t published) {
  HANAPER_TRY(const std::uint64_t mark_before, version_of_mark());
  const bool outdated = revokes() || mark_before != 0;
  if (!dry_run_) {
    if (revokes()) HANAPER_CHECK(mark());
    HANAPER_CHECK(write());
  }
  HANAPER_CHECK(spend_numbers(published, outdated));
  return dry_run_ || !outdated ? Status{} : unmark();
}

Status Import::write() {
  std::vector<Serial> serials;
  for (const auto& [serial, taken] : taken_)
    if (taken.known.is_fresh()) serials.push_back(serial);
  HANAPER_CHECK(authority_->serials().pass(serials, deadline_));
  HANAPER_CHECK(remember_addresses());
  services::GatheredWrites writes(node_.writer(), deadline_);
  std::vector<issuance::Revoker::Change> changes;
  for (const auto& [serial, taken] : taken_) {
    HANAPER_TRY(Write one, write_of(intake_, taken.known, taken.revoked ? &*taken.revoked : nullptr));
    if (one.revocation) changes.emplace_back().write.revocation = one.revocation;
    HANAPER_CHECK(writes.add(std::move(one), expiry_change(taken.known, taken.revoked.has_value())));
  }
  HANAPER_CHECK(writes.commit());
  const issuance::Revoker revoker = node_.revoker();
  for (const auto& change : changes) revoker.done(change);
  return {};
}

// No more than are kept: none of those that are known is to be forgotten for them.
Status Import::remember_addresses() {
  issuance::CrlAddresses* known = authority_->crl_addresses();
  if (known == nullptr) return {};
  for (auto& [shard, addresses] : addresses_) {
    const std::vector<std::string> all = known->of(shard);
    const std::size_t room =
        issuance::CrlAddresses::most - std::min(all.size(), issuance::CrlAddresses::most);
    std::erase_if(addresses,
                  [&](const std::string& one) { return std::ranges::find(all, one) != all.end(); });
    if (addresses.size() > room)
      return unsupported("the certificates name " + std::to_string(addresses.size()) +
                         " addresses of CRLs that are new; a CRL names " +
                         std::to_string(issuance::CrlAddresses::most) + " at the most");
  }
  return known->remember(addresses_, deadline_);
}

// Whoever signs the CRLs makes them anew where they lack what is known now; the authority's own numbers go on
// above those that were published in its name.
Status Import::spend_numbers(std::uint64_t published, bool outdated) {
  const auto signer = plan_.crl_signer.empty() ? authority_ : node_.authorities().find(plan_.crl_signer);
  for (const std::uint32_t shard : plan_.all_shards()) {
    if (signer && signer != authority_) HANAPER_CHECK(spend(signer->id(), shard, 0, outdated));
    HANAPER_CHECK(spend(authority_->id(), shard, published, outdated && signer == authority_));
  }
  return {};
}

Status Import::spend(AuthorityId authority, std::uint32_t shard, std::uint64_t least, bool outdated) {
  for (int attempt = 0; attempt < number_attempts; ++attempt) {
    HANAPER_TRY(const std::vector<CrlRow> rows, ledger_.crls(authority, shard, 1));
    const std::uint64_t last = rows.empty() ? 0 : rows.front().number;
    const std::uint64_t wanted = std::max(least, outdated && last != 0 ? last + 1 : 0);
    if (authority == authority_->id() && shard == 0) next_crl = std::max(wanted, last) + 1;
    if (wanted <= last || dry_run_) return {};
    Write write = spent_number(authority, shard, wanted, intake_.now);
    Status spent = node_.writer().commit(write, deadline_);
    if (spent || spent.error().code != Code::conflict) return spent;
  }
  return unavailable("the numbers of the CRLs of authority " + intake_.name + " are fought over");
}

Result<std::uint64_t> Import::version_of_mark() const {
  const auto record = node_.storage().records().get(unfinished, intake_.name);
  if (record) return record->version;
  if (record.error().code != Code::not_found) return record.error();
  return std::uint64_t{0};
}

Status Import::mark() {
  HANAPER_TRY(const std::uint64_t version, version_of_mark());
  if (version != 0) return {};
  Write write;
  write.records.push_back({std::string(unfinished), intake_.name, 0, false, {}, {}, "{}"});
  Status marked = node_.writer().commit(write, deadline_);
  return !marked && marked.error().code == Code::conflict ? Status{} : marked;
}

Status Import::unmark() {
  HANAPER_TRY(const std::uint64_t version, version_of_mark());
  if (version == 0) return {};
  Write write;
  write.records.push_back({std::string(unfinished), intake_.name, version, true, {}, {}, {}});
  Status gone = node_.writer().commit(write, deadline_);
  return !gone && gone.error().code == Code::conflict ? Status{} : gone;
}

Result<json::Value> import_once(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  HANAPER_TRY(std::shared_ptr<issuance::Authority> authority,
              find_authority(node, arguments.text("authority")));
  Import import(node, std::move(authority), caller, arguments.boolean("dry_run"), call.deadline);
  HANAPER_CHECK(import.take_certificates(as_bytes(arguments.text("certificates"))));
  HANAPER_CHECK(import.take_entries(arguments.texts("entries")));
  const bool numbered = arguments.has("crl_number");
  HANAPER_CHECK(import.finish(numbered ? static_cast<std::uint64_t>(arguments.integer("crl_number")) : 0));
  json::Object answer{{"certificates", std::move(import.certificates)},
                      {"entries", std::move(import.entries)}};
  if (import.next_crl != 0) answer.emplace_back("next_crl", static_cast<std::int64_t>(import.next_crl));
  return json::Value(std::move(answer));
}

}  // namespace

// One at a time; on another node, or by hand, somebody may take in or revoke the same all the same: then all
// is judged once more.
Result<json::Value> import_foreign(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  constexpr int attempts = 8;
  static Mutex one_at_a_time;
  const Lock lock(one_at_a_time);
  auto taken = import_once(node, caller, arguments, call);
  for (int again = 1; again < attempts && !taken && taken.error().code == Code::conflict; ++again)
    taken = import_once(node, caller, arguments, call);
  return taken;
}

}  // namespace hanaper::operations
