#include "restore.hpp"

#include "../issuance/serials.hpp"
#include "../services/audit.hpp"
#include "../services/gathered_writes.hpp"
#include "backup_form.hpp"
#include "ledger_rows.hpp"
#include "tar.hpp"

#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <charconv>
#include <set>

namespace hanaper::operations {
namespace {

// A restored ledger does not know the ranges that were taken after its backup.
constexpr std::uint64_t ranges_skipped_by_restore = 1000;
// Nor does it know the CRLs that were made: so many are one a second for eleven days.
constexpr std::uint64_t crls_skipped_by_restore = 1'000'000;

Result<json::Value> read_manifest(const TarReader& tar, const std::string& file) {
  HANAPER_TRY(const Bytes text, tar.read(std::string(backup_form::manifest_name)));
  auto manifest = json::parse(as_text(text));
  if (!manifest)
    return std::move(manifest).error().within(file + ": " + std::string(backup_form::manifest_name));
  const json::Value* format = manifest->find("format");
  if (format == nullptr || format->integer() == nullptr)
    return malformed(file + ": its manifest names no format");
  if (*format->integer() != backup_form::format)
    return unsupported(file + ": is of format " + std::to_string(*format->integer()) +
                       "; this program reads format " + std::to_string(backup_form::format));
  return manifest;
}

std::shared_ptr<Instance> storage_of(const Node& node) {
  return find_instance(node.instances(), "storage", node.model().storage().name);
}

// Where the ledger of a backup is.
enum class LedgerForm {
  rows,       // in it, for a storage of any kind
  copy,       // in it, as its storage's own copy
  elsewhere,  // not in it: the database has it back already
};

// Refuses what would leave the ledger out.
Result<LedgerForm> ledger_form(Node& node, const TarReader& tar, const std::string& file) {
  const auto has = [&](std::string_view prefix) {
    return std::ranges::any_of(tar.names(),
                               [&](const std::string& name) { return name.starts_with(prefix); });
  };
  const auto storage = storage_of(node);
  if (has(backup_form::ledger_prefix)) {
    if (storage->ability<Transferable>() != nullptr) return LedgerForm::rows;
    return unsupported(file + ": holds the ledger as rows, which " + storage->name() + " does not take");
  }
  if (storage->ability<Archivable>() != nullptr) return LedgerForm::copy;
  if (has("storage."))
    return unsupported(file + ": holds the ledger as a file of another kind of storage than " +
                       storage->name() +
                       "; restore it with its own configuration, then hanaper storage copy");
  return LedgerForm::elsewhere;
}

// A storage that has its own copies lies in the state folder.
std::string what_to_empty(Node& node) {
  const auto storage = storage_of(node);
  return node.model().node.state +
         (storage->ability<Archivable>() != nullptr ? "" : " and the database of " + storage->name());
}

// SavedLedger::check or load, with the configured storage.
Status with_storage(Node& node, const SavedLedger& saved,
                    Status (SavedLedger::*step)(Transferable&, const std::string&) const) {
  const auto storage = storage_of(node);
  return storage->guard().run(
      "add", "", [&] { return (saved.*step)(*storage->ability<Transferable>(), storage->name()); });
}

// While nothing is written: what was there already is as good as before.
Error nothing_restored(Node& node, const json::Array& restored, Error why) {
  if (restored.empty()) unmark_restore(node.model().node.state);
  return why;
}

Result<json::Array> load_instances(Node& node, const TarReader& tar, const std::string& file,
                                   LedgerForm form) {
  json::Array restored;
  for (const auto& instance : node.instances()) {
    Archivable* archivable = instance->ability<Archivable>();
    if (archivable == nullptr) continue;
    if (form == LedgerForm::rows && instance->config().kind == "storage") continue;
    const ArchiveSourcePart part(tar, instance->name() + "/");
    if (part.names().empty())
      return nothing_restored(
          node, restored,
          not_found(file + ": holds nothing of " + instance->name() + ", which the configuration has"));
    Status loaded = instance->guard().run("load", "", [&] { return archivable->load(part); });
    if (!loaded && loaded.error().code == Code::conflict)
      return nothing_restored(node, restored, std::move(loaded).error().within(instance->name()));
    if (!loaded) return std::move(loaded).error().within(instance->name());
    restored.emplace_back(instance->name());
  }
  return restored;
}

Status skip_serials(Node& node, const TarReader& tar) {
  for (const auto& [name, authority] : node.model().authorities) {
    if (!authority.serial.range) continue;
    const Bytes mark = tar.read(backup_form::mark_entry(name)).value_or({});
    std::uint64_t next = 0;
    const std::string_view digits = as_text(mark);
    std::from_chars(digits.data(), digits.data() + digits.size(), next);
    next += authority.serial.size * ranges_skipped_by_restore;
    HANAPER_CHECK(files::replace(backup_form::mark_file(node.model().node.state, name),
                                 std::to_string(next) + "\n", 0600));
  }
  return {};
}

// Numbers of complete CRLs and deltas are one sequence for each authority and shard (RFC 5280 5.2.3), also
// where certificates of several authorities are on one CRL. A number is spent by a row without a hash, as a
// node leaves it that ends while it makes a CRL. The row of a restore is over when it begins: protocol/crl
// knows by it that the CRLs before came out of the backup.
class NumberSkip {
 public:
  // `intake`: null where no CRL is known.
  NumberSkip(Node& node, const CrlIntake* intake, Time backup)
      : node_(node),
        intake_(intake),
        backup_(backup),
        writes_(node.writer(), std::chrono::steady_clock::now() + std::chrono::minutes{10}) {
    for (const auto& [name, plan] : node.status_plans())
      for (const std::uint32_t shard : plan.all_shards()) planned_.insert(shard);
  }

  // The number that the next CRL of each authority has at the least.
  Result<json::Array> run() {
    HANAPER_TRY(const std::vector<AuthorityRow> authorities, node_.storage().ledger().authorities());
    json::Array told;
    for (const AuthorityRow& authority : authorities) {
      std::uint64_t least = 0;
      for (std::uint32_t shard = 0; shard <= max_shards + 1; ++shard) {
        HANAPER_TRY(const std::uint64_t number,
                    skip(authority, shard > max_shards ? authority_shard : shard));
        if (number != 0 && (least == 0 || number < least)) least = number;
      }
      if (least != 0)
        told.emplace_back(
            json::Object{{"authority", authority.name}, {"next", static_cast<std::int64_t>(least) + 1}});
    }
    HANAPER_CHECK(writes_.commit());
    return told;
  }

 private:
  // 0: there are no CRLs of that shard.
  Result<std::uint64_t> skip(const AuthorityRow& authority, std::uint32_t shard) {
    HANAPER_TRY(const std::vector<CrlRow> last, node_.storage().ledger().crls(authority.id, shard, 1));
    if (last.empty() && !planned_.contains(shard)) return std::uint64_t{0};
    const std::uint64_t published = intake_ != nullptr ? intake_->newest_number(authority.id) : 0;
    const std::uint64_t number =
        std::max(last.empty() ? 0 : last.front().number, published) + crls_skipped_by_restore;
    HANAPER_CHECK(writes_.add(spent_number(authority.id, shard, number, backup_)));
    return number;
  }

  Node& node_;
  const CrlIntake* const intake_;
  const Time backup_;
  services::GatheredWrites writes_;
  std::set<std::uint32_t> planned_;
};

// The lanes that nodes share are older than the ranges these have taken since, of which each knows its own
// only.
Status skip_lanes(Node& node) {
  std::uint64_t size = 0;
  for (const auto& [name, authority] : node.model().authorities)
    if (authority.serial.range) size = std::max<std::uint64_t>(size, authority.serial.size);
  if (size == 0) return {};
  return issuance::skip_in_lanes(node.storage().records(), node.writer(), size * ranges_skipped_by_restore);
}

Status audit_restore(Node& node, const Caller& caller, Time backup) {
  // The clock that was ahead may be what this machine is to be rid of; and half of a restore is worse.
  if (!node.writer().check_clock())
    HANAPER_CHECK(node.writer().accept_clock(caller.requester(),
                                             std::chrono::steady_clock::now() + std::chrono::seconds{30}));
  Write write;
  write.audit = services::audit_line(node.shared().clock.now(), "restored",
                                     {{"backup", time_text(backup)}, {"requester", caller.requester()}});
  return node.writer().commit(write, std::chrono::steady_clock::now() + std::chrono::seconds{30});
}

// What the restored ledger has to be told before anybody else asks it.
Result<json::Value> tell_ledger(Node& node, const Caller& caller, Time backup, json::Array instances,
                                const std::vector<CrlFile>& files) {
  HANAPER_CHECK(audit_restore(node, caller, backup));
  HANAPER_CHECK(skip_lanes(node));
  auto intake = CrlIntake::open(node, files, backup);
  HANAPER_TRY(json::Array numbers, NumberSkip(node, intake ? &*intake : nullptr, backup).run());
  if (!intake)
    return Error{intake.error().code, intake.error().detail + "; no CRL was taken in: empty " +
                                          what_to_empty(node) + " and restore again"};
  HANAPER_TRY(json::Array taken, intake->take(caller));
  // From here on nothing is given out twice, and what was revoked is.
  unmark_restore(node.model().node.state);
  return json::Value(json::Object{{"time", time_text(backup)},
                                  {"instances", std::move(instances)},
                                  {"numbers", std::move(numbers)},
                                  {"crls", std::move(taken)}});
}

}  // namespace

Result<json::Value> restore(Node& node, const Caller& caller, const std::string& file,
                            const std::vector<CrlFile>& crls) {
  HANAPER_TRY(const std::unique_ptr<TarReader> tar, TarReader::open(file));
  HANAPER_TRY(const json::Value manifest, read_manifest(*tar, file));
  HANAPER_CHECK(tar->verify());
  HANAPER_TRY(const Time backup, parse_time_text(manifest.text_at("time")));
  HANAPER_TRY(const LedgerForm form, ledger_form(node, *tar, file));
  const ArchiveSourcePart rows(*tar, std::string(backup_form::ledger_prefix));
  HANAPER_TRY(const std::optional<SavedLedger> saved, SavedLedger::open(rows, file));
  const std::string& state = node.model().node.state;
  HANAPER_CHECK(files::create_folder(state));
  StateLock lock;
  HANAPER_CHECK(lock.take(state));
  HANAPER_CHECK(check_restored(state));
  // A database that is elsewhere has to be there: else half of this would be done.
  if (form != LedgerForm::copy) HANAPER_CHECK(node.open_storage());
  if (saved) HANAPER_CHECK(with_storage(node, *saved, &SavedLedger::check));
  HANAPER_CHECK(mark_restore(state));
  auto told = [&]() -> Result<json::Value> {
    HANAPER_TRY(json::Array instances, load_instances(node, *tar, file, form));
    HANAPER_CHECK(skip_serials(node, *tar));
    if (form == LedgerForm::copy) HANAPER_CHECK(node.open_storage());
    if (saved) HANAPER_CHECK(with_storage(node, *saved, &SavedLedger::load));
    HANAPER_CHECK(node.writer().start());
    return tell_ledger(node, caller, backup, std::move(instances), crls);
  }();
  node.stop();
  return told;
}

}  // namespace hanaper::operations
