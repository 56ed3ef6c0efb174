#include "restore.hpp"

#include "../services/audit.hpp"
#include "../services/gathered_writes.hpp"
#include "backup_form.hpp"
#include "tar.hpp"

#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <charconv>
#include <set>

namespace hanaper::operations {
namespace {

// A restored ledger does not know the ranges that were taken after its backup.
constexpr std::uint64_t ranges_skipped_by_restore = 1000;
// Nor the CRLs that were made: one a second for eleven days.
constexpr std::uint64_t crls_skipped_by_restore = 1'000'000;

Result<json::Value> read_manifest(const TarReader& tar, const std::string& file) {
  HANAPER_TRY(const Bytes text, tar.read(std::string(backup_form::manifest_name)));
  HANAPER_TRY(json::Value manifest, json::parse(as_text(text)));
  const json::Value* format = manifest.find("format");
  if (format == nullptr || format->integer() == nullptr)
    return malformed(file + ": its manifest names no format");
  if (*format->integer() != backup_form::format)
    return unsupported(file + ": is of format " + std::to_string(*format->integer()) +
                       "; this program reads " + std::to_string(backup_form::format));
  return manifest;
}

Result<json::Array> load_instances(Node& node, const TarReader& tar, const std::string& file) {
  json::Array restored;
  for (const auto& instance : node.instances()) {
    Archivable* archivable = instance->ability<Archivable>();
    if (archivable == nullptr) continue;
    const ArchiveSourcePart part(tar, instance->name() + "/");
    if (part.names().empty())
      return not_found(file + ": holds nothing of " + instance->name() + ", which the configuration has");
    if (Status loaded = instance->guard().run("load", "", [&] { return archivable->load(part); }); !loaded)
      return std::move(loaded).error().within(instance->name());
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

// Numbers of complete CRLs and deltas are one sequence for each authority and shard (RFC 5280 5.2.3), whoever
// else's certificates are on them. A number is spent on a CRL without a hash, as its maker leaves it who
// dies; this one is over when it begins, so that whoever serves CRLs knows that those before it are the
// backup's.
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
    Write write;
    CrlRow& row = write.crl.emplace();
    row.authority = authority.id;
    row.shard = shard;
    row.number = std::max(last.empty() ? 0 : last.front().number, published) + crls_skipped_by_restore;
    row.this_update = row.next_update = backup_;
    const std::uint64_t number = row.number;
    HANAPER_CHECK(writes_.add(std::move(write)));
    return number;
  }

  Node& node_;
  const CrlIntake* const intake_;
  const Time backup_;
  services::GatheredWrites writes_;
  std::set<std::uint32_t> planned_;
};

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
  auto intake = CrlIntake::open(node, files, backup);
  HANAPER_TRY(json::Array numbers, NumberSkip(node, intake ? &*intake : nullptr, backup).run());
  if (!intake)
    return Error{intake.error().code, intake.error().detail +
                                          "; the backup is restored, and no CRL was taken in: empty " +
                                          node.model().node.state + " and restore again"};
  HANAPER_TRY(json::Array taken, intake->take(caller));
  return json::Value(json::Object{{"time", time_text(backup)},
                                  {"instances", std::move(instances)},
                                  {"numbers", std::move(numbers)},
                                  {"crls", std::move(taken)}});
}

// Whether the ledger is in backups of ours; else its database has some of its own.
bool is_ledger_in_backup(Node& node) {
  const auto storage = find_instance(node.instances(), "storage", node.model().storage().name);
  return storage->ability<Archivable>() != nullptr;
}

}  // namespace

Result<json::Value> restore(Node& node, const Caller& caller, const std::string& file,
                            const std::vector<CrlFile>& crls) {
  HANAPER_TRY(const std::unique_ptr<TarReader> tar, TarReader::open(file));
  HANAPER_TRY(const json::Value manifest, read_manifest(*tar, file));
  HANAPER_TRY(const Time backup, parse_time_text(manifest.text_at("time")));
  const std::string& state = node.model().node.state;
  HANAPER_CHECK(files::create_folder(state));
  StateLock lock;
  HANAPER_CHECK(lock.take(state));
  // A database that is elsewhere has to be there: else half of this would be done.
  const bool has_ledger = is_ledger_in_backup(node);
  if (!has_ledger) HANAPER_CHECK(node.open_ledger());
  HANAPER_TRY(json::Array instances, load_instances(node, *tar, file));
  HANAPER_CHECK(skip_serials(node, *tar));
  if (has_ledger) HANAPER_CHECK(node.open_ledger());
  auto told = tell_ledger(node, caller, backup, std::move(instances), crls);
  node.stop();
  return told;
}

}  // namespace hanaper::operations
