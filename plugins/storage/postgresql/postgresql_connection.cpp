#include "postgresql_dialect.hpp"

namespace hanaper::sql {
namespace {

class Answer {
 public:
  explicit Answer(PGresult* result) : result_(result) {}
  ~Answer() { PQclear(result_); }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  explicit operator bool() const { return result_ != nullptr; }
  ExecStatusType status() const { return PQresultStatus(result_); }
  bool failed() const { return status() != PGRES_COMMAND_OK && status() != PGRES_TUPLES_OK; }
  Failure failure() const {
    const char* state = PQresultErrorField(result_, PG_DIAG_SQLSTATE);
    return postgresql_failure(state == nullptr ? "" : state);
  }
  std::int64_t affected() const {
    const std::string text = PQcmdTuples(result_);
    return text.empty() ? 0 : std::stoll(text);
  }
  std::string_view command() const { return PQcmdStatus(result_); }

 private:
  PGresult* result_;
};

// '?' as $1, $2, ...
std::string numbered(std::string_view sql) {
  std::string text;
  int count = 0;
  for (char c : sql) text += c == '?' ? "$" + std::to_string(++count) : std::string(1, c);
  return text;
}

std::string name_of(Statement statement) { return "h" + std::to_string(static_cast<int>(statement)); }

// The values as libpq takes them: all binary, so that no octet means anything to anybody.
struct Binary {
  explicit Binary(const Row& row) {
    for (std::size_t i = 0; i < row.count; ++i) {
      const Field& field = row.fields[i];
      if (const auto* integer = std::get_if<std::int64_t>(&field)) {
        for (std::size_t octet = 0; octet < 8; ++octet)
          integers[i][octet] = static_cast<char>(static_cast<std::uint64_t>(*integer) >> (56 - 8 * octet));
        values[i] = integers[i].data();
        lengths[i] = 8;
      } else if (const auto* text = std::get_if<std::string_view>(&field)) {
        values[i] = text->empty() ? "" : text->data();
        lengths[i] = static_cast<int>(text->size());
      } else if (const auto* octets = std::get_if<ByteView>(&field)) {
        values[i] = octets->empty() ? "" : as_text(*octets).data();
        lengths[i] = static_cast<int>(octets->size());
      }
    }
  }

  std::array<std::array<char, 8>, most_fields> integers{};
  std::array<const char*, most_fields> values{};  // null is NULL
  std::array<int, most_fields> lengths{};
};

constexpr std::array<int, most_fields> binary_formats = [] {
  std::array<int, most_fields> formats{};
  formats.fill(1);
  return formats;
}();

}  // namespace

PostgresqlConnection::PostgresqlConnection(const std::string& parameters, Watchdog& watchdog,
                                           std::chrono::milliseconds limit)
    : session_(soci::postgresql, parameters),
      handle_(static_cast<soci::postgresql_session_backend*>(session_.get_backend())->conn_),
      watchdog_(watchdog),
      limit_(limit) {}

void PostgresqlConnection::execute(const char* sql) {
  const Answer answer(PQexec(handle_, sql));
  if (!answer || answer.failed()) throw answer.failure();
}

// Whoever reads it may write to a slow disk between two pages; it keeps no locks meanwhile. The moment is
// that of the first read.
void PostgresqlConnection::begin_snapshot() {
  execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  execute("SET LOCAL idle_in_transaction_session_timeout = '60s'");
  execute("SELECT number FROM schema_version");
}

// A transaction that has failed is answered "ROLLBACK", which is no error to the server.
void PostgresqlConnection::commit() {
  const Answer answer(PQexec(handle_, "COMMIT"));
  if (!answer || answer.failed()) throw answer.failure();
  if (answer.command() != "COMMIT") throw Failure{Failure::Kind::refused, "the transaction had failed"};
}

bool PostgresqlConnection::rollback() noexcept {
  if (PQpipelineStatus(handle_) != PQ_PIPELINE_OFF) return false;
  const auto limited = guard();
  const Answer answer(PQexec(handle_, "ROLLBACK"));
  return answer && !answer.failed();
}

void PostgresqlConnection::prepare(Statement statement) {
  const auto index = static_cast<std::size_t>(statement);
  if (prepared_[index]) return;
  const Answer answer(
      PQprepare(handle_, name_of(statement).c_str(), numbered(statements[index]).c_str(), 0, nullptr));
  if (!answer || answer.failed()) throw answer.failure();
  prepared_[index] = true;
}

std::int64_t PostgresqlConnection::run(const Row& row) {
  prepare(row.statement);
  const Binary binary(row);
  const Answer answer(PQexecPrepared(handle_, name_of(row.statement).c_str(), static_cast<int>(row.count),
                                     binary.values.data(), binary.lengths.data(), binary_formats.data(), 0));
  if (!answer || answer.failed()) throw answer.failure();
  return answer.affected();
}

void PostgresqlConnection::send(const Row& row) {
  const Binary binary(row);
  if (PQsendQueryPrepared(handle_, name_of(row.statement).c_str(), static_cast<int>(row.count),
                          binary.values.data(), binary.lengths.data(), binary_formats.data(), 0) != 1)
    throw postgresql_failure("");
}

// All in one pipeline: one wait for everything.
bool PostgresqlConnection::run_all(std::span<const Row* const> rows) {
  for (const Row* row : rows) prepare(row->statement);
  if (PQenterPipelineMode(handle_) != 1) throw postgresql_failure("");
  for (const Row* row : rows) send(*row);
  if (PQpipelineSync(handle_) != 1) throw postgresql_failure("");
  std::optional<Failure> first;
  bool fits = true;
  for (const Row* row : rows) {
    const Answer answer(PQgetResult(handle_));
    if (!answer) throw postgresql_failure("");
    if (answer.status() == PGRES_PIPELINE_ABORTED) {
      // What stands behind the one that failed.
    } else if (answer.failed()) {
      if (PQstatus(handle_) != CONNECTION_OK) throw answer.failure();
      if (!first) first = answer.failure();
    } else if (must_change_one(row->statement) && answer.affected() != 1) {
      fits = false;
    }
    if (const Answer end(PQgetResult(handle_)); end) throw postgresql_failure("");
  }
  if (const Answer synced(PQgetResult(handle_)); !synced || synced.status() != PGRES_PIPELINE_SYNC)
    throw postgresql_failure("");
  if (PQexitPipelineMode(handle_) != 1) throw postgresql_failure("");
  if (first) throw *first;
  return fits;
}

}  // namespace hanaper::sql
