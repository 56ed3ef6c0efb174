#include "sqlite_dialect.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <unordered_map>

namespace hanaper::sql {
namespace {

using namespace sqlite_api;

class SqliteCells final : public Cells {
 public:
  explicit SqliteCells(sqlite3_stmt* statement) : statement_(statement) {}

  bool empty(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::int64_t number(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::string_view text(int column) const override {
    const void* octets = sqlite3_column_blob(statement_, column);  // before its size is asked for
    return {static_cast<const char*>(octets),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

class SqliteConnection final : public Connection {
 public:
  SqliteConnection(const std::string& path, bool for_writing)
      : session_(soci::sqlite3, "db=\"" + path + "\" timeout=5 shared_cache=false"),
        handle_(static_cast<soci::sqlite3_session_backend*>(session_.get_backend())->conn_) {
    sqlite3_extended_result_codes(handle_, 1);
    // FULL: the WAL is synced at every commit. A checkpoint each 32 MiB keeps it out of most of them, and
    // larger pages halve the writes that a group of rows takes. (The page size counts when the file is made.)
    execute("PRAGMA page_size = 8192");
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = FULL");
    execute("PRAGMA wal_autocheckpoint = 4096");
    execute(for_writing ? "PRAGMA cache_size = -65536" : "PRAGMA cache_size = -8192");
    if (!for_writing) execute("PRAGMA query_only = ON");
  }

  ~SqliteConnection() override {
    for (sqlite3_stmt* statement : prepared_) sqlite3_finalize(statement);
  }

  soci::session& session() override { return session_; }

  void begin() override { execute("BEGIN IMMEDIATE"); }
  void begin_snapshot() override {
    execute("BEGIN");
    execute("SELECT number FROM schema_version");  // the moment is that of the first read
  }
  void commit() override { execute("COMMIT"); }
  bool rollback() noexcept override {
    if (sqlite3_get_autocommit(handle_) != 0) return true;  // SQLite has done so by itself
    return sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK;
  }

  std::int64_t run(const Row& row) override {
    sqlite3_stmt* prepared = prepare(row.statement);
    int position = 0;
    for (const Field& field : row.values()) bind(prepared, ++position, field);
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) code = sqlite3_step(prepared);
    sqlite3_reset(prepared);
    if (code != SQLITE_DONE) throw sqlite_failure(code);
    return sqlite3_changes(handle_);
  }

  // Prepared once: SOCI would spend more on preparing and copying than SQLite on finding.
  void select(const std::string& sql, std::span<const Field> values, const EachRow& each) override {
    sqlite3_stmt* prepared = prepare(sql);
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> at_rest(prepared, sqlite3_reset);
    int position = 0;
    for (const Field& field : values) bind(prepared, ++position, field);
    const SqliteCells cells(prepared);
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(prepared)) == SQLITE_ROW) each(cells);
    if (code != SQLITE_DONE) throw sqlite_failure(code);
  }

  bool run_all(std::span<const Row* const> rows) override {
    return std::ranges::all_of(
        rows, [&](const Row* row) { return run(*row) == 1 || !must_change_one(row->statement); });
  }

 private:
  using Prepared = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;
  static constexpr std::size_t most_selects = 64;

  void execute(const char* sql) {
    const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) throw sqlite_failure(sqlite3_extended_errcode(handle_));
  }

  sqlite3_stmt* prepare(Statement statement) {
    const auto index = static_cast<std::size_t>(statement);
    if (prepared_[index] == nullptr) prepared_[index] = prepare_new(statements[index]);
    return prepared_[index];
  }

  sqlite3_stmt* prepare(const std::string& sql) {
    if (const auto known = selects_.find(sql); known != selects_.end()) return known->second.get();
    // Searches have many forms; what is asked all the time comes back at once.
    if (selects_.size() >= most_selects) selects_.clear();
    sqlite3_stmt* made = prepare_new(sql);
    selects_.emplace(sql, Prepared(made, sqlite3_finalize));
    return made;
  }

  sqlite3_stmt* prepare_new(std::string_view sql) {
    sqlite3_stmt* made = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (code != SQLITE_OK) throw sqlite_failure(code);
    return made;
  }

  // The views outlive the step, so nothing is copied.
  static void bind(sqlite3_stmt* prepared, int position, const Field& field) {
    struct Binder {
      sqlite3_stmt* statement;
      int at;
      int operator()(std::nullptr_t) const { return sqlite3_bind_null(statement, at); }
      int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, at, value); }
      int operator()(std::string_view value) const {
        return sqlite3_bind_text(statement, at, value.data() ? value.data() : "",
                                 static_cast<int>(value.size()), nullptr);
      }
      int operator()(ByteView value) const {
        if (value.empty()) return sqlite3_bind_zeroblob(statement, at, 0);
        return sqlite3_bind_blob(statement, at, value.data(), static_cast<int>(value.size()), nullptr);
      }
    };
    const int code = std::visit(Binder{prepared, position}, field);
    if (code != SQLITE_OK) throw sqlite_failure(code);
  }

  soci::session session_;
  sqlite3* handle_;
  std::array<sqlite3_stmt*, statement_count> prepared_{};
  std::unordered_map<std::string, Prepared> selects_;
};

}  // namespace

Failure sqlite_failure(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Failure::Kind::retry, "database is locked by another process"};
    case SQLITE_CONSTRAINT:
      return {Failure::Kind::duplicate, "unique key is taken"};
    case SQLITE_FULL:
      return {Failure::Kind::refused, "no space left for the database; free some, writing goes on by itself"};
    case SQLITE_CORRUPT:
      return {Failure::Kind::refused, "database is damaged; stop the daemon and restore a backup"};
    case SQLITE_NOTADB:
      return {Failure::Kind::refused, "not a SQLite database; name another file or restore a backup"};
    case SQLITE_READONLY:
      return {Failure::Kind::refused, "database is read-only; check owner and mode of file and folder"};
    case SQLITE_CANTOPEN:
      return {Failure::Kind::refused, "cannot be opened; check that its folder exists and is writable"};
    case SQLITE_IOERR:
      // The index of its log is a file beside it, which even readers have to make larger.
      if (code == SQLITE_IOERR_SHMSIZE || code == SQLITE_IOERR_SHMMAP || code == SQLITE_IOERR_WRITE)
        return {Failure::Kind::refused,
                "no space left for the files beside the database; free some, or check the disk"};
      return {Failure::Kind::refused, "reading or writing failed; check the disk"};
    default:
      return {Failure::Kind::refused, std::string("sqlite: ") + sqlite3_errstr(code)};
  }
}

std::unique_ptr<Connection> SqliteDialect::connect(bool for_writing) try {
  // A connection belongs to one thread at a time: SQLite need not lock a mutex for each column it gives, nor
  // one for all threads to count each allocation. Too late, and then not done, when something else in the
  // process has used SQLite before.
  static const int unlocked =
      sqlite3_config(SQLITE_CONFIG_MULTITHREAD) | sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(unlocked);
  return std::make_unique<SqliteConnection>(path_, for_writing);
} catch (const soci::soci_error&) {
  throw classify();
}

std::string SqliteDialect::type(std::string_view name) const { return name == "blob" ? "BLOB" : "TEXT"; }

Failure SqliteDialect::classify() const {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const soci::sqlite3_soci_error& error) {
    return sqlite_failure(error.result());
  } catch (const soci::soci_error& error) {
    // Its text may hold bound values: only what it is about is said.
    return {Failure::Kind::refused, "unexpected answer of the database library"};
  }
}

std::shared_ptr<void> SqliteDialect::migration_lock() {
  const std::string folder = std::filesystem::path(path_).parent_path();
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) throw Failure{Failure::Kind::refused, "folder " + folder + " cannot be opened"};
  ::flock(handle, LOCK_EX);
  return {nullptr, [handle](void*) { ::close(handle); }};
}

}  // namespace hanaper::sql
