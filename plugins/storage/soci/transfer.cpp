// A storage as plain rows.
#include "sql_storage.hpp"

#include <stdexcept>

namespace hanaper::sql {
namespace {

// A table as the statement that writes whole rows of it names its columns; `kinds` has a letter for each:
// integer, text, octets.
struct Layout {
  std::string_view table;
  Statement insert;
  std::string_view kinds;
  std::size_t key;

  std::vector<std::string> columns() const {
    const std::string_view sql = statements[static_cast<std::size_t>(insert)];
    const std::size_t open = sql.find('(');
    std::string_view list = sql.substr(open + 1, sql.find(')') - open - 1);
    std::vector<std::string> names;
    for (;;) {
      const std::size_t comma = list.find(", ");
      names.emplace_back(list.substr(0, comma));
      if (comma == std::string_view::npos) return names;
      list.remove_prefix(comma + 2);
    }
  }
};

// The writers come last: see Transferable::tables. Authorities come late, because a node that finds its own
// has a ledger to serve.
constexpr Layout layouts[] = {
    {"certificate", Statement::insert_certificate, "itttiiiot", 2},
    {"signature", Statement::insert_signature, "tiitio", 2},
    {"revocation", Statement::insert_revocation, "iitiiiiti", 3},
    {"crl", Statement::insert_crl, "iiiiiiiit", 3},
    {"certificate_name", Statement::insert_name, "tit", 3},
    {"blocked_key", Statement::insert_blocked_key, "t", 1},
    {"expiry", Statement::change_expiry, "tii", 2},
    {"audit", Statement::insert_audit, "tiittt", 2},
    {"record", Statement::copy_record, "ttiit", 2},
    {"record_index", Statement::insert_index, "tttt", 4},
    {"lease", Statement::copy_lease, "ttiii", 1},
    {"authority", Statement::copy_authority, "ittoo", 1},
    {"writer", Statement::create_writer, "tit", 1},
};

const Layout& layout_of(const Transferable::Table& table) {
  const auto* found = std::ranges::find(layouts, table.name, &Layout::table);
  if (found == std::end(layouts)) throw std::out_of_range("no table " + table.name);
  return *found;
}

// Runs a select of a layout's first columns with conditions on text and integer cells.
class CellReader {
 public:
  CellReader(const Dialect& dialect, std::string_view kinds) : dialect_(dialect), kinds_(kinds) {
    cells_.resize(kinds.size());
  }

  void read(soci::session& session, const std::string& sql, std::vector<std::string> parameters,
            std::vector<Transferable::Row>& rows) {
    soci::statement statement(session);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (kinds_[i] == 'i')
        statement.exchange(soci::into(cells_[i].integer, cells_[i].indicator));
      else
        statement.exchange(soci::into(cells_[i].text, cells_[i].indicator));
    }
    for (std::string& parameter : parameters) statement.exchange(soci::use(parameter));
    statement.alloc();
    statement.prepare(sql, soci::details::st_one_time_query);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) rows.push_back(row());
  }

 private:
  struct Variable {
    long long integer = 0;
    std::string text;
    soci::indicator indicator = soci::i_null;
  };

  Transferable::Row row() const {
    Transferable::Row result;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const Variable& cell = cells_[i];
      if (cell.indicator != soci::i_ok)
        result.emplace_back();
      else if (kinds_[i] == 'i')
        result.emplace_back(std::int64_t{cell.integer});
      else if (kinds_[i] == 'o')
        result.emplace_back(std::string(as_text(dialect_.decode(cell.text))));
      else
        result.emplace_back(cell.text);
    }
    return result;
  }

  const Dialect& dialect_;
  const std::string_view kinds_;
  std::vector<Variable> cells_;
};

std::string list(const std::vector<std::string>& columns, std::size_t from, std::size_t to,
                 const std::string& after_each = "") {
  std::string text;
  for (std::size_t i = from; i < to; ++i) text += (i == from ? "" : ", ") + columns[i] + after_each;
  return text;
}

// Whether the cells are what the columns take: a row may come from another version, or from a broken file.
bool fits(const Layout& layout, const Transferable::Row& row) {
  if (row.size() != layout.kinds.size()) return false;
  for (std::size_t i = 0; i < row.size(); ++i)
    if (!std::holds_alternative<std::monostate>(row[i]) &&
        std::holds_alternative<std::int64_t>(row[i]) != (layout.kinds[i] == 'i'))
      return false;
  return true;
}

Field field_of(const Transferable::Cell& cell, char kind) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return *integer;
  if (const auto* text = std::get_if<std::string>(&cell)) {
    if (kind == 'o') return as_bytes(*text);
    return std::string_view(*text);
  }
  return nullptr;
}

// A key is greater when it is equal in its first columns and greater in the next. One select for each such
// next column, the longest equal part first: that is the order, and every database has an index for it.
std::vector<Transferable::Row> read_rows(const Dialect& dialect, soci::session& session,
                                         const Transferable::Table& table, const Transferable::Row& after,
                                         std::uint32_t limit) {
  const Layout& layout = layout_of(table);
  const std::vector<std::string> columns = layout.columns();
  const std::string select =
      "SELECT " + list(columns, 0, columns.size()) + " FROM " + std::string(layout.table);
  CellReader reader(dialect, layout.kinds);
  std::vector<Transferable::Row> found;
  const std::size_t deepest = after.empty() ? 1 : layout.key;
  for (std::size_t depth = deepest; depth > 0 && found.size() < limit; --depth) {
    std::string where;
    std::vector<std::string> parameters;
    for (std::size_t i = 0; i < depth && !after.empty(); ++i) {
      where += (i == 0 ? " WHERE " : " AND ") + columns[i] + (i + 1 == depth ? " > " : " = ");
      if (const auto* integer = std::get_if<std::int64_t>(&after[i])) {
        where += std::to_string(*integer);
      } else {
        where += ":p" + std::to_string(parameters.size());
        parameters.push_back(std::get<std::string>(after[i]));
      }
    }
    reader.read(session,
                select + where + " ORDER BY " + list(columns, 0, layout.key) + " LIMIT " +
                    std::to_string(limit - found.size()),
                std::move(parameters), found);
  }
  return found;
}

// A connection of its own, whose transaction is the moment.
class SqlSnapshot final : public Snapshot {
 public:
  SqlSnapshot(const Dialect& dialect, std::unique_ptr<Connection> connection)
      : dialect_(dialect), connection_(std::move(connection)) {}

  Result<std::vector<Transferable::Row>> rows(const Transferable::Table& table,
                                              const Transferable::Row& after, std::uint32_t limit) override {
    if (!connection_) return unavailable(dialect_.place() + ": what it held then is no longer to be had");
    Failure failure;
    try {
      const auto guard = connection_->guard();
      return read_rows(dialect_, connection_->session(), table, after, limit);
    } catch (const Failure& thrown) {
      failure = thrown;
    } catch (const soci::soci_error&) {
      failure = dialect_.classify();
    }
    connection_.reset();
    return unavailable(dialect_.place() + ": " + failure.what);
  }

 private:
  const Dialect& dialect_;
  std::unique_ptr<Connection> connection_;  // null once it has failed
};

}  // namespace

std::vector<Transferable::Table> SqlStorage::tables() const {
  std::vector<Table> result;
  for (const Layout& layout : layouts) result.push_back({std::string(layout.table), layout.key});
  return result;
}

Result<std::vector<Transferable::Row>> SqlStorage::rows(const Table& table, const Row& after,
                                                        std::uint32_t limit) {
  return read([&](soci::session& session) { return read_rows(*dialect_, session, table, after, limit); });
}

Result<Transferable::Row> SqlStorage::last(const Table& table) {
  const Layout& layout = layout_of(table);
  const std::vector<std::string> columns = layout.columns();
  return read([&](soci::session& session) {
    std::vector<Row> found;
    CellReader(*dialect_, layout.kinds.substr(0, layout.key))
        .read(session,
              "SELECT " + list(columns, 0, layout.key) + " FROM " + std::string(layout.table) + " ORDER BY " +
                  list(columns, 0, layout.key, " DESC") + " LIMIT 1",
              {}, found);
    return found.empty() ? Row{} : std::move(found.front());
  });
}

Result<std::unique_ptr<Snapshot>> SqlStorage::snapshot() {
  HANAPER_CHECK(is_open());
  Failure failure;
  try {
    auto connection = dialect_->connect(false);
    {
      const auto guard = connection->guard();
      connection->begin_snapshot();
    }
    return std::unique_ptr<Snapshot>(std::make_unique<SqlSnapshot>(*dialect_, std::move(connection)));
  } catch (const Failure& thrown) {
    failure = thrown;
  } catch (const soci::soci_error&) {
    failure = dialect_->classify();
  }
  return unavailable(dialect_->place() + ": " + failure.what);
}

Status SqlStorage::add(const Table& table, const std::vector<Row>& rows) {
  HANAPER_CHECK(is_open());
  const Layout& layout = layout_of(table);
  std::vector<sql::Row> made;
  std::vector<const sql::Row*> pointers;
  for (const Row& row : rows) {
    if (!fits(layout, row))
      return malformed(dialect_->place() + ": a row of " + table.name +
                       " has other cells than this version keeps; use the version that it comes from");
    sql::Row one(layout.insert, {});
    for (const Cell& cell : row) {
      one.fields[one.count] = field_of(cell, layout.kinds[one.count]);
      ++one.count;
    }
    made.push_back(one);
  }
  for (const sql::Row& row : made) pointers.push_back(&row);
  Failure failure;
  try {
    const auto connection = dialect_->connect(true);
    const auto guard = connection->guard();
    connection->begin();
    connection->run_all(pointers);
    connection->commit();
    return {};
  } catch (const Failure& thrown) {
    failure = thrown;
  }
  if (failure.kind == Failure::Kind::duplicate)
    return conflict(dialect_->place() + ": a row of " + table.name + " is there already");
  return unavailable(dialect_->place() + ": " + table.name + ": " + failure.what);
}

}  // namespace hanaper::sql
