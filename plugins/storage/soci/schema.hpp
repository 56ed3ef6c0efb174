// The schema: numbered migrations in one portable spelling.
#pragma once

#include "dialect.hpp"

#include <hanaper/host.hpp>

namespace hanaper::sql {

// The newest schema this program knows.
int newest_schema() noexcept;

// Brings the database to the newest schema, each migration in a transaction of its own, under the
// dialect's migration lock. Refuses a database newer than this program. Throws Failure when it cannot.
Status migrate(Dialect& dialect, Log& log);

// What migrate would do, without doing it: empty when the schema is the newest. Fails as migrate does.
Result<std::string> look_at_schema(Dialect& dialect);

}  // namespace hanaper::sql
