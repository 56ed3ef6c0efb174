// What every storage must do with certificates, authorities, the audit and batches.
#include "storage_kit.hpp"

#include <thread>

namespace hanaper::kit {
namespace {

TEST_F(StorageKit, GivesBackEveryOctetOfACertificate) {
  Bytes tbs(2000);
  for (std::size_t i = 0; i < tbs.size(); ++i) tbs[i] = static_cast<std::uint8_t>(i);
  const Bytes signature(72, 0);
  ASSERT_TRUE(reserve(7, serial(1), tbs));
  auto row = ledger().certificate(7, serial(1));
  ASSERT_TRUE(row) << row.error().detail;
  EXPECT_EQ(row->tbs, tbs);
  EXPECT_TRUE(row->signature.empty());
  EXPECT_FALSE(row->issued_at);
  ASSERT_TRUE(record(7, serial(1), signature));
  row = ledger().certificate(7, serial(1));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->signature, signature);
  EXPECT_EQ(row->authority, 7u);
  EXPECT_EQ(row->serial, serial(1));
  EXPECT_EQ(row->profile, "web");
  EXPECT_EQ(row->requester, "kit");
  EXPECT_EQ(row->pipeline, "kit-pipeline");
  EXPECT_EQ(row->not_before, now());
  EXPECT_EQ(row->not_after, now() + std::chrono::days{90});
  EXPECT_EQ(row->issued_at, now());
}

TEST_F(StorageKit, RemembersAfterAReopen) {
  ASSERT_TRUE(reserve(1, serial(1), octets));
  ASSERT_TRUE(record(1, serial(1), octets));
  ASSERT_TRUE(put("orders", "a", 0, "document"));
  const auto before = ledger().writer("test");
  subject.reopen();
  ASSERT_TRUE(subject.status()) << subject.status().error().detail;
  EXPECT_TRUE(ledger().certificate(1, serial(1)));
  EXPECT_EQ(records().get("orders", "a")->data, "document");
  EXPECT_EQ(ledger().writer("test")->number, before->number);
}

// What was issued elsewhere may be known by its serial number alone, and completed later.
TEST_F(StorageKit, KnowsACertificateByItsSerialNumberAloneAndCompletesItOnce) {
  const auto complete = [&](ByteView tbs) {
    Write write;
    write.reservation = Reservation{.authority = 1,
                                    .serial = serial(1),
                                    .profile = "",
                                    .requester = "",
                                    .not_before = now(),
                                    .not_after = now() + std::chrono::days{30},
                                    .shard = 0,
                                    .tbs = tbs};
    write.recording = Recording{1, serial(1), octets, now() + std::chrono::hours{1}};
    return commit_one(storage(), write);
  };
  EXPECT_EQ(complete(octets).error().code, Code::conflict) << "nothing is known that could be completed";
  ASSERT_TRUE(reserve(1, serial(1), {}));
  ASSERT_TRUE(record(1, serial(1), {}));
  auto row = ledger().certificate(1, serial(1));
  ASSERT_TRUE(row) << row.error().detail;
  EXPECT_TRUE(row->tbs.empty());
  EXPECT_TRUE(row->signature.empty());
  EXPECT_EQ(row->issued_at, now());
  CertificateQuery query;
  query.state = CertificateQuery::State::issued;
  EXPECT_EQ(ledger().search(query)->size(), 1u);
  EXPECT_EQ(record(1, serial(1), {}).error().code, Code::conflict);

  std::string cursor;
  ASSERT_EQ(ledger().issued_since(cursor, 10)->size(), 1u);
  ASSERT_TRUE(revoke(1, serial(1)));
  ASSERT_TRUE(complete(Bytes{1, 2, 3}));
  row = ledger().certificate(1, serial(1));
  EXPECT_EQ(row->tbs, (Bytes{1, 2, 3}));
  EXPECT_EQ(row->signature, octets);
  EXPECT_EQ(row->profile, "web");
  EXPECT_EQ(row->issued_at, now());
  EXPECT_EQ(row->not_after, now() + std::chrono::days{30});
  EXPECT_TRUE(row->revoked);
  EXPECT_EQ(ledger().issued_since(cursor, 10)->size(), 1u) << "who reads what is issued sees it now";
  EXPECT_EQ(complete(octets).error().code, Code::conflict);
  EXPECT_EQ(ledger().certificate(1, serial(1))->tbs, (Bytes{1, 2, 3}));
}

TEST_F(StorageKit, RefusesASerialNumberTwiceAndKeepsTheFirst) {
  ASSERT_TRUE(reserve(1, serial(1), octets));
  const Status second = reserve(1, serial(1), Bytes{1});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  EXPECT_EQ(ledger().certificate(1, serial(1))->tbs, octets);
  EXPECT_TRUE(reserve(2, serial(1), octets)) << "another authority has numbers of its own";
}

TEST_F(StorageKit, TellsSerialNumbersApartThatDifferInLengthOnly) {
  const Serial small = *Serial::from_text("7f"), large = *Serial::from_text("7f00");
  ASSERT_TRUE(reserve(1, small, octets));
  ASSERT_TRUE(reserve(1, large, octets));
  EXPECT_EQ(ledger().certificate(1, small)->serial, small);
  EXPECT_EQ(ledger().certificate(1, large)->serial, large);
  EXPECT_EQ(ledger().certificate(1, *Serial::from_text("7f0000")).error().code, Code::not_found);
}

TEST_F(StorageKit, WritesABatchWholeOrNotAtAll) {
  ASSERT_TRUE(put("orders", "taken", 0, "x"));
  Write good, bad;
  good.records.push_back({"orders", "fresh", 0, false, {}, {}, "y"});
  bad.records.push_back({"orders", "other", 0, false, {}, {}, "z"});
  bad.records.push_back({"orders", "taken", 0, false, {}, {}, "z"});
  Write* writes[] = {&good, &bad};
  Batch batch;
  batch.node = "test";
  batch.number = ledger().writer("test")->number + 1;
  batch.writes = writes;
  const Status committed = storage().commit(batch);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Code::conflict);
  EXPECT_TRUE(good.outcome) << "only what stood in the way is marked";
  EXPECT_FALSE(bad.outcome);
  EXPECT_EQ(records().get("orders", "fresh").error().code, Code::not_found);
  EXPECT_EQ(records().get("orders", "other").error().code, Code::not_found);
  EXPECT_EQ(ledger().writer("test")->number, batch.number - 1);
}

TEST_F(StorageKit, RefusesABatchNumberThatDoesNotFollow) {
  ASSERT_TRUE(put("orders", "a", 0, "1"));
  const std::uint64_t number = ledger().writer("test")->number;
  for (std::uint64_t wrong : {number, number + 2, std::uint64_t{1}}) {
    Write write;
    write.records.push_back({"orders", "b" + std::to_string(wrong), 0, false, {}, {}, "1"});
    Write* writes[] = {&write};
    Batch batch;
    batch.node = "test";
    batch.number = wrong;
    batch.writes = writes;
    const Status committed = storage().commit(batch);
    ASSERT_FALSE(committed) << wrong;
    EXPECT_EQ(committed.error().code, Code::conflict);
    EXPECT_TRUE(write.outcome) << "the write itself is not to blame";
  }
  EXPECT_EQ(ledger().writer("another")->number, 0u) << "every node counts for itself";
}

TEST_F(StorageKit, KeepsTheTokenOfEachNodesLastBatch) {
  EXPECT_EQ(ledger().writer("a")->token, BatchToken{}) << "nothing has been written";
  const auto commit = [&](const char* node, std::uint64_t number, std::uint8_t octet,
                          std::uint64_t expected = 0) {
    Write write;
    write.records.push_back({"tokens", node + std::to_string(octet), expected, false, {}, {}, "1"});
    Write* writes[] = {&write};
    Batch batch;
    batch.node = node;
    batch.number = number;
    batch.token.fill(octet);
    batch.token.back() = 0;  // octets, not text
    batch.writes = writes;
    return storage().commit(batch);
  };
  const auto expect = [&](const char* node, std::uint64_t number, std::uint8_t octet) {
    BatchToken token;
    token.fill(octet);
    token.back() = 0;
    const auto state = ledger().writer(node);
    ASSERT_TRUE(state) << state.error().detail;
    EXPECT_EQ(state->number, number);
    EXPECT_EQ(state->token, token);
  };
  ASSERT_TRUE(commit("a", 1, 0x11));
  ASSERT_TRUE(commit("b", 1, 0xff));
  expect("a", 1, 0x11);
  expect("b", 1, 0xff);
  ASSERT_TRUE(commit("a", 2, 0x22));
  EXPECT_FALSE(commit("a", 2, 0x33)) << "the number is taken, whatever the token";
  EXPECT_FALSE(commit("a", 3, 0x44, 7)) << "a document that is not there";
  expect("a", 2, 0x22);
  subject.reopen();
  ASSERT_TRUE(subject.status()) << subject.status().error().detail;
  expect("a", 2, 0x22);
  expect("b", 1, 0xff);
}

TEST_F(StorageKit, ReadsWhatIsCommittedWhileOthersWrite) {
  ASSERT_TRUE(reserve(1, serial(0), octets));
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t)
    readers.emplace_back([&] {
      while (!done) {
        if (!ledger().certificate(1, serial(0))) ++failures;
        CertificateQuery query;
        if (!ledger().search(query)) ++failures;
      }
    });
  for (std::uint64_t i = 1; i <= 200; ++i) {
    ASSERT_TRUE(reserve(1, serial(i), octets));
    ASSERT_TRUE(record(1, serial(i), octets));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(StorageKit, ListsCertificatesInPagesByExpiry) {
  for (std::uint64_t i = 0; i < 30; ++i) {
    ASSERT_TRUE(reserve(1, serial(i), octets, std::chrono::days{10 + static_cast<int>(i % 3)}));
    if (i % 2 == 0) {
      ASSERT_TRUE(record(1, serial(i), octets));
    }
    if (i % 4 == 0) {
      ASSERT_TRUE(revoke(1, serial(i)));
    }
  }
  std::vector<CertificateRow> all;
  CertificateQuery query;
  query.limit = 4;
  for (;;) {
    const auto page = ledger().search(query);
    ASSERT_TRUE(page) << page.error().detail;
    all.insert(all.end(), page->begin(), page->end());
    if (page->size() < query.limit) break;
    query.after = CertificateCursor{page->back().not_after, page->back().authority, page->back().serial};
  }
  EXPECT_EQ(all.size(), 30u);
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, &CertificateRow::not_after));
  std::set<std::string> serials;
  for (const CertificateRow& row : all) serials.insert(row.serial.hex());
  EXPECT_EQ(serials.size(), 30u);

  const auto count = [&](CertificateQuery::State state) {
    CertificateQuery by_state;
    by_state.state = state;
    return ledger().search(by_state)->size();
  };
  EXPECT_EQ(count(CertificateQuery::State::reserved), 15u);
  EXPECT_EQ(count(CertificateQuery::State::issued), 7u);
  EXPECT_EQ(count(CertificateQuery::State::revoked), 8u);
  CertificateQuery soon;
  soon.expires_from = now();
  soon.expires_before = now() + std::chrono::days{11};
  EXPECT_EQ(ledger().search(soon)->size(), 10u);
  CertificateQuery foreign;
  foreign.authority = 2;
  EXPECT_TRUE(ledger().search(foreign)->empty());
}

TEST_F(StorageKit, FindsCertificatesByName) {
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(reserve(1, serial(i), octets));
    ASSERT_TRUE(record(1, serial(i), octets));
  }
  Write write;
  write.names = {{"dns:test.example.a.", 1, serial(0)},
                 {"dns:test.example.b.", 1, serial(1)},
                 {"dns:test.examples.", 1, serial(2)},
                 {"dns:test.example.a.", 1, serial(1)}};
  ASSERT_TRUE(commit_one(storage(), write));
  ASSERT_TRUE(commit_one(storage(), write)) << "a name that is there already is no error";
  CertificateQuery query;
  query.name = "dns:test.example.a.";
  EXPECT_EQ(ledger().search(query)->size(), 2u);
  query.name = "dns:test.example.";
  EXPECT_TRUE(ledger().search(query)->empty());
  query.name_is_prefix = true;
  EXPECT_EQ(ledger().search(query)->size(), 2u) << "each certificate once";
}

TEST_F(StorageKit, FeedsWhatWasIssuedSinceTheCursor) {
  std::string cursor;
  EXPECT_TRUE(ledger().issued_since(cursor, 10)->empty());
  for (std::uint64_t i = 0; i < 25; ++i) {
    ASSERT_TRUE(reserve(1, serial(i), octets));
    if (i != 3) {
      ASSERT_TRUE(record(1, serial(i), octets));
    }
  }
  std::set<std::string> seen;
  for (;;) {
    const auto rows = ledger().issued_since(cursor, 10);
    ASSERT_TRUE(rows);
    if (rows->empty()) break;
    for (const CertificateRow& row : *rows) seen.insert(row.serial.hex());
  }
  EXPECT_EQ(seen.size(), 24u);
  auto now_on = ledger().feed_cursor();
  ASSERT_TRUE(now_on) << now_on.error().detail;
  ASSERT_TRUE(record(1, serial(3), octets));
  const auto late = ledger().issued_since(cursor, 10);
  EXPECT_TRUE(std::ranges::any_of(*late, [](const CertificateRow& row) { return row.serial == serial(3); }));
  const auto only = ledger().issued_since(*now_on, 10);
  ASSERT_TRUE(only) << only.error().detail;
  ASSERT_EQ(only->size(), 1u) << "a cursor of now gives only what follows";
  EXPECT_EQ(only->front().serial, serial(3));
}

TEST_F(StorageKit, RevokesOnceAndBlocksTheKey) {
  ASSERT_TRUE(reserve(1, serial(1), octets));
  ASSERT_TRUE(record(1, serial(1), octets));
  Fingerprint key{};
  key[0] = 0xab;
  ASSERT_TRUE(revoke(1, serial(1), key));
  const auto row = ledger().certificate(1, serial(1));
  EXPECT_EQ(row->revoked, RevocationReason::superseded);
  EXPECT_EQ(row->revoked_at, now());
  EXPECT_EQ(revoke(1, serial(1)).error().code, Code::conflict);
  const auto blocked = ledger().blocked_keys({}, 10);
  ASSERT_EQ(blocked->size(), 1u);
  EXPECT_EQ(blocked->front(), key);
  EXPECT_TRUE(ledger().blocked_keys(key, 10)->empty());
}

TEST_F(StorageKit, NumbersAuthoritiesAndNeverReplacesACertificate) {
  for (const char* name : {"root", "issuing"}) {
    Write write;
    write.authority = AuthorityRow{
        .id = 0, .name = name, .key = "soft:" + std::string(name), .certificate = {}, .chain = {}};
    ASSERT_TRUE(commit_one(storage(), write));
    EXPECT_EQ(commit_one(storage(), write).error().code, Code::conflict);
  }
  auto rows = ledger().authorities();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_NE((*rows)[0].id, (*rows)[1].id);
  EXPECT_NE((*rows)[0].id, 0u);
  Write write;
  write.authority = (*rows)[1];
  write.authority->certificate = octets;
  write.authority->chain = octets;
  ASSERT_TRUE(commit_one(storage(), write));
  rows = ledger().authorities();
  EXPECT_EQ((*rows)[1].certificate, octets);
  EXPECT_EQ((*rows)[1].chain, octets);
  EXPECT_EQ((*rows)[1].key, "soft:issuing");
  write.authority->certificate = Bytes{1};
  EXPECT_EQ(commit_one(storage(), write).error().code, Code::conflict);
}

TEST_F(StorageKit, KeepsTheAuditInOrderForEachNode) {
  for (const char* node : {"a", "b"}) {
    for (std::uint64_t i = 1; i <= 5; ++i) {
      Batch batch;
      batch.node = node;
      batch.number = i;
      batch.audit = AuditPage{.sequence = i,
                              .at = now() + std::chrono::seconds{i},
                              .text = "{\"line\":\"Gr\xc3\xbc\xc3\x9f\x65 '" + std::to_string(i) + "'\"}\n",
                              .previous = {},
                              .hash = {static_cast<std::uint8_t>(i)}};
      ASSERT_TRUE(storage().commit(batch));
    }
  }
  EXPECT_EQ(*ledger().audit_nodes(), (std::vector<std::string>{"a", "b"}));
  const auto pages = ledger().audit("a", 2, 2);
  ASSERT_EQ(pages->size(), 2u);
  EXPECT_EQ((*pages)[0].sequence, 3u);
  EXPECT_EQ((*pages)[0].text, "{\"line\":\"Gr\xc3\xbc\xc3\x9f\x65 '3'\"}\n");
  EXPECT_EQ((*pages)[0].at, now() + std::chrono::seconds{3});
  const auto state = ledger().writer("b");
  EXPECT_EQ(state->audit_sequence, 5u);
  EXPECT_EQ(state->audit_hash[0], 5);
  EXPECT_EQ(state->audit_at, now() + std::chrono::seconds{5});
}

TEST_F(StorageKit, SumsExpiriesOverNodes) {
  for (const char* node : {"a", "b"}) {
    Batch batch;
    batch.node = node;
    batch.number = 1;
    batch.expiries = {{20000, 3}, {20001, 1}};
    ASSERT_TRUE(storage().commit(batch));
    batch.number = 2;
    batch.expiries = {{20000, -1}};
    ASSERT_TRUE(storage().commit(batch));
  }
  const auto days = ledger().expiries();
  ASSERT_EQ(days->size(), 2u);
  EXPECT_EQ((*days)[0].day, 20000);
  EXPECT_EQ((*days)[0].change, 4);
  EXPECT_EQ((*days)[1].change, 2);
}

TEST_F(StorageKit, CommitsBatchesOfHundreds) {
  std::vector<Write> writes(256);
  std::vector<Write*> pointers;
  for (std::uint64_t i = 0; i < writes.size(); ++i) {
    writes[i].reservation = Reservation{.authority = 1,
                                        .serial = serial(i),
                                        .profile = "web",
                                        .requester = "kit",
                                        .not_before = now(),
                                        .not_after = now() + std::chrono::days{90},
                                        .shard = 0,
                                        .tbs = octets};
    writes[i].records.push_back({"orders", std::to_string(i), 0, false, {}, {}, "x"});
    pointers.push_back(&writes[i]);
  }
  Batch batch;
  batch.node = "test";
  batch.number = 1;
  batch.writes = pointers;
  ASSERT_TRUE(storage().commit(batch));
  CertificateQuery query;
  query.limit = 1000;
  EXPECT_EQ(ledger().search(query)->size(), 256u);
}

TEST_F(StorageKit, SaysThatItIsWell) { EXPECT_TRUE(storage().health()); }

// Of storages that have servers, by the setting's name.
TEST_F(StorageKit, SaysThatItsServerIsAway) {
  const auto keys = std::span(manifest().keys, manifest().key_count);
  if (std::ranges::none_of(keys, [](const SettingKey& key) { return std::string_view(key.name) == "hosts"; }))
    GTEST_SKIP() << "this storage has no setting `hosts`";
  Status status;
  const std::unique_ptr<Plugin> plugin = subject.configured(status, {{"hosts", "127.0.0.1:1"}});
  ASSERT_TRUE(status) << status.error().detail;
  status = plugin->start();
  auto& away = dynamic_cast<Storage&>(*plugin);
  const auto expect = [](const Status& answer, const char* call) {
    ASSERT_FALSE(answer) << call;
    EXPECT_EQ(answer.error().code, Code::unavailable) << call << ": " << answer.error().detail;
  };
  if (!status) expect(status, "start");
  if (status) {
    std::string cursor;
    Write write;
    write.records.push_back({"orders", "a", 0, false, {}, {}, "1"});
    Write* writes[] = {&write};
    Batch batch;
    batch.node = "test";
    batch.number = 1;
    batch.writes = writes;
    const auto of = [](const auto& result) { return result ? Status{} : Status(result.error()); };
    expect(away.health(), "health");
    expect(away.commit(batch), "commit");
    EXPECT_TRUE(write.outcome) << "the write itself is not to blame";
    expect(of(away.ledger().authorities()), "authorities");
    expect(of(away.ledger().certificate(1, serial(1))), "certificate");
    expect(of(away.ledger().issued_since(cursor, 1)), "issued_since");
    expect(of(away.ledger().revoked_since(cursor, 1)), "revoked_since");
    expect(of(away.ledger().feed_cursor()), "feed_cursor");
    expect(of(away.ledger().writer("test")), "writer");
    expect(of(away.ledger().newest_crl(1, 0, false)), "newest_crl");
    expect(of(away.records().get("orders", "a")), "get");
    expect(of(away.records().find("orders", "", "", "", 1)), "find");
    expect(of(away.leases().all()), "all");
    expect(of(away.leases().take({"crl", "", 0, 0}, "a")), "take");
    expect(away.leases().renew("a"), "renew");
    expect(away.leases().release("crl", "a"), "release");
    EXPECT_EQ(cursor, "");
  }
  plugin->stop(std::chrono::steady_clock::now() + std::chrono::seconds{5});
}

}  // namespace
}  // namespace hanaper::kit
