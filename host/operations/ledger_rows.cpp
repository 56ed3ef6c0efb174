#include "ledger_rows.hpp"

#include <hanaper/toolkit/json.hpp>

#include <algorithm>
#include <charconv>

namespace hanaper::operations {
namespace {

using Row = Transferable::Row;
using Table = Transferable::Table;

constexpr std::string_view sums_entry = "tables.json";
constexpr std::size_t part_size = 4 * 1024 * 1024;
// What one entry may have: a part is full when it has more than part_size.
constexpr std::size_t largest_part = 16 * 1024 * 1024;
constexpr std::uint64_t most_cells = 64;
// A connection and a commit for each few rows would take longer than the rows; all of a part's, longer than
// one transaction may.
constexpr std::size_t rows_added_at_once = 2048;

std::string part_entry(std::string_view table, std::uint64_t part) {
  return std::string(table) + "/" + std::to_string(part);
}

// Takes rows out of their text; a row begins with how many cells it has.
class RowReader {
 public:
  explicit RowReader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }

  // malformed.
  Result<Row> next() {
    HANAPER_TRY(const std::int64_t cells, number());
    if (cells < 1 || static_cast<std::uint64_t>(cells) > most_cells) return wrong();
    Row row;
    for (std::int64_t i = 0; i < cells; ++i) {
      HANAPER_TRY(Transferable::Cell cell, this->cell());
      row.push_back(std::move(cell));
    }
    return row;
  }

 private:
  static Error wrong() { return malformed("no row"); }

  Result<std::int64_t> number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{} || end == rest_.data() + rest_.size() || *end != ';') return wrong();
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()) + 1);
    return value;
  }

  Result<Transferable::Cell> cell() {
    if (rest_.empty()) return wrong();
    const char kind = rest_.front();
    rest_.remove_prefix(1);
    if (kind == 'n') {
      if (!rest_.starts_with(';')) return wrong();
      rest_.remove_prefix(1);
      return Transferable::Cell();
    }
    if (kind != 'i' && kind != 'o') return wrong();
    HANAPER_TRY(const std::int64_t value, number());
    if (kind == 'i') return Transferable::Cell(value);
    if (value < 0 || static_cast<std::uint64_t>(value) > rest_.size()) return wrong();
    std::string octets(rest_.substr(0, static_cast<std::size_t>(value)));
    rest_.remove_prefix(static_cast<std::size_t>(value));
    return Transferable::Cell(std::move(octets));
  }

  std::string_view rest_;
};

// Gathers rows into parts of an archive.
class PartWriter {
 public:
  PartWriter(Archive& archive, const Table& table) : archive_(archive), table_(table) {}

  Status add(const Row& row) {
    sum_.add(row);
    text_ += std::to_string(row.size()) + ";" + row_text(row);
    if (text_.size() > largest_part)
      return unsupported("a row of " + table_.name + " is too large for a backup");
    return text_.size() < part_size ? Status{} : flush();
  }

  Result<json::Value> finish() {
    if (!text_.empty()) HANAPER_CHECK(flush());
    return json::Value(json::Object{{"table", table_.name},
                                    {"key", static_cast<std::int64_t>(table_.key)},
                                    {"parts", static_cast<std::int64_t>(parts_)},
                                    {"rows", static_cast<std::int64_t>(sum_.rows)},
                                    {"digest", to_hex(sum_.digest)}});
  }

 private:
  Status flush() {
    HANAPER_CHECK(archive_.add(part_entry(table_.name, ++parts_), as_bytes(text_)));
    text_.clear();
    return {};
  }

  Archive& archive_;
  const Table& table_;
  RowSum sum_;
  std::string text_;
  std::uint64_t parts_ = 0;
};

Result<std::uint64_t> count_at(const json::Value& value, std::string_view member) {
  const json::Value* found = value.find(member);
  if (found == nullptr || found->integer() == nullptr || *found->integer() < 0)
    return malformed("no " + std::string(member));
  return static_cast<std::uint64_t>(*found->integer());
}

}  // namespace

std::string row_text(const Row& row) {
  std::string text;
  for (const Transferable::Cell& cell : row) {
    if (const auto* integer = std::get_if<std::int64_t>(&cell)) {
      text += "i" + std::to_string(*integer) + ";";
    } else if (const auto* octets = std::get_if<std::string>(&cell)) {
      text += "o" + std::to_string(octets->size()) + ";";
      text += *octets;
    } else {
      text += "n;";
    }
  }
  return text;
}

void RowSum::add(const Row& row) {
  ++rows;
  digest = crypto::sha256({digest, as_bytes(row_text(row))});
}

Row key_of(const Table& table, const Row& row) {
  const auto cells = static_cast<std::ptrdiff_t>(std::min(table.key, row.size()));
  return {row.begin(), row.begin() + cells};
}

Status save_ledger(Transferable& storage, Snapshot& moment, Archive& archive) {
  json::Array sums;
  for (const Table& table : storage.tables()) {
    PartWriter writer(archive, table);
    const auto read = [&](const Table& of, const Row& after, std::uint32_t limit) {
      return moment.rows(of, after, limit);
    };
    const auto write = [&](const std::vector<Row>& rows) -> Status {
      for (const Row& row : rows) HANAPER_CHECK(writer.add(row));
      return {};
    };
    HANAPER_CHECK(each_page(read, table, {}, write));
    HANAPER_TRY(json::Value sum, writer.finish());
    sums.push_back(std::move(sum));
  }
  const json::Value all(json::Object{{"tables", std::move(sums)}});
  return archive.add(sums_entry, as_bytes(json::write_pretty(all) + "\n"));
}

Error SavedLedger::damaged(const std::string& entry) const {
  return malformed(file_ + ": the ledger in it is damaged, at " + entry + "; take another backup");
}

Result<std::optional<SavedLedger>> SavedLedger::open(const ArchiveSource& source, const std::string& file) {
  if (source.names().empty()) return std::optional<SavedLedger>();
  SavedLedger ledger(source, file);
  if (!ledger.read_sums()) return ledger.damaged(std::string(sums_entry));
  for (const Saved& saved : ledger.tables_) HANAPER_CHECK(ledger.verify(saved));
  return std::optional(std::move(ledger));
}

Status SavedLedger::read_sums() {
  HANAPER_TRY(const Bytes text, source_.read(sums_entry));
  HANAPER_TRY(const json::Value sums, json::parse(as_text(text)));
  const json::Value* tables = sums.find("tables");
  if (tables == nullptr || tables->array() == nullptr) return malformed("no tables");
  for (const json::Value& entry : *tables->array()) {
    Saved saved;
    saved.table = entry.text_at("table");
    HANAPER_TRY(saved.parts, count_at(entry, "parts"));
    HANAPER_TRY(saved.sum.rows, count_at(entry, "rows"));
    HANAPER_TRY(saved.key, count_at(entry, "key"));
    HANAPER_TRY(const Bytes digest, from_hex(entry.text_at("digest")));
    if (digest.size() != saved.sum.digest.size() || saved.key == 0) return malformed("no digest");
    std::ranges::copy(digest, saved.sum.digest.begin());
    tables_.push_back(std::move(saved));
  }
  return {};
}

Status SavedLedger::read(const Saved& saved, const Take& take) const {
  for (std::uint64_t number = 1; number <= saved.parts; ++number) {
    const std::string entry = part_entry(saved.table, number);
    const auto text = source_.read(entry);
    if (!text) return damaged(entry);
    std::vector<Row> rows;
    for (RowReader reader(as_text(*text)); !reader.at_end();) {
      auto row = reader.next();
      if (!row || row->size() < saved.key) return damaged(entry);
      rows.push_back(*std::move(row));
      if (rows.size() < rows_added_at_once) continue;
      HANAPER_CHECK(take(rows));
      rows.clear();
    }
    if (!rows.empty()) HANAPER_CHECK(take(rows));
  }
  return {};
}

Status SavedLedger::verify(const Saved& saved) const {
  RowSum sum;
  HANAPER_CHECK(read(saved, [&](const std::vector<Row>& rows) -> Status {
    for (const Row& row : rows) sum.add(row);
    return {};
  }));
  return sum == saved.sum ? Status{} : Status(damaged(saved.table));
}

Status SavedLedger::check(Transferable& storage, const std::string& place) const {
  const std::vector<Table> tables = storage.tables();
  if (!std::ranges::equal(tables, tables_, [](const Table& table, const Saved& saved) {
        return table.name == saved.table && table.key == saved.key;
      }))
    return unsupported(file_ + ": its ledger has other tables than " + place +
                       "; restore it with the version that made it");
  HANAPER_TRY(const Row written, storage.last(tables.back()));
  if (written.empty()) return {};
  return conflict(place + " holds a ledger already; a restore wants an empty database");
}

Status SavedLedger::load(Transferable& storage, const std::string& place) const {
  const std::vector<Table> tables = storage.tables();
  for (std::size_t i = 0; i < tables.size(); ++i) HANAPER_CHECK(load(storage, place, tables_[i], tables[i]));
  return {};
}

// Rows come in the order of their keys: what is there already is the beginning.
Status SavedLedger::load(Transferable& storage, const std::string& place, const Saved& saved,
                         const Table& table) const {
  HANAPER_TRY(const Row last, storage.last(table));
  HANAPER_CHECK(read(saved, [&](const std::vector<Row>& rows) {
    const auto first =
        std::ranges::find_if(rows, [&](const Row& row) { return last.empty() || key_of(table, row) > last; });
    return first == rows.end() ? Status{} : storage.add(table, {first, rows.end()});
  }));
  RowSum sum;
  const auto rows = [&](const Table& of, const Row& after, std::uint32_t limit) {
    return storage.rows(of, after, limit);
  };
  const auto count = [&](const std::vector<Row>& page) -> Status {
    for (const Row& row : page) sum.add(row);
    return {};
  };
  HANAPER_CHECK(each_page(rows, table, {}, count));
  if (sum == saved.sum) return {};
  return conflict(place + ": table " + table.name +
                  " has rows that are not of this backup; empty the database and restore again");
}

}  // namespace hanaper::operations
