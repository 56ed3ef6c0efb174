// backup: a consistent copy of ledger and keys, while the daemon runs.
#include "backup_form.hpp"
#include "ledger_rows.hpp"
#include "table.hpp"
#include "tar.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <filesystem>

namespace hanaper::operations {
namespace {

namespace fs = std::filesystem;

// How the ledger gets into a backup: by the storage's own copy, or by rows of one moment.
struct LedgerSource {
  Instance& storage;
  Transferable* rows = nullptr;
  Snapshots* moments = nullptr;

  bool is_by_rows() const { return rows != nullptr && moments != nullptr; }
};

Result<LedgerSource> ledger_source(Node& node, const Node::Instances& instances) {
  LedgerSource source{*find_instance(instances, "storage", node.model().storage().name)};
  if (source.storage.ability<Archivable>() != nullptr) return source;
  source.rows = source.storage.ability<Transferable>();
  source.moments = source.storage.ability<Snapshots>();
  if (!source.is_by_rows())
    return unsupported(source.storage.name() + ": its plugin " + source.storage.config().plugin +
                       " gives no copy of the ledger; a backup would lack it, so use the database's own");
  return source;
}

// A snapshot of a storage, behind its guard.
class GuardedSnapshot final : public Snapshot {
 public:
  GuardedSnapshot(std::unique_ptr<Snapshot> moment, Instance& storage)
      : moment_(std::move(moment)), storage_(storage) {}
  Result<std::vector<Transferable::Row>> rows(const Transferable::Table& table,
                                              const Transferable::Row& after, std::uint32_t limit) override {
    return storage_.guard().run("rows", "", [&] { return moment_->rows(table, after, limit); });
  }

 private:
  const std::unique_ptr<Snapshot> moment_;
  Instance& storage_;
};

Status add_rows(const LedgerSource& source, TarWriter& tar) {
  auto moment = source.storage.guard().run("snapshot", "", [&] { return source.moments->snapshot(); });
  if (!moment) return std::move(moment).error().within(source.storage.name());
  GuardedSnapshot guarded(*std::move(moment), source.storage);
  ArchivePart part(tar, std::string(backup_form::ledger_prefix));
  if (Status saved = save_ledger(*source.rows, guarded, part); !saved)
    return std::move(saved).error().within(source.storage.name());
  return {};
}

json::Value manifest_of(Node& node, const Node::Instances& instances) {
  json::Array names;
  for (const auto& instance : instances)
    if (instance->ability<Archivable>() != nullptr) names.emplace_back(instance->name());
  return json::Object{{"format", backup_form::format},
                      {"version", HANAPER_VERSION},
                      {"node", node.model().node.name},
                      {"time", time_text(node.shared().clock.now())},
                      {"instances", names}};
}

// The ledger before the keys: every key that it knows is there by then.
Status fill(Node& node, TarWriter& tar) {
  const Node::Instances instances = node.instances();
  HANAPER_TRY(const LedgerSource source, ledger_source(node, instances));
  const json::Value manifest = manifest_of(node, instances);
  HANAPER_CHECK(tar.add(backup_form::manifest_name, as_bytes(json::write_pretty(manifest) + "\n")));
  if (source.is_by_rows()) HANAPER_CHECK(add_rows(source, tar));
  for (const auto& instance : instances) {
    Archivable* archivable = instance->ability<Archivable>();
    if (archivable == nullptr) continue;
    ArchivePart part(tar, instance->name() + "/");
    if (Status saved = instance->guard().run("save", "", [&] { return archivable->save(part); }); !saved)
      return std::move(saved).error().within(instance->name());
  }
  for (const auto& [name, authority] : node.model().authorities) {
    const std::string path = backup_form::mark_file(node.model().node.state, name);
    if (fs::exists(path)) HANAPER_CHECK(tar.add_file(backup_form::mark_entry(name), path));
  }
  HANAPER_CHECK(tar.add_sums());
  return tar.finish();
}

}  // namespace

// Writes a file of the given plain name into the state folder: the daemon writes nowhere else. Whoever asked
// takes it away.
Result<json::Value> backup(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  const std::string& name = arguments.text("name");
  if (!name.starts_with("backup-") || name.find('/') != std::string::npos)
    return malformed("a backup's temporary name begins with backup-");
  Mutex& backing_up = node.backing_up();
  if (!backing_up.try_lock()) return conflict("a backup is being made already; wait for its end");
  const Lock one_at_a_time(backing_up, std::adopt_lock);
  const std::string path = node.model().node.state + "/" + name;
  const Time begun = node.shared().clock.now();
  HANAPER_TRY(const std::unique_ptr<TarWriter> tar, TarWriter::create(path));
  if (Status filled = fill(node, *tar); !filled) {
    tar->remove();
    return std::move(filled).error();
  }
  // A large ledger takes longer than a call may.
  const Call noting{call.id, std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  if (Status noted = node.backed_up(begun, caller.requester(), noting); !noted)
    node.shared().logger.warning("a backup is not in the audit, nor is its time stored",
                                 {{"error", noted.error().detail}});
  return json::Value(json::Object{{"file", path}, {"octets", tar->octets()}, {"entries", tar->entries()}});
}

}  // namespace hanaper::operations
