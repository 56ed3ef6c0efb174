#include "sqlite_backup.hpp"

#include "sqlite_dialect.hpp"

#include <unistd.h>

#include <filesystem>

namespace hanaper::sql {
namespace {

using namespace sqlite_api;

constexpr std::string_view entry = "database";

struct Handle {
  explicit Handle(const std::string& path, int flags) {
    code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  }
  ~Handle() { sqlite3_close(handle); }
  sqlite3* handle = nullptr;
  int code;
};

// The whole database in one read transaction, so that writers meanwhile neither wait nor show.
Status copy(const std::string& from, const std::string& to) {
  const Handle source(from, SQLITE_OPEN_READWRITE), target(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  for (const Handle* opened : {&source, &target})
    if (opened->code != SQLITE_OK)
      return unavailable((opened == &source ? from : to) + ": " + sqlite_failure(opened->code).what);
  sqlite3_busy_timeout(source.handle, 5000);
  sqlite3_backup* backup = sqlite3_backup_init(target.handle, "main", source.handle, "main");
  int code = backup ? sqlite3_backup_step(backup, -1) : sqlite3_extended_errcode(target.handle);
  if (backup) sqlite3_backup_finish(backup);
  if (code == SQLITE_DONE)
    code = sqlite3_exec(target.handle, "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return unavailable(to + ": " + sqlite_failure(code).what);
  return {};
}

}  // namespace

Status save_database(const std::string& path, Archive& archive) {
  const std::string temporary = path + ".backup";
  std::filesystem::remove(temporary);
  Status saved = copy(path, temporary);
  if (saved) saved = archive.add_file(entry, temporary);
  std::filesystem::remove(temporary);
  return saved;
}

Status load_database(const ArchiveSource& source, const std::string& path) {
  if (std::filesystem::exists(path)) return conflict(path + " exists; restore into an empty state folder");
  return source.extract(entry, path);
}

}  // namespace hanaper::sql
