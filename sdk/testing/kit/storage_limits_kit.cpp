// Values at and beyond their limits, and batches that are not as simple as most.
#include "storage_kit.hpp"

namespace hanaper::kit {
namespace {

TEST_F(StorageKit, TakesKeysAndValuesUpToTheirLimits) {
  const std::string longest(record_key_limit, '~');
  ASSERT_TRUE(put(longest.substr(0, 60), longest, 0, std::string(record_data_limit, 'd'), {{"f", longest}}));
  const auto record = records().get(longest.substr(0, 60), longest);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->data.size(), record_data_limit);
  EXPECT_EQ(records().find(longest.substr(0, 60), "f", longest, "", 10)->size(), 1u);
}

TEST_F(StorageKit, RefusesADocumentBeyondItsLimits) {
  const std::pair<const char*, RecordWrite> table[] = {
      {"long key", {"orders", std::string(201, 'k'), 0, false, {}, {}, ""}},
      {"empty key", {"orders", "", 0, false, {}, {}, ""}},
      {"control character", {"orders", "a\nb", 0, false, {}, {}, ""}},
      {"no ASCII", {"orders", "\xc3\xbc", 0, false, {}, {}, ""}},
      {"long index", {"orders", "a", 0, false, {}, {{"field", std::string(201, 'v')}}, ""}},
      {"large", {"orders", "a", 0, false, {}, {}, std::string(record_data_limit + 1, 'd')}}};
  for (const auto& [name, record] : table) {
    Write write;
    write.records.push_back(record);
    const Status refused = commit_one(storage(), write);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::malformed) << name;
    EXPECT_FALSE(write.outcome) << name << ": it alone is to blame";
  }
  EXPECT_TRUE(records().find("orders", "", "", "", 10)->empty());
  EXPECT_TRUE(storage().health());
}

TEST_F(StorageKit, StoresOctetsThatAreNoTextOrRefusesThemAlone) {
  for (const std::string& data : {std::string("a\0b", 3), std::string("\xff\xfe"), std::string("\xc3(")}) {
    Write write;
    write.records.push_back({"orders", "a", 0, false, {}, {}, data});
    const Status committed = commit_one(storage(), write);
    const auto stored = records().get("orders", "a");
    if (committed) {
      ASSERT_TRUE(stored);
      EXPECT_EQ(stored->data, data) << "never anything else than what was written";
      write.records[0] = {"orders", "a", 1, true, {}, {}, {}};
      ASSERT_TRUE(commit_one(storage(), write));
    } else {
      EXPECT_EQ(committed.error().code, Code::malformed) << committed.error().detail;
      EXPECT_FALSE(write.outcome) << "a group goes on without it";
      EXPECT_FALSE(stored);
    }
  }
  EXPECT_TRUE(storage().health());
  EXPECT_TRUE(put("orders", "a", 0, "text"));
}

TEST_F(StorageKit, FindsNothingUnderKeysThatNoDocumentHas) {
  ASSERT_TRUE(put("orders", "a", 0, "1", {{"account", "x"}}));
  for (const std::string& key :
       {std::string("a\0", 2), std::string("\xff"), std::string("\xc3\xbc"), std::string(5000, 'a')}) {
    EXPECT_EQ(records().get("orders", key).error().code, Code::not_found);
    const auto found = records().find("orders", "account", key, "", 10);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->empty());
  }
}

TEST_F(StorageKit, KeepsUnicodeInRequestersAndEveryOctetInAuthorities) {
  Bytes all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  Write write;
  write.authority =
      AuthorityRow{.id = 0, .name = "root", .key = "soft:root", .certificate = all, .chain = all};
  const std::string requester = "est:Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x94\x91 'quoted' \\ :p0 ? $1";
  write.reservation = Reservation{.authority = 1,
                                  .serial = serial(1),
                                  .profile = "web",
                                  .requester = requester,
                                  .not_before = now(),
                                  .not_after = now(),
                                  .shard = 0,
                                  .tbs = all};
  ASSERT_TRUE(commit_one(storage(), write));
  EXPECT_EQ(ledger().authorities()->front().certificate, all);
  EXPECT_EQ(ledger().authorities()->front().chain, all);
  const auto row = ledger().certificate(1, serial(1));
  EXPECT_EQ(row->requester, requester);
  EXPECT_EQ(row->tbs, all);
}

TEST_F(StorageKit, AppliesWritesAboutOneDocumentInTheirOrder) {
  Write create, update, erase, again;
  create.records.push_back({"orders", "a", 0, false, {}, {{"state", "one"}}, "1"});
  update.records.push_back({"orders", "a", 1, false, {}, {{"state", "two"}}, "2"});
  erase.records.push_back({"orders", "a", 2, true, {}, {}, {}});
  again.records.push_back({"orders", "a", 0, false, {}, {{"state", "four"}}, "4"});
  Write* writes[] = {&create, &update, &erase, &again};
  Batch batch;
  batch.node = "test";
  batch.number = 1;
  batch.writes = writes;
  ASSERT_TRUE(storage().commit(batch));
  const auto record = records().get("orders", "a");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->version, 1u);
  EXPECT_EQ(record->indexes, (std::vector<RecordIndex>{{"state", "four"}}));
}

TEST_F(StorageKit, TakesAnIndexThatIsGivenTwiceAsOne) {
  ASSERT_TRUE(put("orders", "a", 0, "1", {{"account", "x"}, {"account", "x"}, {"account", "y"}}));
  EXPECT_EQ(records().find("orders", "account", "x", "", 10)->size(), 1u);
}

TEST_F(StorageKit, RefusesASecondSignature) {
  ASSERT_TRUE(reserve(1, serial(1), octets));
  ASSERT_TRUE(record(1, serial(1), octets));
  EXPECT_EQ(record(1, serial(1), Bytes{1}).error().code, Code::conflict);
  EXPECT_EQ(ledger().certificate(1, serial(1))->signature, octets);
}

TEST_F(StorageKit, ListsEveryCertificateOnceWhileOthersAreWritten) {
  for (std::uint64_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(reserve(1, serial(i * 100), octets, std::chrono::days{10 + static_cast<int>(i % 4)}));
  }
  std::multiset<std::string> seen;
  CertificateQuery query;
  query.limit = 7;
  for (std::uint64_t other = 1;; ++other) {
    const auto page = ledger().search(query);
    ASSERT_TRUE(page);
    for (const CertificateRow& row : *page)
      if (row.profile == "web" && row.tbs == octets) seen.insert(row.serial.hex());
    if (page->size() < query.limit) break;
    query.after = CertificateCursor{page->back().not_after, page->back().authority, page->back().serial};
    // Before, behind and in the midst of the page.
    ASSERT_TRUE(reserve(1, serial(other * 100 + 1), Bytes{1}, std::chrono::days{10}));
    ASSERT_TRUE(reserve(1, serial(other * 100 + 2), Bytes{1}, std::chrono::days{13}));
  }
  EXPECT_EQ(seen.size(), 40u) << "none twice";
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 40u) << "none left out";
}

}  // namespace
}  // namespace hanaper::kit
