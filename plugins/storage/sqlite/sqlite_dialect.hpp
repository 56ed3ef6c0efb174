// SQLite behind the SQL storage: WAL, every commit on disk before it is acknowledged.
#pragma once

#include "../soci/dialect.hpp"

#include <filesystem>

// SOCI wraps SQLite's header in a namespace of its own; it must be the first to include it.
#include <soci/sqlite3/soci-sqlite3.h>

namespace hanaper::sql {

class SqliteDialect final : public Dialect {
 public:
  explicit SqliteDialect(std::string path) : path_(std::move(path)) {}

  std::unique_ptr<Connection> connect(bool for_writing) override;
  std::string type(std::string_view name) const override;
  std::string table_suffix(bool clustered) const override { return clustered ? " WITHOUT ROWID" : ""; }
  std::string lock_suffix() const override { return ""; }  // a transaction that writes has the whole file
  Bytes decode(std::string_view stored) const override { return to_bytes(as_bytes(stored)); }
  Failure classify() const override;
  std::shared_ptr<void> migration_lock() override;
  bool has_server() const override { return false; }
  bool is_there() const override { return std::filesystem::exists(path_); }
  void probe(soci::session&) const override {}
  std::string place() const override { return path_; }

 private:
  const std::string path_;
};

// A Failure for SQLite's (extended) result code.
Failure sqlite_failure(int code);

}  // namespace hanaper::sql
