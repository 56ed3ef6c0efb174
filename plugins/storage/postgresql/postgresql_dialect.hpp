// PostgreSQL behind the SQL storage.
#pragma once

#include "../soci/places.hpp"

// SOCI includes libpq's header in its place; it must be the first to do so.
#include <soci/postgresql/soci-postgresql.h>

namespace hanaper::sql {

class PostgresqlDialect final : public Dialect {
 public:
  PostgresqlDialect(Access access, Host& host);

  std::unique_ptr<Connection> connect(bool for_writing) override;
  std::string type(std::string_view name) const override;
  std::string table_suffix(bool) const override { return ""; }
  std::string lock_suffix() const override { return " FOR UPDATE"; }
  Bytes decode(std::string_view stored) const override;
  Failure classify() const override;
  std::shared_ptr<void> migration_lock() override;
  bool has_server() const override { return true; }
  void probe(soci::session& session) const override;
  std::string place() const override { return name_; }
  void watch() override { places_.watch(); }
  std::uint64_t times_left() const override { return places_.times_left(); }

 private:
  std::unique_ptr<Connection> connect_to(const Place& place) const;

  const Access access_;
  const std::string name_;
  mutable Watchdog watchdog_;
  Places places_;
};

// One session and its prepared statements.
class PostgresqlConnection final : public Connection {
 public:
  PostgresqlConnection(const std::string& parameters, Watchdog& watchdog, std::chrono::milliseconds limit);

  // Text without values.
  void execute(const char* sql);

  soci::session& session() override { return session_; }
  int socket() override { return PQsocket(handle_); }
  std::shared_ptr<void> guard() override { return watchdog_.guard(PQsocket(handle_), limit_); }
  void begin() override { execute("BEGIN"); }
  void begin_snapshot() override;
  void commit() override;
  bool rollback() noexcept override;
  std::int64_t run(const Row& row) override;
  bool run_all(std::span<const Row* const> rows) override;

 private:
  void prepare(Statement statement);
  void send(const Row& row);

  soci::session session_;
  PGconn* handle_;
  Watchdog& watchdog_;
  const std::chrono::milliseconds limit_;
  std::array<bool, statement_count> prepared_{};
};

// The Failure for an SQLSTATE; empty: the connection broke. The server's texts are never shown: they may
// quote values.
Failure postgresql_failure(std::string_view state);

}  // namespace hanaper::sql
