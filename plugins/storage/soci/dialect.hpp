// What differs between databases, and nothing else.
//
// A Dialect opens connections and knows the spelling of types. A Connection is one SOCI session with its
// prepared hot statements: SOCI serves the reads, the database's own handle the writes, because a statement
// prepared once and bound by hand costs a fraction of what SOCI's generic path does. A connection belongs
// to one thread at a time.
#pragma once

#include "statements.hpp"

#include <hanaper/storage.hpp>

#include <soci/soci.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <variant>

namespace hanaper::sql {

// A value to bind; views live until the call returns.
using Field = std::variant<std::nullptr_t, std::int64_t, std::string_view, ByteView>;

// A statement with its values.
struct Row {
  Row(Statement run, std::initializer_list<Field> values) : statement(run), count(values.size()) {
    std::ranges::copy(values, fields.begin());
  }
  std::span<const Field> values() const { return std::span(fields).first(count); }

  Statement statement;
  std::size_t count;
  std::array<Field, most_fields> fields{};
};

// Thrown below this folder's functions, turned into Result at their edge. `what` is safe to show.
struct Failure {
  enum class Kind {
    retry,      // the transaction has had no effect and may succeed when run again
    duplicate,  // a unique key is taken
    invalid,    // a value that the database does not take
    lost,       // the connection is unusable, or its server is; what was being committed is unknown
    refused     // anything else
  };
  Kind kind = Kind::refused;
  std::string what;
};

// The columns of one row of a select, counted from 0. Views live until the next row.
class Cells {
 public:
  virtual bool empty(int column) const = 0;  // NULL
  virtual std::int64_t number(int column) const = 0;
  virtual std::string_view text(int column) const = 0;  // octets as Dialect::decode takes them

 protected:
  ~Cells() = default;
};
using EachRow = std::function<void(const Cells&)>;

class Connection {
 public:
  virtual ~Connection() = default;

  // Where it sits: at one of several servers.
  class Seat {
   public:
    virtual ~Seat() = default;
    virtual bool is_best() const = 0;
  };
  void sit(std::unique_ptr<Seat> seat) { seat_ = std::move(seat); }
  // False: a server that is preferred answers again, and a new connection would go there.
  bool is_best() const { return !seat_ || seat_->is_best(); }

  virtual soci::session& session() = 0;
  // What others may shut down to end every wait on it; -1: nothing.
  virtual int socket() { return -1; }

  // While the result lives, nothing on this connection waits for ever: then the connection ends.
  virtual std::shared_ptr<void> guard() { return nullptr; }

  // Throw Failure.
  virtual void begin() = 0;
  // Instead: what is read from now on is what is committed now. Ends with the connection.
  virtual void begin_snapshot() = 0;
  virtual void commit() = 0;
  // False: the connection may still carry the transaction and must be closed.
  virtual bool rollback() noexcept = 0;

  // Rows affected.
  virtual std::int64_t run(const Row& row) = 0;

  // The rows of a select, whose values are spelt '?', shown one after the other. By SOCI, where a database
  // has no faster way.
  virtual void select(const std::string& sql, std::span<const Field> values, const EachRow& each);

  // Runs all in order, and as few round trips as the database allows. False when one that must change one
  // row has not: which, only `run` can tell.
  virtual bool run_all(std::span<const Row* const> rows) = 0;

 private:
  std::unique_ptr<Seat> seat_;
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  // Throws Failure.
  virtual std::unique_ptr<Connection> connect(bool for_writing) = 0;

  // The database's spelling of the schema's types: see schema.cpp.
  virtual std::string type(std::string_view name) const = 0;
  // What follows the closing parenthesis of CREATE TABLE.
  virtual std::string table_suffix(bool clustered) const = 0;
  // What follows a SELECT whose rows nobody may change until the transaction ends.
  virtual std::string lock_suffix() const = 0;

  // Octets as SOCI sees them in a text variable.
  virtual Bytes decode(std::string_view stored) const = 0;

  // The Failure behind the exception that is being handled.
  virtual Failure classify() const = 0;

  // Keeps two processes from migrating at once while the object lives, where that saves trouble; throws
  // Failure.
  virtual std::shared_ptr<void> migration_lock() = 0;

  // Where there are several servers: begins to ask them whether they answer. How often one was left.
  virtual void watch() {}
  virtual std::uint64_t times_left() const { return 0; }

  // Whether a server has to be asked now and then if it still takes writes. Throws Failure.
  virtual bool has_server() const = 0;
  // Whether there is a database to connect to, as far as that shows before; connecting may make it otherwise.
  virtual bool is_there() const { return true; }
  virtual void probe(soci::session& session) const = 0;

  // How messages name the database: "hanaper.db".
  virtual std::string place() const = 0;
};

}  // namespace hanaper::sql
