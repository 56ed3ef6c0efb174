#include "postgresql_dialect.hpp"

namespace hanaper::sql {
namespace {

// Any number that nobody else in the database takes for an advisory lock.
constexpr const char* lock_migrations = "SELECT pg_advisory_lock(4702111233)";

std::string name_of(const Access& access) {
  std::string hosts;
  for (const Place& place : access.places) hosts += (hosts.empty() ? "" : ", ") + place.text();
  return "postgresql " + access.database + " at " + hosts;
}

// Failures to connect come without an SQLSTATE, only with libpq's text, which quotes no values; every line of
// it begins the same way.
std::string first_line(std::string text) {
  if (const std::size_t start = text.find("failed: "); start != std::string::npos) text.erase(0, start + 8);
  for (std::string_view prefix : {"FATAL:  ", "ERROR:  "})
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
  text.resize(std::min(text.size(), text.find('\n')));
  return text;
}

// Whether a server has answered, and will answer the same next time.
bool is_refusal(std::string_view text) {
  constexpr std::string_view passing[] = {"starting up",     "shutting down",     "recovery",
                                          "not accepting",   "not yet accepting", "too many",
                                          "connection slots"};
  const auto says = [&](std::string_view words) { return text.find(words) != std::string_view::npos; };
  return says("FATAL:") && std::ranges::none_of(passing, says);
}

// SOCI takes connection strings apart at blanks: as a URI they have none.
std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    const auto octet = static_cast<std::uint8_t>(c);
    result += plain ? std::string(1, c) : "%" + to_hex({&octet, 1});
  }
  return result;
}

std::string parameters(const Access& access, const Place& place) {
  std::string host = place.host, port = std::to_string(place.port);
  if (host.empty()) {
    host = place.socket;
    if (const std::size_t colon = host.rfind(':'); colon != std::string::npos) {
      port = host.substr(colon + 1);
      host.resize(colon);
    }
  }
  std::string text =
      "postgresql:///?client_encoding=UTF8&application_name=hanaper&keepalives_idle=5&keepalives_interval=2"
      "&keepalives_count=3&connect_timeout=" +
      std::to_string(connect_timeout.count()) +
      "&tcp_user_timeout=" + std::to_string(std::chrono::milliseconds{access.timeout}.count() + 1000);
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) text += "&" + std::string(name) + "=" + escaped(value);
  };
  add("host", host);
  add("port", port);
  add("dbname", access.database);
  add("user", access.user);
  add("password", access.password.reveal());
  add("sslmode", access.ca.empty() ? "disable" : "verify-full");
  add("sslrootcert", access.ca);
  add("sslcert", access.certificate);
  add("sslkey", access.key);
  return text;
}

// What every session is set to. An idle transaction is one whose client was cut off: the server shall not
// keep its locks for long. Acknowledged means on disk, whatever the server's default is.
std::string session_settings(const Access& access) {
  const std::string timeout = std::to_string(access.timeout.count());
  return "SET statement_timeout = '" + timeout +
         "s'; SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = '10s'; "
         "SET default_transaction_isolation = 'read committed'; SET bytea_output = 'hex'; "
         "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = "
         "'off'";
}

}  // namespace

PostgresqlDialect::PostgresqlDialect(Access access, Host& host)
    : access_(std::move(access)),
      name_(name_of(access_)),
      watchdog_(host),
      places_(access_.places, host, *this, [this](const Place& place) { return connect_to(place); }) {}

std::unique_ptr<Connection> PostgresqlDialect::connect(bool) {
  return places_.connect([this](const Place& place) { return connect_to(place); });
}

std::unique_ptr<Connection> PostgresqlDialect::connect_to(const Place& place) const {
  std::unique_ptr<PostgresqlConnection> connection;
  try {
    connection = std::make_unique<PostgresqlConnection>(parameters(access_, place), watchdog_,
                                                        access_.timeout + std::chrono::seconds{1});
  } catch (const soci::soci_error& error) {
    const std::string text = error.get_error_message();
    throw Failure{is_refusal(text) ? Failure::Kind::refused : Failure::Kind::lost, first_line(text)};
  }
  const auto guard = connection->guard();
  try {
    connection->execute(session_settings(access_).c_str());
    std::string encoding;
    connection->session() << "SHOW server_encoding", soci::into(encoding);
    if (encoding != "UTF8")
      throw Failure{Failure::Kind::refused,
                    "the database has the encoding " + encoding + "; create it with ENCODING 'UTF8'"};
    probe(connection->session());
  } catch (const soci::soci_error&) {
    throw classify();
  }
  return connection;
}

void PostgresqlDialect::probe(soci::session& session) const {
  std::string read_only;
  session << "SHOW transaction_read_only", soci::into(read_only);
  if (read_only != "off") throw postgresql_failure("25006");
}

std::string PostgresqlDialect::type(std::string_view name) const {
  if (name == "id") return "VARCHAR(200) COLLATE \"C\"";
  if (name == "name") return "VARCHAR(300) COLLATE \"C\"";
  return name == "blob" ? "BYTEA" : "TEXT";
}

Bytes PostgresqlDialect::decode(std::string_view stored) const {
  return from_hex(stored.substr(std::min<std::size_t>(2, stored.size()))).value_or({});  // \x...
}

Failure PostgresqlDialect::classify() const {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const soci::postgresql_soci_error& error) {
    const std::string state = error.sqlstate();
    return postgresql_failure(state.find_first_not_of(' ') == std::string::npos ? "" : state);
  } catch (const soci::soci_error&) {
    // Its text may hold bound values: only what it is about is said.
    return {Failure::Kind::refused, "unexpected answer of the database library"};
  }
}

std::shared_ptr<void> PostgresqlDialect::migration_lock() {
  auto connection = connect(true);
  try {
    connection->session() << lock_migrations;
  } catch (const soci::soci_error&) {
    throw classify();
  }
  return connection;  // the lock ends with its session
}

}  // namespace hanaper::sql
