// backup: a consistent copy of ledger and keys, while the daemon runs.
#include "backup_form.hpp"
#include "table.hpp"
#include "tar.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <filesystem>

namespace hanaper::operations {
namespace {

namespace fs = std::filesystem;

Status fill(Node& node, TarWriter& tar) {
  json::Array instances;
  for (const auto& instance : node.instances())
    if (instance->ability<Archivable>() != nullptr) instances.emplace_back(instance->name());
  const json::Value manifest(json::Object{{"format", backup_form::format},
                                          {"version", HANAPER_VERSION},
                                          {"node", node.model().node.name},
                                          {"time", time_text(node.shared().clock.now())},
                                          {"instances", instances}});
  HANAPER_CHECK(tar.add(backup_form::manifest_name, as_bytes(json::write_pretty(manifest) + "\n")));
  for (const auto& instance : node.instances()) {
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
  return tar.finish();
}

}  // namespace

// Writes a file of the given plain name into the state folder: the daemon writes nowhere else. Whoever asked
// takes it away.
Result<json::Value> backup(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  const std::string& name = arguments.text("name");
  if (!name.starts_with("backup-") || name.find('/') != std::string::npos)
    return malformed("a backup's temporary name begins with backup-");
  const std::string path = node.model().node.state + "/" + name;
  const Time begun = node.shared().clock.now();
  HANAPER_TRY(const std::unique_ptr<TarWriter> tar, TarWriter::create(path));
  if (Status filled = fill(node, *tar); !filled) {
    std::error_code ec;
    fs::remove(path, ec);
    return std::move(filled).error();
  }
  if (Status noted = node.backed_up(begun, caller.requester(), call); !noted)
    node.shared().logger.warning("a backup is not in the audit, nor is its time stored",
                                 {{"error", noted.error().detail}});
  return json::Value(json::Object{{"file", path}, {"octets", tar->octets()}, {"entries", tar->entries()}});
}

}  // namespace hanaper::operations
