// What every storage must do for CRLs and OCSP: revocations in order, their change feed, numbers of CRLs.
#include "storage_kit.hpp"

namespace hanaper::kit {
namespace {

class StorageKitValidity : public StorageKit {
 protected:
  Status change(const Serial& number, RevocationReason reason, std::optional<RevocationReason> replaces = {},
                std::uint32_t shard = 0, std::optional<Time> invalidity = {}) {
    Write write;
    write.revocation = Revocation{.authority = 1,
                                  .serial = number,
                                  .shard = shard,
                                  .reason = reason,
                                  .replaces = replaces,
                                  .at = now(),
                                  .invalidity = invalidity,
                                  .not_after = now() + std::chrono::days{90},
                                  .block_key = {}};
    return commit_one(storage(), write);
  }
  void certify(const Serial& number) {
    ASSERT_TRUE(reserve(1, number, octets));
    ASSERT_TRUE(record(1, number, octets));
  }
  Status write_crl(std::uint64_t number, std::optional<Fingerprint> hash = {}, std::uint64_t base = 0,
                   std::optional<Fence> fence = {}) {
    Write write;
    write.fence = std::move(fence);
    write.crl = CrlRow{.authority = 1,
                       .shard = 0,
                       .number = number,
                       .base = base,
                       .this_update = now(),
                       .next_update = now() + std::chrono::days{4},
                       .entries = 3,
                       .size = hash ? 500u : 0u,
                       .hash = hash};
    return commit_one(storage(), write);
  }
};

TEST_F(StorageKitValidity, ReadsTheRevocationsOfAShardPageByPageWithoutSkippingOrRepeating) {
  std::set<std::string> expected;
  for (std::uint64_t i = 1; i <= 25; ++i) {
    ASSERT_TRUE(change(serial(i), RevocationReason::superseded, {}, i % 5 == 0 ? 1 : 0));
    if (i % 5 != 0) expected.insert(serial(i).hex());
  }
  std::set<std::string> read;
  Serial after;
  for (;;) {
    const auto rows = ledger().revocations(1, 0, after, 7);
    ASSERT_TRUE(rows) << rows.error().detail;
    for (const RevocationRow& row : *rows) {
      EXPECT_TRUE(read.insert(row.serial.hex()).second) << "twice: " << row.serial.hex();
      EXPECT_EQ(row.authority, 1u);
      EXPECT_EQ(row.shard, 0u);
    }
    if (rows->size() < 7) break;
    after = rows->back().serial;
  }
  EXPECT_EQ(read, expected);
  EXPECT_EQ(ledger().revocations(1, 1, {}, 100)->size(), 5u);
  EXPECT_TRUE(ledger().revocations(2, 0, {}, 100)->empty());
}

TEST_F(StorageKitValidity, GivesBackEveryFieldOfARevocation) {
  const Time invalid = now() - std::chrono::hours{5};
  certify(serial(1));
  ASSERT_TRUE(change(serial(1), RevocationReason::key_compromise, {}, 0, invalid));
  const auto rows = ledger().revocations(1, 0, {}, 10);
  ASSERT_EQ(rows->size(), 1u);
  const RevocationRow& row = rows->front();
  EXPECT_EQ(row.serial, serial(1));
  EXPECT_EQ(row.reason, RevocationReason::key_compromise);
  EXPECT_EQ(row.at, now());
  EXPECT_EQ(row.invalidity, invalid);
  EXPECT_EQ(row.not_after, now() + std::chrono::days{90});
  EXPECT_EQ(ledger().certificate(1, serial(1))->invalidity, invalid);
}

TEST_F(StorageKitValidity, HoldsReleasesAndRevokesAgainEachFromWhatIsStoredOnly) {
  using enum RevocationReason;
  certify(serial(1));
  EXPECT_EQ(change(serial(1), remove_from_crl, certificate_hold).error().code, Code::conflict);
  ASSERT_TRUE(change(serial(1), certificate_hold));
  EXPECT_EQ(ledger().certificate(1, serial(1))->revoked, certificate_hold);
  EXPECT_EQ(change(serial(1), superseded).error().code, Code::conflict) << "there is a hold";
  ASSERT_TRUE(change(serial(1), remove_from_crl, certificate_hold));
  auto row = ledger().certificate(1, serial(1));
  EXPECT_FALSE(row->revoked);
  EXPECT_FALSE(row->revoked_at);
  EXPECT_TRUE(row->released);
  EXPECT_EQ(ledger().revocations(1, 0, {}, 10)->front().reason, remove_from_crl);
  CertificateQuery query;
  query.state = CertificateQuery::State::issued;
  EXPECT_EQ(ledger().search(query)->size(), 1u) << "a released certificate is as good as before";
  query.state = CertificateQuery::State::revoked;
  EXPECT_EQ(ledger().search(query)->size(), 0u);
  ASSERT_TRUE(change(serial(1), key_compromise, remove_from_crl));
  row = ledger().certificate(1, serial(1));
  EXPECT_EQ(row->revoked, key_compromise);
  EXPECT_FALSE(row->released);
  EXPECT_EQ(change(serial(1), remove_from_crl, certificate_hold).error().code, Code::conflict);
}

TEST_F(StorageKitValidity, TellsEveryChangeSinceACursor) {
  ASSERT_TRUE(change(serial(1), RevocationReason::superseded));
  auto cursor = ledger().feed_cursor();
  ASSERT_TRUE(cursor) << cursor.error().detail;
  EXPECT_TRUE(ledger().revoked_since(*cursor, 100)->empty()) << "only what follows";
  std::string issued = *cursor;
  EXPECT_TRUE(ledger().issued_since(issued, 100)->empty()) << "only what follows, in either feed";
  for (std::uint64_t i = 2; i <= 11; ++i) ASSERT_TRUE(change(serial(i), RevocationReason::certificate_hold));
  std::set<std::string> told;
  for (int pages = 0; pages < 10; ++pages) {
    const auto rows = ledger().revoked_since(*cursor, 4);
    ASSERT_TRUE(rows) << rows.error().detail;
    for (const RevocationRow& row : *rows) told.insert(row.serial.hex());
  }
  EXPECT_EQ(told.size(), 10u);
  ASSERT_TRUE(change(serial(5), RevocationReason::remove_from_crl, RevocationReason::certificate_hold));
  const auto rows = ledger().revoked_since(*cursor, 100);
  ASSERT_EQ(rows->size(), 1u) << "a release is a change";
  EXPECT_EQ(rows->front().serial, serial(5));
  EXPECT_EQ(rows->front().reason, RevocationReason::remove_from_crl);
  std::string first;
  EXPECT_EQ(ledger().revoked_since(first, 100)->empty(), false) << "from the first";
}

// As a publisher would: what it has done and where it stands are written together, and survive it.
TEST_F(StorageKitValidity, TellsWhoKeepsACursorOfEachChangeThoughHeIsInterrupted) {
  using enum RevocationReason;
  std::map<std::string, RevocationReason> told;
  const auto read_on = [&](bool interrupted) {
    const auto stored = storage().records().get("publisher", "cursor");
    std::string cursor = stored ? stored->data : "";
    const auto rows = ledger().revoked_since(cursor, 3);
    ASSERT_TRUE(rows) << rows.error().detail;
    for (const RevocationRow& row : *rows) told[row.serial.hex()] = row.reason;
    if (interrupted) return;
    Write write;
    write.records.push_back({"publisher", "cursor", stored ? stored->version : 0, false, {}, {}, cursor});
    ASSERT_TRUE(commit_one(storage(), write));
  };
  for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_TRUE(change(serial(i), certificate_hold));
  read_on(false);
  read_on(true);
  ASSERT_TRUE(change(serial(1), remove_from_crl, certificate_hold));
  ASSERT_TRUE(change(serial(5), key_compromise, certificate_hold));
  ASSERT_TRUE(change(serial(6), superseded));
  for (int i = 0; i < 4; ++i) read_on(false);
  EXPECT_EQ(told, (std::map<std::string, RevocationReason>{{serial(1).hex(), remove_from_crl},
                                                           {serial(2).hex(), certificate_hold},
                                                           {serial(3).hex(), certificate_hold},
                                                           {serial(4).hex(), certificate_hold},
                                                           {serial(5).hex(), key_compromise},
                                                           {serial(6).hex(), superseded}}));
}

TEST_F(StorageKitValidity, SpendsEachNumberOfACrlOnceAndCompletesItOnce) {
  const Fingerprint hash{7}, other{8};
  EXPECT_EQ(write_crl(1, hash).error().code, Code::conflict) << "not spent yet";
  ASSERT_TRUE(write_crl(1));
  EXPECT_EQ(write_crl(1).error().code, Code::conflict);
  EXPECT_FALSE(ledger().crls(1, 0, 10)->front().hash);
  ASSERT_TRUE(write_crl(1, hash));
  EXPECT_EQ(write_crl(1, other).error().code, Code::conflict);
  ASSERT_TRUE(write_crl(2, {}, 1));
  const auto rows = ledger().crls(1, 0, 10);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].number, 2u) << "the newest first";
  EXPECT_EQ((*rows)[0].base, 1u);
  EXPECT_EQ((*rows)[1].hash, hash);
  EXPECT_EQ((*rows)[1].size, 500u);
  EXPECT_EQ((*rows)[1].entries, 3u);
  EXPECT_EQ((*rows)[1].this_update, now());
  EXPECT_EQ((*rows)[1].next_update, now() + std::chrono::days{4});
  EXPECT_EQ(ledger().crls(1, 0, 1)->size(), 1u);
  EXPECT_TRUE(ledger().crls(1, 1, 10)->empty());
}

TEST_F(StorageKitValidity, FindsTheNewestOfEachKindOfCrlThatWasCompletedHoweverFarBehind) {
  const auto newest = [&](bool delta) -> std::uint64_t {
    const auto row = ledger().newest_crl(1, 0, delta);
    if (row) return row->number;
    EXPECT_EQ(row.error().code, Code::not_found);
    return 0;
  };
  EXPECT_EQ(newest(false), 0u);
  ASSERT_TRUE(write_crl(1));
  EXPECT_EQ(newest(false), 0u) << "not completed";
  ASSERT_TRUE(write_crl(1, Fingerprint{1}));
  EXPECT_EQ(newest(false), 1u);
  EXPECT_EQ(newest(true), 0u);
  for (std::uint64_t number = 2; number <= 32; ++number) {
    ASSERT_TRUE(write_crl(number, {}, 1));
    if (number >= 30) continue;
    ASSERT_TRUE(write_crl(number, Fingerprint{2}, 1));
  }
  EXPECT_EQ(newest(false), 1u);
  EXPECT_EQ(newest(true), 29u);
  EXPECT_EQ(ledger().newest_crl(1, 0, false)->hash, Fingerprint{1});
  EXPECT_EQ(ledger().newest_crl(1, 0, true)->base, 1u);
  EXPECT_FALSE(ledger().newest_crl(1, 1, false)) << "another shard";
}

TEST_F(StorageKitValidity, KeepsWhoLostTheRightFromStoringACrl) {
  const auto stale = fakes::take_lease(storage().leases(), "crl:a", "a");
  ASSERT_TRUE(stale);
  ASSERT_TRUE(write_crl(1, {}, 0, *stale));
  const auto current = fakes::take_lease(storage().leases(), "crl:a", "b");
  ASSERT_TRUE(current);
  EXPECT_EQ(write_crl(1, Fingerprint{1}, 0, *stale).error().code, Code::conflict);
  EXPECT_FALSE(ledger().crls(1, 0, 10)->front().hash);
  EXPECT_TRUE(write_crl(2, {}, 0, *current));
}

}  // namespace
}  // namespace hanaper::kit
