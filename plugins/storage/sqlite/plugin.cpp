// The door of storage/sqlite.
#include "../soci/sql_storage.hpp"
#include "sqlite_backup.hpp"
#include "sqlite_dialect.hpp"

#include <hanaper/host.hpp>

namespace hanaper::sql {
namespace {

constexpr SettingKey keys[] = {
    {"file", SettingType::path, "hanaper.db", nullptr, "the database file"},
    {"readers", SettingType::integer, "8", "1..64", "how many connections read at once"},
};

class SqliteStorage final : public Storage, public Archivable {
 public:
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    path_ = settings.text("file");
    sql_ = std::make_unique<SqlStorage>(std::make_unique<SqliteDialect>(path_), host,
                                        static_cast<std::size_t>(settings.integer("readers")));
    return {};
  }
  Status start() override { return sql_->open(); }
  void stop(Deadline) override { sql_->close(); }

  Ledger& ledger() override { return *sql_; }
  Records& records() override { return *sql_; }
  Leases& leases() override { return *sql_; }
  Status commit(Batch& batch) override { return sql_->commit(batch); }
  Status health() override { return sql_->health(); }

  void* ability(std::string_view id) override {
    return id == Archivable::ability_id ? static_cast<Archivable*>(this) : nullptr;
  }
  Status save(Archive& archive) override { return save_database(path_, archive); }
  Status load(const ArchiveSource& source) override { return load_database(source, path_); }

 private:
  Host* host_ = nullptr;
  std::string path_;
  std::unique_ptr<SqlStorage> sql_;
};

}  // namespace
}  // namespace hanaper::sql

HANAPER_PLUGIN(.kind = "storage", .name = "sqlite", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "ledger, records and leases in one SQLite file", .keys = hanaper::sql::keys,
               .key_count = std::size(hanaper::sql::keys), .capabilities = "backup",
               .create = hanaper::create_plugin<hanaper::sql::SqliteStorage>);
