#include "store_reference.hpp"

#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>

#include <array>
#include <cstdlib>

namespace hanaper::bench {
namespace {

constexpr const char* insert_row =
    "INSERT INTO ref_certificate (authority, serial, profile, requester, not_before, not_after, shard, tbs) "
    "VALUES ";
constexpr const char* index = "CREATE INDEX ref_expiry ON ref_certificate (not_after)";

std::string certificate_table(const std::string& id, const std::string& text, const std::string& blob) {
  return "CREATE TABLE ref_certificate (authority BIGINT NOT NULL, serial " + id + " NOT NULL, profile " +
         id + " NOT NULL, requester " + text +
         " NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL, shard "
         "BIGINT NOT NULL, tbs " +
         blob + " NOT NULL, PRIMARY KEY (authority, serial))";
}
std::string writer_table(const std::string& id) {
  return "CREATE TABLE ref_writer (node " + id + " PRIMARY KEY, number BIGINT NOT NULL, token " + id +
         " NOT NULL)";
}
constexpr const char* first_writer = "INSERT INTO ref_writer VALUES ('bench', 0, '')";
const std::string token(32, 'f');

class SqliteReference final : public Reference {
 public:
  explicit SqliteReference(const std::string& file) {
    check(sqlite3_open(file.c_str(), &handle_));
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("PRAGMA wal_autocheckpoint = 4096");
    run("PRAGMA cache_size = -65536");
    run(certificate_table("TEXT", "TEXT", "BLOB"));
    run(index);
    run(writer_table("TEXT"));
    run(first_writer);
    prepare(std::string(insert_row) + "(?, ?, ?, ?, ?, ?, ?, ?)", insert_);
    prepare("UPDATE ref_writer SET number = ?, token = ? WHERE node = 'bench' AND number = ?", advance_);
  }
  ~SqliteReference() override {
    sqlite3_finalize(insert_);
    sqlite3_finalize(advance_);
    sqlite3_close(handle_);
  }

  void commit(std::uint64_t number, const std::vector<CertificateData>& rows) override {
    run("BEGIN IMMEDIATE");
    sqlite3_bind_int64(advance_, 1, static_cast<std::int64_t>(number));
    sqlite3_bind_text(advance_, 2, token.data(), 32, nullptr);
    sqlite3_bind_int64(advance_, 3, static_cast<std::int64_t>(number) - 1);
    step(advance_);
    for (const CertificateData& row : rows) {
      sqlite3_bind_int64(insert_, 1, row.authority);
      const std::string* texts[] = {&row.serial, &row.profile, &row.requester};
      for (int i = 0; i < 3; ++i)
        sqlite3_bind_text(insert_, 2 + i, texts[i]->data(), static_cast<int>(texts[i]->size()), nullptr);
      sqlite3_bind_int64(insert_, 5, row.not_before);
      sqlite3_bind_int64(insert_, 6, row.not_after);
      sqlite3_bind_int64(insert_, 7, row.shard);
      sqlite3_bind_blob(insert_, 8, row.tbs.data(), static_cast<int>(row.tbs.size()), nullptr);
      step(insert_);
    }
    run("COMMIT");
  }

 private:
  void check(int code) {
    if (code != SQLITE_OK) give_up(std::string("sqlite: ") + sqlite3_errmsg(handle_));
  }
  void run(const std::string& sql) { check(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr)); }
  void prepare(const std::string& sql, sqlite3_stmt*& statement) {
    check(sqlite3_prepare_v3(handle_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  }
  void step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) give_up(std::string("sqlite: ") + sqlite3_errmsg(handle_));
    sqlite3_reset(statement);
  }

  sqlite3* handle_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* advance_ = nullptr;
};

class MariadbReference final : public Reference {
 public:
  explicit MariadbReference(const std::map<std::string, std::string>& settings)
      : handle_(mysql_init(nullptr)) {
    if (mysql_real_connect(handle_, settings.at("host").c_str(), settings.at("user").c_str(),
                           settings.at("password").c_str(), settings.at("database").c_str(),
                           static_cast<unsigned int>(std::stoul(settings.at("port"))), nullptr,
                           CLIENT_FOUND_ROWS) == nullptr)
      give_up(mysql_error(handle_));
    run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    const std::string suffix = " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";
    run(certificate_table("VARBINARY(200)", "LONGTEXT", "MEDIUMBLOB") + suffix);
    run(index);
    run(writer_table("VARBINARY(200)") + suffix);
    run(first_writer);
    insert_ = prepare(std::string(insert_row) + "(?, ?, ?, ?, ?, ?, ?, ?)");
    advance_ = prepare("UPDATE ref_writer SET number = ?, token = ? WHERE node = 'bench' AND number = ?");
  }
  ~MariadbReference() override {
    mysql_stmt_close(insert_);
    mysql_stmt_close(advance_);
    mysql_close(handle_);
  }

  void commit(std::uint64_t number, const std::vector<CertificateData>& rows) override {
    run("START TRANSACTION");
    advance(static_cast<long long>(number));
    std::array<std::vector<long long>, 4> integers;
    std::array<std::vector<char*>, 4> texts;
    std::array<std::vector<unsigned long>, 4> lengths;
    for (const CertificateData& row : rows) {
      const std::int64_t numbers[] = {row.authority, row.not_before, row.not_after, row.shard};
      const std::string* strings[] = {&row.serial, &row.profile, &row.requester, &row.tbs};
      for (std::size_t i = 0; i < 4; ++i) {
        integers[i].push_back(numbers[i]);
        texts[i].push_back(const_cast<char*>(strings[i]->data()));
        lengths[i].push_back(strings[i]->size());
      }
    }
    std::array<MYSQL_BIND, 8> binds{};
    const int integer_at[] = {0, 4, 5, 6}, text_at[] = {1, 2, 3, 7};
    for (std::size_t i = 0; i < 4; ++i) {
      MYSQL_BIND& integer = binds[static_cast<std::size_t>(integer_at[i])];
      integer.buffer_type = MYSQL_TYPE_LONGLONG;
      integer.buffer = integers[i].data();
      MYSQL_BIND& text = binds[static_cast<std::size_t>(text_at[i])];
      text.buffer_type = i == 3 ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
      text.buffer = texts[i].data();
      text.length = lengths[i].data();
    }
    const auto size = static_cast<unsigned int>(rows.size());
    mysql_stmt_attr_set(insert_, STMT_ATTR_ARRAY_SIZE, &size);
    execute(insert_, binds.data());
    run("COMMIT");
  }

 private:
  void run(const std::string& sql) {
    if (mysql_real_query(handle_, sql.data(), sql.size()) != 0) give_up(mysql_error(handle_));
  }
  MYSQL_STMT* prepare(const std::string& sql) {
    MYSQL_STMT* statement = mysql_stmt_init(handle_);
    if (mysql_stmt_prepare(statement, sql.data(), sql.size()) != 0) give_up(mysql_stmt_error(statement));
    return statement;
  }
  void execute(MYSQL_STMT* statement, MYSQL_BIND* binds) {
    if (mysql_stmt_bind_param(statement, binds) != 0 || mysql_stmt_execute(statement) != 0)
      give_up(mysql_stmt_error(statement));
  }
  void advance(long long number) {
    long long before = number - 1;
    unsigned long length = token.size();
    std::array<MYSQL_BIND, 3> binds{};
    for (std::size_t i : {0u, 2u}) binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
    binds[0].buffer = &number;
    binds[1].buffer_type = MYSQL_TYPE_STRING;
    binds[1].buffer = const_cast<char*>(token.data());
    binds[1].buffer_length = length;
    binds[1].length = &length;
    binds[2].buffer = &before;
    execute(advance_, binds.data());
  }

  MYSQL* handle_;
  MYSQL_STMT* insert_ = nullptr;
  MYSQL_STMT* advance_ = nullptr;
};

class PostgresqlReference final : public Reference {
 public:
  explicit PostgresqlReference(const std::map<std::string, std::string>& settings) {
    const char* keys[] = {"host", "port", "user", "password", "dbname", "sslmode", nullptr};
    const char* values[] = {settings.at("host").c_str(),
                            settings.at("port").c_str(),
                            settings.at("user").c_str(),
                            settings.at("password").c_str(),
                            settings.at("database").c_str(),
                            "disable",
                            nullptr};
    handle_ = PQconnectdbParams(keys, values, 0);
    if (PQstatus(handle_) != CONNECTION_OK) give_up(PQerrorMessage(handle_));
    const std::string id = "VARCHAR(200) COLLATE \"C\"";
    run(certificate_table(id, "TEXT", "BYTEA"));
    run(index);
    run(writer_table(id));
    run(first_writer);
    prepare("insert", std::string(insert_row) + "($1, $2, $3, $4, $5, $6, $7, $8)");
    prepare("advance", "UPDATE ref_writer SET number = $1, token = $2 WHERE node = 'bench' AND number = $3");
  }
  ~PostgresqlReference() override { PQfinish(handle_); }

  void commit(std::uint64_t number, const std::vector<CertificateData>& rows) override {
    run("BEGIN");
    PQenterPipelineMode(handle_);
    const Integer next(static_cast<std::int64_t>(number)), before(static_cast<std::int64_t>(number) - 1);
    const char* advance[] = {next.octets.data(), token.data(), before.octets.data()};
    const int advance_lengths[] = {8, 32, 8};
    send("advance", 3, advance, advance_lengths);
    for (const CertificateData& row : rows) {
      const Integer authority(row.authority), from(row.not_before), until(row.not_after), shard(row.shard);
      const char* values[] = {authority.octets.data(), row.serial.data(),  row.profile.data(),
                              row.requester.data(),    from.octets.data(), until.octets.data(),
                              shard.octets.data(),     row.tbs.data()};
      const auto length = [](const std::string& text) { return static_cast<int>(text.size()); };
      const int lengths[] = {8, length(row.serial), length(row.profile), length(row.requester), 8, 8,
                             8, length(row.tbs)};
      send("insert", 8, values, lengths);
    }
    PQpipelineSync(handle_);
    for (std::size_t i = 0; i <= rows.size(); ++i) {
      take(PGRES_COMMAND_OK);
      PQgetResult(handle_);
    }
    take(PGRES_PIPELINE_SYNC);
    PQexitPipelineMode(handle_);
    run("COMMIT");
  }

 private:
  struct Integer {
    explicit Integer(std::int64_t value) {
      for (std::size_t i = 0; i < 8; ++i)
        octets[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (56 - 8 * i));
    }
    std::array<char, 8> octets{};
  };

  void run(const std::string& sql) {
    PGresult* result = PQexec(handle_, sql.c_str());
    if (PQresultStatus(result) != PGRES_COMMAND_OK) give_up(PQerrorMessage(handle_));
    PQclear(result);
  }
  void prepare(const char* name, const std::string& sql) {
    PGresult* result = PQprepare(handle_, name, sql.c_str(), 0, nullptr);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) give_up(PQerrorMessage(handle_));
    PQclear(result);
  }
  void send(const char* name, int count, const char* const* values, const int* lengths) {
    constexpr int binary[] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (PQsendQueryPrepared(handle_, name, count, values, lengths, binary, 0) != 1)
      give_up(PQerrorMessage(handle_));
  }
  void take(ExecStatusType wanted) {
    PGresult* result = PQgetResult(handle_);
    if (PQresultStatus(result) != wanted) give_up(PQerrorMessage(handle_));
    PQclear(result);
  }

  PGconn* handle_ = nullptr;
};

}  // namespace

std::unique_ptr<Reference> make_reference(const std::string& kind,
                                          const std::map<std::string, std::string>& settings) {
  if (kind == "mariadb") return std::make_unique<MariadbReference>(settings);
  if (kind == "postgresql") return std::make_unique<PostgresqlReference>(settings);
  return std::make_unique<SqliteReference>(settings.at("file"));
}

void give_up(const std::string& why) {
  std::fprintf(stderr, "store_bench: %s\n", why.c_str());
  std::exit(1);
}

}  // namespace hanaper::bench
