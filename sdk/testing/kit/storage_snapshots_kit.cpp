// What a storage shows of one moment, and what rows it takes.
#include "storage_kit.hpp"

#include <hanaper/snapshots.hpp>

#include <map>
#include <thread>

namespace hanaper::kit {
namespace {

using Row = Transferable::Row;
using Table = Transferable::Table;

class StorageKitSnapshots : public StorageKit {
 protected:
  void SetUp() override {
    StorageKit::SetUp();
    if (HasFatalFailure()) return;
    rows_ = static_cast<Transferable*>(subject.plugin().ability(Transferable::ability_id));
    snapshots_ = static_cast<Snapshots*>(subject.plugin().ability(Snapshots::ability_id));
    if (snapshots_ == nullptr) GTEST_SKIP() << "this storage has no snapshots";
    ASSERT_NE(rows_, nullptr) << "snapshots are of rows";
  }

  Table table(std::string_view name) {
    for (Table& one : rows_->tables())
      if (one.name == name) return one;
    ADD_FAILURE() << "no table " << name;
    return {};
  }

  // Every row, in pages that are too small.
  template <class Source>
  static std::vector<Row> all(Source& source, const Table& table) {
    constexpr std::uint32_t page = 7;
    std::vector<Row> found;
    for (Row after;;) {
      const auto rows = source.rows(table, after, page);
      if (!rows) {
        ADD_FAILURE() << table.name << ": " << rows.error().detail;
        return found;
      }
      found.insert(found.end(), rows->begin(), rows->end());
      if (rows->size() < page) return found;
      after.assign(rows->back().begin(), rows->back().begin() + static_cast<std::ptrdiff_t>(table.key));
    }
  }

  // What every storage shows of a batch: a certificate with its names, and the document that counts them.
  Status commit_certificate(std::uint64_t number) {
    Write write;
    write.reservation = Reservation{.authority = 1,
                                    .serial = serial(number),
                                    .profile = "web",
                                    .requester = "kit",
                                    .not_before = now(),
                                    .not_after = now(),
                                    .shard = 0,
                                    .tbs = octets};
    write.names = {{"dns:test.example.", 1, serial(number)}};
    write.records.push_back({"count", "certificates", number - 1, false, {}, {}, std::to_string(number)});
    return commit_one(storage(), write);
  }

  Transferable* rows_ = nullptr;
  Snapshots* snapshots_ = nullptr;
};

TEST_F(StorageKitSnapshots, ShowOneMomentWhileOthersWrite) {
  std::atomic<std::uint64_t> acknowledged{0};
  ASSERT_TRUE(commit_certificate(1));
  acknowledged = 1;
  std::jthread writer([&](const std::stop_token& stop) {
    for (std::uint64_t number = 2; !stop.stop_requested(); ++number) {
      const Status committed = commit_certificate(number);
      ASSERT_TRUE(committed) << "nobody waits for a snapshot: " << committed.error().detail;
      acknowledged = number;
    }
  });
  const Table certificates = table("certificate"), names = table("certificate_name"),
              documents = table("record");
  for (int i = 0; i < 5; ++i) {
    // Others have come in between two of them, and come while one is read.
    const std::uint64_t before = acknowledged;
    while (acknowledged == before) std::this_thread::yield();
    const std::uint64_t least = acknowledged;
    const auto moment = snapshots_->snapshot();
    ASSERT_TRUE(moment) << moment.error().detail;
    const auto first = (*moment)->rows(documents, {}, 10);
    ASSERT_TRUE(first) << first.error().detail;
    ASSERT_EQ(first->size(), 1u);
    const std::uint64_t then = acknowledged;
    while (acknowledged == then) std::this_thread::yield();
    const std::vector<Row> found = all(**moment, certificates);
    EXPECT_GE(found.size(), least) << "what was acknowledged before is in it";
    EXPECT_EQ(all(**moment, names).size(), found.size()) << "a batch is in it whole";
    EXPECT_TRUE(std::ranges::any_of(first->front(), [&](const Transferable::Cell& cell) {
      const auto* text = std::get_if<std::string>(&cell);
      return text != nullptr && *text == std::to_string(found.size());
    })) << "and no other";
    EXPECT_EQ(all(**moment, certificates), found) << "it stays as it is";
  }
}

TEST_F(StorageKitSnapshots, ShowTheSameRowsAsTheStorageWhileNobodyWrites) {
  for (std::uint64_t number = 1; number <= 20; ++number) ASSERT_TRUE(commit_certificate(number));
  ASSERT_TRUE(record(1, serial(3), octets));
  ASSERT_TRUE(revoke(1, serial(3), Fingerprint{7}));
  ASSERT_TRUE(put("orders", "a", 0, "document", {{"account", "x"}}, now() + std::chrono::hours{1}));
  const auto moment = snapshots_->snapshot();
  ASSERT_TRUE(moment) << moment.error().detail;
  const auto second = snapshots_->snapshot();
  ASSERT_TRUE(second) << "two at once: " << second.error().detail;
  for (const Table& one : rows_->tables()) {
    EXPECT_EQ(all(**moment, one), all(*rows_, one)) << one.name;
    EXPECT_EQ(all(**second, one), all(*rows_, one)) << one.name;
  }
}

TEST_F(StorageKitSnapshots, TakeNoRowsThatAreNotTheirTables) {
  ASSERT_TRUE(commit_certificate(1));
  const Table certificates = table("certificate");
  const Row good = all(*rows_, certificates).front();
  const auto changed = [&](const std::function<void(Row&)>& change) {
    Row row = good;
    row.at(0) = std::int64_t{9};  // of another authority, so that it is new
    change(row);
    return row;
  };
  const std::map<std::string, Row> table = {
      {"no cells", {}},
      {"one less", changed([](Row& row) { row.pop_back(); })},
      {"one more", changed([](Row& row) { row.emplace_back(std::int64_t{1}); })},
      {"many more", changed([](Row& row) { row.resize(1000); })},
      {"a number for text", changed([](Row& row) { row.at(1) = std::int64_t{1}; })},
      {"text for a number", changed([](Row& row) { row.at(0) = std::string("9"); })},
  };
  for (const auto& [name, row] : table) {
    const Status added = rows_->add(certificates, {changed([](Row&) {}), row});
    ASSERT_FALSE(added) << name;
    EXPECT_EQ(added.error().code, Code::malformed) << name << ": " << added.error().detail;
    EXPECT_EQ(all(*rows_, certificates).size(), 1u) << name << ": all or none";
  }
  EXPECT_TRUE(rows_->add(certificates, {changed([](Row&) {})}));
}

}  // namespace
}  // namespace hanaper::kit
