// backup and restore.
#include "table.hpp"
#include "tar.hpp"

#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <charconv>
#include <filesystem>

namespace hanaper::operations {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view manifest_name = "manifest.json";
constexpr std::int64_t format = 1;
// A restored ledger does not know the ranges that were taken after its backup.
constexpr std::uint64_t ranges_skipped_by_restore = 1000;

std::string mark_file(const std::string& state, const std::string& authority) {
  return state + "/serial-" + authority + ".mark";
}

Status fill(Node& node, TarWriter& tar) {
  json::Array instances;
  for (const auto& instance : node.instances())
    if (instance->ability<Archivable>() != nullptr) instances.emplace_back(instance->name());
  const json::Value manifest(json::Object{{"format", format},
                                          {"version", HANAPER_VERSION},
                                          {"node", node.model().node.name},
                                          {"time", time_text(node.shared().clock.now())},
                                          {"instances", instances}});
  HANAPER_CHECK(tar.add(manifest_name, as_bytes(json::write_pretty(manifest) + "\n")));
  for (const auto& instance : node.instances()) {
    Archivable* archivable = instance->ability<Archivable>();
    if (archivable == nullptr) continue;
    ArchivePart part(tar, instance->name() + "/");
    if (Status saved = instance->guard().run("save", "", [&] { return archivable->save(part); }); !saved)
      return std::move(saved).error().within(instance->name());
  }
  for (const auto& [name, authority] : node.model().authorities) {
    const std::string path = mark_file(node.model().node.state, name);
    if (fs::exists(path)) HANAPER_CHECK(tar.add_file("serial/" + name, path));
  }
  return tar.finish();
}

}  // namespace

// Writes a file of the given plain name into the state folder: the daemon writes nowhere else. Whoever asked
// takes it away.
Result<json::Value> backup(Node& node, const Caller&, const Arguments& arguments, Call& call) {
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
  if (Status noted = node.backed_up(begun, call); !noted)
    node.shared().logger.warning("the time of a backup could not be stored",
                                 {{"error", noted.error().detail}});
  return json::Value(json::Object{{"file", path}, {"octets", tar->octets()}, {"entries", tar->entries()}});
}

Result<json::Value> restore(Node& node, const std::string& file) {
  HANAPER_TRY(const std::unique_ptr<TarReader> tar, TarReader::open(file));
  HANAPER_TRY(const Bytes text, tar->read(std::string(manifest_name)));
  HANAPER_TRY(const json::Value manifest, json::parse(as_text(text)));
  const json::Value* stored_format = manifest.find("format");
  if (stored_format == nullptr || stored_format->integer() == nullptr)
    return malformed(file + ": its manifest names no format");
  if (*stored_format->integer() != format)
    return unsupported(file + ": is of format " + std::to_string(*stored_format->integer()) +
                       "; this program reads " + std::to_string(format));
  const std::string& state = node.model().node.state;
  HANAPER_CHECK(files::create_folder(state));
  StateLock lock;
  HANAPER_CHECK(lock.take(state));
  json::Array restored;
  for (const auto& instance : node.instances()) {
    Archivable* archivable = instance->ability<Archivable>();
    if (archivable == nullptr) continue;
    const ArchiveSourcePart part(*tar, instance->name() + "/");
    if (part.names().empty())
      return not_found(file + ": holds nothing of " + instance->name() + ", which the configuration has");
    if (Status loaded = instance->guard().run("load", "", [&] { return archivable->load(part); }); !loaded)
      return std::move(loaded).error().within(instance->name());
    restored.emplace_back(instance->name());
  }
  for (const auto& [name, authority] : node.model().authorities) {
    if (!authority.serial.range) continue;
    const Bytes mark = tar->read("serial/" + name).value_or({});
    std::uint64_t next = 0;
    const std::string_view digits = as_text(mark);
    std::from_chars(digits.data(), digits.data() + digits.size(), next);
    next += authority.serial.size * ranges_skipped_by_restore;
    HANAPER_CHECK(files::replace(mark_file(state, name), std::to_string(next) + "\n", 0600));
  }
  return json::Value(json::Object{{"time", manifest.text_at("time")}, {"instances", std::move(restored)}});
}

}  // namespace hanaper::operations
