// A ledger as rows, saved and put back: whatever is broken is refused before anything is written.
#include "operations/ledger_rows.hpp"

#include <gtest/gtest.h>

#include <map>

namespace hanaper::test {
namespace {

using operations::SavedLedger;
using Row = Transferable::Row;
using Table = Transferable::Table;

// Tables in memory, and their own snapshot.
class Tables final : public Transferable, public Snapshot {
 public:
  std::vector<Table> tables() const override { return {{"name", 2}, {"document", 1}, {"writer", 1}}; }
  Result<std::vector<Row>> rows(const Table& table, const Row& after, std::uint32_t limit) override {
    std::vector<Row> found;
    for (const auto& [key, row] : of[table.name])
      if (key > after && found.size() < limit) found.push_back(row);
    return found;
  }
  Result<Row> last(const Table& table) override {
    return of[table.name].empty() ? Row{} : of[table.name].rbegin()->first;
  }
  Status add(const Table& table, const std::vector<Row>& rows) override {
    if (rows_until_it_breaks < rows.size()) return unavailable("the database is away");
    rows_until_it_breaks -= rows.size();
    for (const Row& row : rows)
      if (!of[table.name].emplace(operations::key_of(table, row), row).second)
        return conflict("there already");
    return {};
  }

  std::map<std::string, std::map<Row, Row>> of;
  std::size_t rows_until_it_breaks = 1'000'000;
};

class Entries final : public Archive, public ArchiveSource {
 public:
  Status add(std::string_view name, ByteView content) override {
    all.emplace(name, as_text(content));
    return {};
  }
  Status add_file(std::string_view, const std::string&) override { return internal("nobody adds files"); }
  std::vector<std::string> names() const override {
    std::vector<std::string> found;
    for (const auto& [name, text] : all) found.push_back(name);
    return found;
  }
  Result<Bytes> read(std::string_view name) const override {
    const auto found = all.find(name);
    if (found == all.end()) return not_found("no entry");
    return to_bytes(as_bytes(found->second));
  }
  Status extract(std::string_view, const std::string&) const override { return internal("nobody extracts"); }

  std::map<std::string, std::string, std::less<>> all;
};

// More rows than are read at once, more octets than an entry has, and every kind of cell.
Tables full() {
  Tables tables;
  const auto put = [&](const Table& table, const Row& row) { EXPECT_TRUE(tables.add(table, {row})); };
  for (std::int64_t i = 0; i < 5000; ++i)
    put({"name", 2}, {std::string("a\0;\n", 4), i * 1'000'000'000'000, std::monostate(), std::string()});
  for (int i = 0; i < 12; ++i)
    put({"document", 1}, {std::string(1, static_cast<char>('a' + i)), std::string(1024 * 1024, '\xff')});
  put({"writer", 1}, {std::string("node"), std::int64_t{-7}});
  return tables;
}

Entries saved(Tables& tables) {
  Entries entries;
  const Status done = operations::save_ledger(tables, tables, entries);
  EXPECT_TRUE(done) << done.error().detail;
  return entries;
}

Status put_back(const Entries& entries, Tables& tables) {
  HANAPER_TRY(const auto ledger, SavedLedger::open(entries, "a.tar"));
  if (!ledger) return not_found("no rows");
  HANAPER_CHECK(ledger->check(tables, "storage.main"));
  return ledger->load(tables, "storage.main");
}

TEST(LedgerRows, ComeOutAsTheyWentIn) {
  Tables tables = full(), empty;
  const Entries entries = saved(tables);
  EXPECT_GT(entries.all.count("document/2"), 0u) << "in parts";
  const Status done = put_back(entries, empty);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(empty.of, tables.of);
  Tables nothing;
  const Status none = put_back(saved(nothing), empty = Tables());
  EXPECT_TRUE(none) << none.error().detail;
}

TEST(LedgerRows, AreNotInAnArchiveWithoutAny) {
  const auto ledger = SavedLedger::open(Entries(), "a.tar");
  ASSERT_TRUE(ledger);
  EXPECT_FALSE(*ledger);
}

struct Damage {
  const char* name;
  std::function<void(Entries&)> by;
};

TEST(LedgerRows, AreRefusedWhenDamagedBeforeAnythingIsWritten) {
  Tables tables = full();
  const Entries whole = saved(tables);
  const auto edit = [](const char* entry, const std::function<void(std::string&)>& change) {
    return [entry, change](Entries& entries) { change(entries.all.at(entry)); };
  };
  const auto replaced = [&](const char* entry, std::string from, std::string to) {
    return edit(entry, [from, to](std::string& text) { text.replace(text.find(from), from.size(), to); });
  };
  const Damage table[] = {
      {"sums gone", [](Entries& entries) { entries.all.erase("tables.json"); }},
      {"sums that are no JSON", edit("tables.json", [](std::string& text) { text = "{"; })},
      {"sums of another form", edit("tables.json", [](std::string& text) { text = "{\"tables\":{}}"; })},
      {"a count that is none", replaced("tables.json", "\"rows\": 5000", "\"rows\": -1")},
      {"another count", replaced("tables.json", "\"rows\": 5000", "\"rows\": 4999")},
      {"a digest that is none", replaced("tables.json", "\"digest\": \"", "\"digest\": \"zz")},
      {"more parts than there are", replaced("tables.json", "\"parts\": 1", "\"parts\": 9")},
      {"a part gone", [](Entries& entries) { entries.all.erase("document/2"); }},
      {"parts changed over",
       [](Entries& entries) { std::swap(entries.all["document/1"], entries.all["document/2"]); }},
      {"cut off", edit("name/1", [](std::string& text) { text.pop_back(); })},
      {"empty", edit("name/1", [](std::string& text) { text.clear(); })},
      {"octets behind it", edit("name/1", [](std::string& text) { text += "1;n;"; })},
      {"one octet changed", edit("document/1", [](std::string& text) { text[text.size() / 2] ^= 1; })},
      {"a number changed", replaced("writer/1", "i-7;", "i-8;")},
      {"a kind that there is not", replaced("writer/1", "i-7;", "x-7;")},
      {"a length beyond the end", replaced("writer/1", "o4;", "o400000000000000000;")},
      {"a length below nothing", replaced("writer/1", "o4;", "o-1;")},
      {"a number too large", replaced("writer/1", "i-7;", "i99999999999999999999;")},
      {"more cells than any row has", replaced("writer/1", "2;", "4000000000;")},
      {"no cells", replaced("writer/1", "2;", "0;")},
      {"fewer cells than a key", edit("name/1", [](std::string& text) { text = "1;n;"; })},
  };
  for (const Damage& damage : table) {
    Entries entries = whole;
    damage.by(entries);
    Tables empty;
    const Status refused = put_back(entries, empty);
    ASSERT_FALSE(refused) << damage.name;
    EXPECT_EQ(refused.error().code, Code::malformed) << damage.name;
    EXPECT_NE(refused.error().detail.find("a.tar: the ledger in it is damaged, at "), std::string::npos)
        << damage.name << ": " << refused.error().detail;
    EXPECT_TRUE(empty.of.empty()) << damage.name;
  }
}

TEST(LedgerRows, GoOnWhereTheyWereBrokenOff) {
  Tables tables = full();
  const Entries entries = saved(tables);
  for (const std::size_t rows : {0, 1, 2047, 2048, 4096, 5000, 5004, 5012}) {
    Tables target;
    target.rows_until_it_breaks = rows;
    ASSERT_FALSE(put_back(entries, target)) << rows;
    EXPECT_TRUE(target.of["writer"].empty()) << "nobody takes it for whole";
    target.rows_until_it_breaks = 1'000'000;
    const Status done = put_back(entries, target);
    ASSERT_TRUE(done) << rows << ": " << done.error().detail;
    EXPECT_EQ(target.of, tables.of) << rows;
  }
}

TEST(LedgerRows, GoIntoNothingThatHasOthers) {
  Tables tables = full();
  const Entries entries = saved(tables);
  Tables used = full();
  EXPECT_EQ(put_back(entries, used).error().detail,
            "storage.main holds a ledger already; a restore wants an empty database");
  Tables other;
  ASSERT_TRUE(other.add({"document", 1}, {{std::string("A"), std::string("of another")}}));
  const Status refused = put_back(entries, other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().detail,
      "storage.main: table document has rows that are not of this backup; empty the database and restore "
      "again");
  EXPECT_TRUE(other.of["writer"].empty());
}

TEST(LedgerRows, GoIntoNothingThatKeepsOtherTables) {
  Tables tables = full();
  Entries entries = saved(tables);
  std::string& sums = entries.all["tables.json"];
  sums.replace(sums.find("document"), 8, "dokument");
  entries.all["dokument/1"] = entries.all["document/1"];
  entries.all["dokument/2"] = entries.all["document/2"];
  entries.all["dokument/3"] = entries.all["document/3"];
  Tables empty;
  const Status refused = put_back(entries, empty);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail,
            "a.tar: its ledger has other tables than storage.main; restore it with the version that made it");
}

}  // namespace
}  // namespace hanaper::test
