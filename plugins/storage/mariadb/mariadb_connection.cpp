#include "mariadb_dialect.hpp"

namespace hanaper::sql {
namespace {

// What one execution may carry: well below the server's default max_allowed_packet of 16 MiB, of which a
// single document needs 1.
constexpr std::size_t most_octets = 4 * 1024 * 1024;

// How MariaDB spells what it spells in its own way; empty: as everybody.
std::string_view own_spelling(Statement statement) {
  switch (statement) {
    case Statement::insert_blocked_key:
      return "INSERT INTO blocked_key (hash) VALUES (?) ON DUPLICATE KEY UPDATE hash = hash";
    case Statement::insert_name:
      return "INSERT INTO certificate_name (name, authority, serial) VALUES (?, ?, ?) "
             "ON DUPLICATE KEY UPDATE name = name";
    case Statement::change_expiry:
      return "INSERT INTO expiry (node, expiry_day, amount) VALUES (?, ?, ?) "
             "ON DUPLICATE KEY UPDATE amount = amount + VALUES(amount)";
    case Statement::purge_indexes:
      return "DELETE i FROM record_index i JOIN (SELECT collection, item FROM record WHERE expires < ? "
             "ORDER BY expires, collection, item LIMIT 1000) e "
             "ON i.collection = e.collection AND i.item = e.item";
    case Statement::purge_records:
      return "DELETE FROM record WHERE expires < ? ORDER BY expires, collection, item LIMIT 1000";
    default:
      return {};
  }
}

// One execution for many rows is for statements about one table.
bool takes_arrays(Statement statement) {
  return statement != Statement::insert_authority && statement != Statement::purge_indexes &&
         statement != Statement::purge_records;
}

std::size_t octets_of(const Row& row) {
  std::size_t octets = 0;
  for (const Field& field : row.values()) {
    if (const auto* text = std::get_if<std::string_view>(&field)) octets += text->size();
    if (const auto* blob = std::get_if<ByteView>(&field)) octets += blob->size();
  }
  return octets + 64;
}

// The values of one parameter in all rows, as the client library takes arrays: by column.
struct Column {
  void add(const Field& field) {
    static constexpr char nothing = 0;
    char indicator = STMT_INDICATOR_NONE;
    long long integer = 0;
    const char* text = &nothing;
    unsigned long length = 0;
    const auto take = [&](const void* data, std::size_t size) {
      if (size != 0) text = static_cast<const char*>(data);
      length = size;
    };
    if (const auto* value = std::get_if<std::int64_t>(&field)) {
      integer = *value;
    } else if (const auto* characters = std::get_if<std::string_view>(&field)) {
      type = MYSQL_TYPE_STRING;
      take(characters->data(), characters->size());
    } else if (const auto* octets = std::get_if<ByteView>(&field)) {
      type = MYSQL_TYPE_BLOB;
      take(octets->data(), octets->size());
    } else {
      indicator = STMT_INDICATOR_NULL;
    }
    integers.push_back(integer);
    texts.push_back(const_cast<char*>(text));
    lengths.push_back(length);
    indicators.push_back(indicator);
  }

  MYSQL_BIND bind(bool as_array) {
    MYSQL_BIND result{};
    result.buffer_type = type;
    const bool is_integer = type == MYSQL_TYPE_LONGLONG;
    if (as_array)
      result.buffer = is_integer ? static_cast<void*>(integers.data()) : static_cast<void*>(texts.data());
    else
      result.buffer = is_integer ? static_cast<void*>(integers.data()) : static_cast<void*>(texts.front());
    result.length = lengths.data();
    if (!as_array) result.buffer_length = lengths.front();
    null = indicators.front() == STMT_INDICATOR_NULL ? 1 : 0;
    if (as_array)
      result.u.indicator = indicators.data();
    else
      result.is_null = &null;
    return result;
  }

  enum_field_types type = MYSQL_TYPE_LONGLONG;
  std::vector<long long> integers;
  std::vector<char*> texts;
  std::vector<unsigned long> lengths;
  std::vector<char> indicators;
  my_bool null = 0;
};

}  // namespace

MariadbConnection::MariadbConnection(const std::string& parameters)
    : session_(soci::mysql, parameters),
      handle_(static_cast<soci::mysql_session_backend*>(session_.get_backend())->conn_) {}

MariadbConnection::~MariadbConnection() {
  for (MYSQL_STMT* statement : prepared_)
    if (statement != nullptr) mysql_stmt_close(statement);
}

void MariadbConnection::execute(std::string_view sql) {
  if (mysql_real_query(handle_, sql.data(), sql.size()) != 0) throw mariadb_failure(mysql_errno(handle_));
}

// On a cluster that of this server, once it has what the others have committed (causal_reads). Whoever reads
// it may write to a slow disk between two pages; it keeps no locks meanwhile.
void MariadbConnection::begin_snapshot() {
  execute("SET SESSION idle_transaction_timeout = 60");
  execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

bool MariadbConnection::rollback() noexcept { return mysql_rollback(handle_) == 0; }

MYSQL_STMT* MariadbConnection::prepared(Statement statement) {
  const auto index = static_cast<std::size_t>(statement);
  if (prepared_[index] != nullptr) return prepared_[index];
  std::string_view sql = own_spelling(statement);
  if (sql.empty()) sql = statements[index];
  MYSQL_STMT* made = mysql_stmt_init(handle_);
  if (made == nullptr) throw Failure{Failure::Kind::refused, "no memory for a statement"};
  if (mysql_stmt_prepare(made, sql.data(), sql.size()) != 0) {
    const Failure failure = mariadb_failure(mysql_stmt_errno(made));
    mysql_stmt_close(made);
    throw failure;
  }
  return prepared_[index] = made;
}

std::int64_t MariadbConnection::run(const Row& row) {
  const Row* const one = &row;
  return run_alike({&one, 1});
}

// Rows of one statement, in one execution.
std::int64_t MariadbConnection::run_alike(std::span<const Row* const> rows) {
  MYSQL_STMT* statement = prepared(rows.front()->statement);
  const bool as_array = rows.size() > 1;
  std::array<Column, most_fields> columns;
  std::array<MYSQL_BIND, most_fields> binds{};
  for (std::size_t i = 0; i < rows.front()->count; ++i) {
    for (const Row* row : rows) columns[i].add(row->fields[i]);
    binds[i] = columns[i].bind(as_array);
  }
  const unsigned int size = as_array ? static_cast<unsigned int>(rows.size()) : 0;
  if (mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &size) != 0 ||
      mysql_stmt_bind_param(statement, binds.data()) != 0 || mysql_stmt_execute(statement) != 0)
    throw mariadb_failure(mysql_stmt_errno(statement));
  return static_cast<std::int64_t>(mysql_stmt_affected_rows(statement));
}

bool MariadbConnection::run_all(std::span<const Row* const> rows) {
  while (!rows.empty()) {
    const Statement statement = rows.front()->statement;
    std::size_t count = 1, octets = octets_of(*rows.front());
    while (takes_arrays(statement) && count < rows.size() && rows[count]->statement == statement &&
           octets + octets_of(*rows[count]) <= most_octets)
      octets += octets_of(*rows[count++]);
    const std::int64_t changed = run_alike(rows.first(count));
    if (must_change_one(statement) && changed != static_cast<std::int64_t>(count)) return false;
    rows = rows.subspan(count);
  }
  return true;
}

}  // namespace hanaper::sql
