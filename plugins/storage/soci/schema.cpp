#include "schema.hpp"

#include <optional>

namespace hanaper::sql {
namespace {

// Types in braces are the dialect's: {id} up to 200 octets of ASCII compared octet by octet, {name} up to 300
// of them, {text} any UTF-8, {blob} octets. Times are BIGINT, milliseconds since 1970; never a database's own
// time type. A table marked clustered is stored in the order of its primary key where the database has the
// choice. Every step can be run twice: not every database takes back a half-run migration.
struct Step {
  std::string_view table;  // empty: `body` is a whole statement
  std::string_view body;
  bool clustered = false;
};

const std::vector<std::vector<Step>>& migrations() {
  static const std::vector<std::vector<Step>> list = {
      // 1: ledger, records, leases
      {
          {"authority",
           "id BIGINT PRIMARY KEY, name {id} NOT NULL, key_ref {id} NOT NULL, "
           "certificate {blob} NOT NULL, chain {blob} NOT NULL, UNIQUE (name)"},
          {"certificate",
           "authority BIGINT NOT NULL, serial {id} NOT NULL, profile {id} NOT NULL, requester {text} NOT "
           "NULL, "
           "not_before BIGINT NOT NULL, not_after BIGINT NOT NULL, shard BIGINT NOT NULL, tbs {blob} NOT "
           "NULL, pipeline {id} NOT NULL, "
           "PRIMARY KEY (authority, serial)"},
          {"", "CREATE INDEX IF NOT EXISTS certificate_expiry ON certificate (not_after)"},
          {"signature",
           "node {id} NOT NULL, position BIGINT NOT NULL, authority BIGINT NOT NULL, serial {id} NOT NULL, "
           "signed_at BIGINT NOT NULL, octets {blob} NOT NULL, PRIMARY KEY (node, position), "
           "UNIQUE (authority, serial)",
           true},
          {"revocation",
           "authority BIGINT NOT NULL, shard BIGINT NOT NULL, serial {id} NOT NULL, reason BIGINT NOT NULL, "
           "revoked_at BIGINT NOT NULL, invalid_at BIGINT, not_after BIGINT NOT NULL, node {id} NOT NULL, "
           "position BIGINT NOT NULL, PRIMARY KEY (authority, shard, serial), UNIQUE (node, position)",
           true},
          {"crl",
           "authority BIGINT NOT NULL, shard BIGINT NOT NULL, number BIGINT NOT NULL, base BIGINT NOT NULL, "
           "this_update BIGINT NOT NULL, next_update BIGINT NOT NULL, entries BIGINT NOT NULL, octets BIGINT "
           "NOT NULL, hash {id} NOT NULL, PRIMARY KEY (authority, shard, number)",
           true},
          {"certificate_name",
           "name {name} NOT NULL, authority BIGINT NOT NULL, serial {id} NOT NULL, PRIMARY KEY (name, "
           "authority, serial)",
           true},
          {"blocked_key", "hash {id} PRIMARY KEY", true},
          {"expiry",
           "node {id} NOT NULL, expiry_day BIGINT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (node, "
           "expiry_day)",
           true},
          {"writer", "node {id} PRIMARY KEY, number BIGINT NOT NULL, token {id} NOT NULL"},
          {"audit",
           "node {id} NOT NULL, sequence BIGINT NOT NULL, written_at BIGINT NOT NULL, \"lines\" {text} NOT "
           "NULL, "
           "previous {id} NOT NULL, hash {id} NOT NULL, PRIMARY KEY (node, sequence)"},
          {"record",
           "collection {id} NOT NULL, item {id} NOT NULL, version BIGINT NOT NULL, expires BIGINT, data "
           "{text} NOT NULL, "
           "PRIMARY KEY (collection, item)"},
          {"", "CREATE INDEX IF NOT EXISTS record_expiry ON record (expires)"},
          {"record_index",
           "collection {id} NOT NULL, field {id} NOT NULL, value {id} NOT NULL, item {id} NOT NULL, "
           "PRIMARY KEY (collection, field, value, item)",
           true},
          {"", "CREATE INDEX IF NOT EXISTS record_index_item ON record_index (collection, item)"},
          {"lease",
           "name {id} PRIMARY KEY, holder {id} NOT NULL, epoch BIGINT NOT NULL, renewals BIGINT NOT NULL, "
           "writes BIGINT NOT NULL"},
      },
  };
  return list;
}

std::string spell(const Dialect& dialect, const Step& step) {
  std::string sql = step.table.empty()
                        ? std::string(step.body)
                        : "CREATE TABLE IF NOT EXISTS " + std::string(step.table) + " (" +
                              std::string(step.body) + ")" + dialect.table_suffix(step.clustered);
  for (std::size_t open = sql.find('{'); open != std::string::npos; open = sql.find('{', open + 1)) {
    const std::size_t close = sql.find('}', open);
    sql.replace(open, close - open + 1,
                dialect.type(std::string_view(sql).substr(open + 1, close - open - 1)));
  }
  return sql;
}

// None in an empty database.
std::optional<long long> known_schema(Dialect& dialect, soci::session& session) {
  long long number = 0;
  try {
    session << "SELECT number FROM schema_version WHERE id = 1", soci::into(number);
    if (session.got_data()) return number;
  } catch (const soci::soci_error&) {
    const Failure failure = dialect.classify();
    if (failure.kind == Failure::Kind::lost || failure.kind == Failure::Kind::retry) throw failure;
  }
  return {};
}

// 0 for an empty database.
long long stored_schema(Dialect& dialect, soci::session& session) {
  // Asked before it is created: whoever may only read and write rows can still start.
  if (const auto known = known_schema(dialect, session)) return *known;
  session << "CREATE TABLE IF NOT EXISTS schema_version (id BIGINT PRIMARY KEY, number BIGINT NOT NULL)" +
                 dialect.table_suffix(false);
  session << "INSERT INTO schema_version (id, number) VALUES (1, 0)";
  return 0;
}

Status check_known(const Dialect& dialect, long long number) {
  if (number <= newest_schema()) return {};
  return unsupported(dialect.place() + " has schema " + std::to_string(number) +
                     "; this program knows up to " + std::to_string(newest_schema()) +
                     ": install the newer program again, or restore an older backup");
}

Status migrate_locked(Dialect& dialect, Log& log) {
  const auto connection = dialect.connect(true);
  long long number = stored_schema(dialect, connection->session());
  HANAPER_CHECK(check_known(dialect, number));
  for (; number < newest_schema(); ++number) {
    connection->begin();
    for (const Step& step : migrations()[static_cast<std::size_t>(number)])
      connection->session() << spell(dialect, step);
    connection->session() << "UPDATE schema_version SET number = " << number + 1 << " WHERE id = 1";
    connection->commit();
    log.info("schema migrated", {{"database", dialect.place()}, {"schema", std::to_string(number + 1)}});
  }
  return {};
}

}  // namespace

int newest_schema() noexcept { return static_cast<int>(migrations().size()); }

Status migrate(Dialect& dialect, Log& log) {
  // Another node may be at it too: then the steps that are done already are run again, to no effect.
  constexpr int attempts = 5;
  for (int attempt = 1;; ++attempt) {
    Failure failure;
    try {
      const auto lock = dialect.migration_lock();
      return migrate_locked(dialect, log);
    } catch (const Failure& thrown) {
      failure = thrown;
    } catch (const soci::soci_error&) {
      failure = dialect.classify();
    }
    const bool again = failure.kind == Failure::Kind::retry || failure.kind == Failure::Kind::duplicate;
    if (!again || attempt == attempts) throw failure;
  }
}

Result<std::string> look_at_schema(Dialect& dialect) {
  if (!dialect.is_there()) return dialect.place() + " does not exist and would be made";
  std::optional<long long> number;
  Failure failure;
  try {
    const auto connection = dialect.connect(false);
    number = known_schema(dialect, connection->session());
    if (!number) return dialect.place() + " is empty and would get its tables";
    HANAPER_CHECK(check_known(dialect, *number));
    if (*number == newest_schema()) return std::string();
    return dialect.place() + ": the schema would go from " + std::to_string(*number) + " to " +
           std::to_string(newest_schema());
  } catch (const Failure& thrown) {
    failure = thrown;
  } catch (const soci::soci_error&) {
    failure = dialect.classify();
  }
  return unavailable(dialect.place() + ": " + failure.what);
}

}  // namespace hanaper::sql
