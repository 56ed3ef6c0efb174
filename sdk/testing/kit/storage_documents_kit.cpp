// Documents: their versions, keys, indexes and ends.
#include "storage_kit.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <thread>

namespace hanaper::kit {
namespace {

TEST_F(StorageKit, KeepsTheVersionOfADocument) {
  ASSERT_TRUE(put("orders", "a", 0, "one"));
  EXPECT_EQ(records().get("orders", "a")->version, 1u);
  ASSERT_TRUE(put("orders", "a", 1, "two"));
  EXPECT_EQ(records().get("orders", "a")->version, 2u);
  for (std::uint64_t stale : {0u, 1u, 3u}) {
    const Status status = put("orders", "a", stale, "stale");
    ASSERT_FALSE(status) << stale;
    EXPECT_EQ(status.error().code, Code::conflict);
  }
  EXPECT_EQ(records().get("orders", "a")->data, "two");
  EXPECT_EQ(put("orders", "absent", 1, "x").error().code, Code::conflict);
}

TEST_F(StorageKit, ErasesADocumentOfTheRightVersionOnly) {
  ASSERT_TRUE(put("orders", "a", 0, "one", {{"account", "1"}}));
  Write write;
  write.records.push_back({"orders", "a", 2, true, {}, {}, {}});
  EXPECT_FALSE(commit_one(storage(), write));
  write.records[0].expected = 1;
  EXPECT_TRUE(commit_one(storage(), write));
  EXPECT_EQ(records().get("orders", "a").error().code, Code::not_found);
  EXPECT_TRUE(records().find("orders", "account", "1", "", 10)->empty());
  EXPECT_TRUE(put("orders", "a", 0, "again"));
}

TEST_F(StorageKit, KeepsEveryKindOfText) {
  const std::pair<const char*, std::string> table[] = {
      {"empty", ""},
      {"quotes", "a'b\"c\\d%_?:x"},
      {"unicode", "Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x94\x91"},
      {"lines", "a\nb\r\nc\t"},
      {"blanks", "  trailing  "},
      {"large", std::string(1000 * 1000, 'x')}};
  for (const auto& [key, data] : table) {
    ASSERT_TRUE(put("text", key, 0, data)) << key;
    const auto stored = records().get("text", key);
    ASSERT_TRUE(stored) << key;
    EXPECT_EQ(stored->data, data) << key;
  }
}

TEST_F(StorageKit, ComparesKeysOctetByOctet) {
  for (const char* key : {"a", "A", "a ", "a-", "a_", "-a"})
    ASSERT_TRUE(put("keys", key, 0, key)) << '"' << key << '"';
  for (const char* key : {"a", "A", "a ", "a-", "a_", "-a"}) EXPECT_EQ(records().get("keys", key)->data, key);
  EXPECT_EQ(records().get("Keys", "a").error().code, Code::not_found);
  EXPECT_EQ(records().get("keys", "a%").error().code, Code::not_found);
}

TEST_F(StorageKit, FindsDocumentsByIndexInPagesWithoutPhantoms) {
  for (int i = 0; i < 50; ++i) {
    std::string key = "k" + std::to_string(100 + i);
    ASSERT_TRUE(put("orders", key, 0, key, {{"account", i % 2 == 0 ? "even" : "odd"}, {"state", "open"}}));
  }
  std::vector<std::string> seen;
  for (std::string after;;) {
    const auto page = records().find("orders", "account", "even", after, 7);
    ASSERT_TRUE(page);
    for (const Record& record : *page) seen.push_back(record.key);
    if (page->size() < 7) break;
    after = page->back().key;
    // Others write meanwhile: before, between and behind the page.
    ASSERT_TRUE(put("orders", "a" + after, 0, "", {{"account", "even"}}));
    ASSERT_TRUE(put("orders", after + "x", 0, "", {{"account", "odd"}}));
  }
  EXPECT_EQ(seen.size(), 25u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(records().find("orders", "state", "open", "", 1000)->size(), 50u);
  EXPECT_TRUE(records().find("orders", "state", "closed", "", 10)->empty());
  EXPECT_EQ(records().get("orders", "k100")->indexes.size(), 2u);
}

TEST_F(StorageKit, ListsACollectionPageByPage) {
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(i % 3 == 0 ? put("orders", "k" + std::to_string(100 + i), 0, "")
                           : put("orders", "k" + std::to_string(100 + i), 0, "", {{"state", "open"}}));
  ASSERT_TRUE(put("order", "k", 0, ""));
  ASSERT_TRUE(put("orders2", "k", 0, ""));
  std::vector<std::string> seen;
  for (std::string after;;) {
    const auto page = records().find("orders", "", "", after, 6);
    ASSERT_TRUE(page);
    for (const Record& record : *page) seen.push_back(record.key);
    if (page->size() < 6) break;
    after = page->back().key;
    // What is deleted meanwhile, the last one of the page included, moves nothing.
    RecordWrite gone;
    gone.collection = "orders";
    gone.key = after;
    gone.expected = 1;
    gone.erase = true;
    Write write;
    write.records = {gone};
    ASSERT_TRUE(commit_one(storage(), write));
  }
  EXPECT_EQ(seen.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_TRUE(records().find("orders", "", "", seen.back(), 6)->empty());
}

TEST_F(StorageKit, ReplacesTheIndexesWithTheDocument) {
  ASSERT_TRUE(put("orders", "a", 0, "1", {{"state", "pending"}}));
  ASSERT_TRUE(put("orders", "a", 1, "2", {{"state", "valid"}}));
  EXPECT_TRUE(records().find("orders", "state", "pending", "", 10)->empty());
  EXPECT_EQ(records().find("orders", "state", "valid", "", 10)->size(), 1u);
}

TEST_F(StorageKit, TreatsExpiredDocumentsAsAbsentAndPurgesThem) {
  ASSERT_TRUE(put("orders", "short", 0, "1", {{"account", "x"}}, now() + std::chrono::seconds{10}));
  ASSERT_TRUE(put("orders", "long", 0, "2", {{"account", "x"}}, now() + std::chrono::hours{1}));
  ASSERT_TRUE(put("orders", "forever", 0, "3", {{"account", "x"}}));
  EXPECT_EQ(records().find("orders", "", "", "", 10)->size(), 3u);
  subject.host().manual_clock.advance(std::chrono::seconds{10});
  EXPECT_EQ(records().get("orders", "short").error().code, Code::not_found);
  EXPECT_EQ(records().find("orders", "account", "x", "", 10)->size(), 2u);
  Write write;
  write.purge = now() + std::chrono::milliseconds{1};
  ASSERT_TRUE(commit_one(storage(), write));
  EXPECT_TRUE(put("orders", "short", 0, "fresh")) << "a purged key is free again";
  EXPECT_EQ(records().get("orders", "long")->data, "2");
}

TEST_F(StorageKit, LosesNoUpdateUnderConcurrency) {
  ASSERT_TRUE(put("counter", "n", 0, "0"));
  constexpr int threads = 4, each = 25;
  Mutex one_writer;  // commit has one caller at a time
  std::atomic<int> conflicts{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      for (int done = 0; done < each;) {
        const auto record = records().get("counter", "n");
        if (!record) continue;
        const Lock lock(one_writer);
        if (put("counter", "n", record->version, std::to_string(std::stoi(record->data) + 1)))
          ++done;
        else
          ++conflicts;
      }
    });
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(records().get("counter", "n")->data, std::to_string(threads * each));
  EXPECT_EQ(records().get("counter", "n")->version, 1u + threads * each);
}

TEST_F(StorageKit, HandsOutDisjointRangesByCompareAndSwap) {
  Mutex one_writer;
  std::set<std::uint64_t> taken;
  std::atomic<bool> overlap{false};
  std::vector<std::thread> workers;
  for (int t = 0; t < 4; ++t)
    workers.emplace_back([&] {
      for (int got = 0; got < 10;) {
        const auto record = records().get("serial", "lane");
        const std::uint64_t head = record ? std::stoull(record->data) : 0,
                            version = record ? record->version : 0;
        const Lock lock(one_writer);
        if (!put("serial", "lane", version, std::to_string(head + 100))) continue;
        ++got;
        if (!taken.insert(head).second) overlap = true;
      }
    });
  for (std::thread& worker : workers) worker.join();
  EXPECT_FALSE(overlap);
  EXPECT_EQ(taken.size(), 40u);
}

}  // namespace
}  // namespace hanaper::kit
