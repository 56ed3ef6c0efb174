#include "mariadb_dialect.hpp"

#include <mysqld_error.h>

namespace hanaper::sql {
namespace {

std::string name_of(const Access& access) {
  std::string hosts;
  for (const Place& place : access.places) hosts += (hosts.empty() ? "" : ", ") + place.text();
  return "mariadb " + access.database + " at " + hosts;
}

// As SOCI reads connection strings.
std::string quoted(std::string_view text) {
  std::string result = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') result.push_back('\\');
    result.push_back(c);
  }
  return result + "'";
}

std::string parameters(const Access& access, const Place& place) {
  std::string text = "db=" + quoted(access.database) + " user=" + quoted(access.user) +
                     " charset=utf8mb4 connect_timeout=" + std::to_string(connect_timeout.count()) +
                     " read_timeout=" + std::to_string(access.timeout.count() + 1) +
                     " write_timeout=" + std::to_string(access.timeout.count() + 1);
  if (!access.password.empty()) text += " password=" + quoted(access.password.reveal());
  text += place.host.empty() ? " unix_socket=" + quoted(place.socket)
                             : " host=" + quoted(place.host) + " port=" + std::to_string(place.port);
  if (!access.ca.empty()) text += " sslca=" + quoted(access.ca);
  if (!access.certificate.empty())
    text += " sslcert=" + quoted(access.certificate) + " sslkey=" + quoted(access.key);
  return text;
}

// What every session is set to. An idle transaction is one whose client was cut off: the server shall not
// keep its locks for long.
std::string session_settings(const Access& access, bool causal_reads) {
  return "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
         "innodb_lock_wait_timeout = 2, idle_transaction_timeout = 10, max_statement_time = " +
         std::to_string(access.timeout.count()) + ", wsrep_sync_wait = " + (causal_reads ? "1" : "0");
}

}  // namespace

MariadbDialect::MariadbDialect(Access access, bool causal_reads, Host& host)
    : access_(std::move(access)),
      causal_reads_(causal_reads),
      name_(name_of(access_)),
      places_(access_.places, host, *this, [this](const Place& place) { return connect_to(place, false); }) {}

std::unique_ptr<Connection> MariadbDialect::connect(bool) {
  // Not thread-safe the first time, unless asked for by name.
  static const int ready = mysql_library_init(0, nullptr, nullptr);
  static_cast<void>(ready);
  return places_.connect([this](const Place& place) { return connect_to(place, causal_reads_); });
}

std::unique_ptr<Connection> MariadbDialect::connect_to(const Place& place, bool causal_reads) const try {
  auto connection = std::make_unique<MariadbConnection>(parameters(access_, place));
  // Said by the library only when it was asked to compare names, which SOCI has no word for.
  if (!access_.ca.empty() && mysql_get_ssl_cipher(connection->handle()) == nullptr)
    throw Failure{Failure::Kind::refused, "the server does not speak TLS"};
  if (std::string_view(mysql_get_server_info(connection->handle())).find("MariaDB") == std::string_view::npos)
    throw Failure{Failure::Kind::refused, "the server is no MariaDB"};
  connection->execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  connection->execute(session_settings(access_, causal_reads));
  probe(connection->session());
  return connection;
} catch (const soci::soci_error&) {
  throw classify();
}

// A node outside the quorum answers SELECT 1: only a table shows what it is worth.
void MariadbDialect::probe(soci::session& session) const {
  int read_only = 0;
  long long number = 0;
  session << "SELECT @@read_only", soci::into(read_only);
  if (read_only != 0) throw mariadb_failure(ER_READ_ONLY_MODE);
  try {
    session << "SELECT number FROM schema_version WHERE id = 1", soci::into(number);
  } catch (const soci::mysql_soci_error& error) {
    if (error.err_num_ != ER_NO_SUCH_TABLE) throw;  // before the first migration
  }
}

std::string MariadbDialect::type(std::string_view name) const {
  if (name == "id") return "VARBINARY(200)";
  if (name == "name") return "VARBINARY(300)";
  return name == "blob" ? "MEDIUMBLOB" : "LONGTEXT";
}

std::string MariadbDialect::table_suffix(bool) const {
  return " ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";
}

Failure MariadbDialect::classify() const {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const soci::mysql_soci_error& error) {
    return mariadb_failure(error.err_num_);
  } catch (const soci::soci_error&) {
    // Its text may hold bound values: only what it is about is said.
    return {Failure::Kind::refused, "unexpected answer of the database library"};
  }
}

}  // namespace hanaper::sql
