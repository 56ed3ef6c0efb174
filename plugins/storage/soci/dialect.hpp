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

#include <memory>
#include <variant>

namespace hanaper::sql {

// A value to bind; views live until the call returns.
using Field = std::variant<std::nullptr_t, std::int64_t, std::string_view, ByteView>;

// Thrown below this folder's functions, turned into Result at their edge. `retry`: the transaction has had no
// effect and may succeed when run again; `duplicate`: a unique key is taken; `lost`: the connection is
// unusable and what it was doing has an unknown outcome; `refused`: anything else. `what` is safe to show.
struct Failure {
  enum class Kind { retry, duplicate, lost, refused };
  Kind kind;
  std::string what;
};

class Connection {
 public:
  virtual ~Connection() = default;

  virtual soci::session& session() = 0;

  // Throw Failure. rollback never does: what cannot be rolled back is closed.
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;
  // Rows affected.
  virtual std::int64_t run(Statement statement, std::initializer_list<Field> fields) = 0;
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

  // Octets as SOCI must see them in a text variable, and back.
  virtual std::string encode(ByteView octets) const = 0;
  virtual Bytes decode(const std::string& stored) const = 0;

  // The Failure behind the exception that is being handled.
  virtual Failure classify() const = 0;

  // Keeps two processes from migrating at once while the object lives; throws Failure.
  virtual std::shared_ptr<void> migration_lock() = 0;

  // How messages name the database: "hanaper.db".
  virtual std::string place() const = 0;
};

}  // namespace hanaper::sql
