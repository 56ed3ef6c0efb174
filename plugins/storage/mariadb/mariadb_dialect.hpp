// MariaDB behind the SQL storage, one server or a Galera cluster.
#pragma once

#include "../soci/places.hpp"

// SOCI includes the client library's headers in their place; it must be the first to do so.
#include <soci/mysql/soci-mysql.h>

namespace hanaper::sql {

class MariadbDialect final : public Dialect {
 public:
  MariadbDialect(Access access, bool causal_reads, Host& host);

  std::unique_ptr<Connection> connect(bool for_writing) override;
  std::string type(std::string_view name) const override;
  std::string table_suffix(bool) const override;
  std::string lock_suffix() const override { return " FOR UPDATE"; }
  Bytes decode(std::string_view stored) const override { return to_bytes(as_bytes(stored)); }
  Failure classify() const override;
  // Two nodes of a cluster know nothing of each other's locks; the migrations bear being run twice.
  std::shared_ptr<void> migration_lock() override { return nullptr; }
  bool has_server() const override { return true; }
  void probe(soci::session& session) const override;
  std::string place() const override { return name_; }
  void watch() override { places_.watch(); }
  std::uint64_t times_left() const override { return places_.times_left(); }

 private:
  std::unique_ptr<Connection> connect_to(const Place& place, bool causal_reads) const;

  const Access access_;
  const bool causal_reads_;
  const std::string name_;
  Places places_;
};

// One session and its prepared statements.
class MariadbConnection final : public Connection {
 public:
  explicit MariadbConnection(const std::string& parameters);
  ~MariadbConnection() override;

  MYSQL* handle() const noexcept { return handle_; }
  // Text without values.
  void execute(std::string_view sql);

  soci::session& session() override { return session_; }
  int socket() override { return mysql_get_socket(handle_); }
  void begin() override { execute("START TRANSACTION"); }
  void begin_snapshot() override;
  void commit() override { execute("COMMIT"); }
  bool rollback() noexcept override;
  std::int64_t run(const Row& row) override;
  bool run_all(std::span<const Row* const> rows) override;

 private:
  MYSQL_STMT* prepared(Statement statement);
  std::int64_t run_alike(std::span<const Row* const> rows);

  soci::session session_;
  MYSQL* handle_;
  std::array<MYSQL_STMT*, statement_count> prepared_{};
};

// The Failure for an error number of server or client library. Their texts are never shown: they may quote
// values.
Failure mariadb_failure(unsigned int number);

}  // namespace hanaper::sql
