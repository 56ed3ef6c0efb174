// The door of storage/sqlite.
#include "../soci/sql_plugin.hpp"
#include "sqlite_backup.hpp"
#include "sqlite_dialect.hpp"

namespace hanaper::sql {
namespace {

constexpr SettingKey keys[] = {
    {"file", SettingType::path, "hanaper.db", nullptr, "the database file"},
    {"readers", SettingType::integer, "8", "1..64", "how many connections read at once"},
};

class SqliteStorage final : public SqlPlugin, public Archivable {
 public:
  void* ability(std::string_view id) override {
    return id == Archivable::ability_id ? static_cast<Archivable*>(this) : SqlPlugin::ability(id);
  }
  Status save(Archive& archive) override { return save_database(path_, archive); }
  Status load(const ArchiveSource& source) override { return load_database(source, path_); }

 private:
  Result<std::unique_ptr<Dialect>> make_dialect(const Settings& settings, Host&) override {
    path_ = settings.text("file");
    return std::unique_ptr<Dialect>(std::make_unique<SqliteDialect>(path_));
  }

  std::string path_;
};

}  // namespace
}  // namespace hanaper::sql

HANAPER_PLUGIN(.kind = "storage", .name = "sqlite", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "ledger, records and leases in one SQLite file", .keys = hanaper::sql::keys,
               .key_count = std::size(hanaper::sql::keys),
               .create = hanaper::create_plugin<hanaper::sql::SqliteStorage>);
