#include "node/name_index.hpp"
#include "issuance_support.hpp"

namespace hanaper::test {
namespace {

class NameIndexOf : public IssuanceFixture {
 protected:
  void issue_for(const std::vector<Identifier>& names) {
    const auto issued = issue(request_for(*subject_, names));
    ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  }
  Status catch_up() {
    Call call{"index", soon()};
    return index_.catch_up(call);
  }
  std::size_t found(std::string name, bool prefix = false) {
    CertificateQuery query;
    query.name = std::move(name);
    query.name_is_prefix = prefix;
    query.limit = 1000;
    return storage_.memory.search(query)->size();
  }
  std::size_t found(const Identifier& name) { return found(x509::search_key(name)); }

  std::shared_ptr<crypto::SoftKey> subject_ = new_key();
  NameIndex index_{storage_, writer_};
};

TEST_F(NameIndexOf, NothingHasNothingToDo) {
  open();
  ASSERT_TRUE(catch_up().has_value());
  EXPECT_TRUE(storage_.sizes.empty());
}

TEST_F(NameIndexOf, CertificatesFindsThemByEachOfTheirNames) {
  open();
  issue_for({{Kind::dns, "a.example.test"}, {Kind::dns, "b.example.test"}, {Kind::ip, "192.0.2.1"}});
  issue_for({{Kind::dns, "a.example.test"}});
  EXPECT_EQ(found({Kind::dns, "a.example.test"}), 0u) << "not before the index has caught up";
  ASSERT_TRUE(catch_up().has_value());
  EXPECT_EQ(found({Kind::dns, "a.example.test"}), 2u);
  EXPECT_EQ(found({Kind::dns, "b.example.test"}), 1u);
  EXPECT_EQ(found({Kind::ip, "192.0.2.1"}), 1u);
  EXPECT_EQ(found({Kind::dns, "c.example.test"}), 0u);
  EXPECT_EQ(found(x509::search_prefix("example.test"), true), 2u);
}

TEST_F(NameIndexOf, CertificatesGoesOnWhereItWas) {
  open();
  issue_for({{Kind::dns, "a.example.test"}});
  ASSERT_TRUE(catch_up().has_value());
  const std::size_t before = storage_.sizes.size();
  ASSERT_TRUE(catch_up().has_value());
  EXPECT_EQ(storage_.sizes.size(), before) << "nothing new, nothing written";
  issue_for({{Kind::dns, "b.example.test"}});
  NameIndex after_a_restart(storage_, writer_);
  Call call{"index", soon()};
  ASSERT_TRUE(after_a_restart.catch_up(call).has_value());
  EXPECT_EQ(found({Kind::dns, "a.example.test"}), 1u);
  EXPECT_EQ(found({Kind::dns, "b.example.test"}), 1u);
}

TEST_F(NameIndexOf, CertificatesThatWereOnlyReservedLeavesThemOut) {
  open();
  key_->before_signing = [](ByteView) -> Status { return unavailable("the token is away"); };
  EXPECT_FALSE(issue(request_for(*subject_, {{Kind::dns, "a.example.test"}})).has_value());
  ASSERT_TRUE(catch_up().has_value());
  EXPECT_EQ(found({Kind::dns, "a.example.test"}), 0u);
}

TEST_F(NameIndexOf, CertificatesStaysWhereItWasWhenStorageFails) {
  open();
  issue_for({{Kind::dns, "a.example.test"}});
  storage_.memory.fail_next(1, unavailable("disk full"));
  EXPECT_EQ(catch_up().error().code, Code::unavailable);
  EXPECT_EQ(found({Kind::dns, "a.example.test"}), 0u);
  ASSERT_TRUE(catch_up().has_value());
  EXPECT_EQ(found({Kind::dns, "a.example.test"}), 1u);
}

TEST_F(NameIndexOf, CertificatesYieldsToAnotherNodeThatWasFaster) {
  open();
  issue_for({{Kind::dns, "a.example.test"}});
  bool once = true;
  storage_.before_commit = [&](const Batch& batch) -> Status {
    if (!std::exchange(once, false)) return {};
    // Between this node's reading of the cursor and its commit, another one moves it.
    std::string cursor;
    if (auto rows = storage_.memory.issued_since(cursor, 1); !rows) return rows.error();
    Write theirs;
    theirs.records.push_back({"host.names", "cursor", 0, false, {}, {}, cursor});
    theirs.names.push_back({x509::search_key({Kind::dns, "a.example.test"}), 1, ledger().front().serial});
    EXPECT_NE(batch.node, "test");
    return fakes::commit_one(storage_.memory, theirs);
  };
  ASSERT_TRUE(catch_up().has_value());
  EXPECT_EQ(found({Kind::dns, "a.example.test"}), 1u);
}

TEST_F(NameIndexOf, MoreCertificatesThanAPageTakesThemAll) {
  open();
  issue_for({{Kind::dns, "a.example.test"}});
  const Bytes tbs = ledger().front().tbs, signature{1};
  std::vector<Write> writes(4096);
  std::vector<Write*> pointers;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const Serial serial = *Serial::from_text(to_hex(as_bytes("page " + std::to_string(i))));
    writes[i].reservation = Reservation{.authority = 1,
                                        .serial = serial,
                                        .profile = "web",
                                        .requester = "test",
                                        .not_before = clock_.now(),
                                        .not_after = clock_.now(),
                                        .shard = 0,
                                        .tbs = tbs};
    writes[i].recording = Recording{1, serial, signature, clock_.now()};
    pointers.push_back(&writes[i]);
  }
  Batch batch;
  batch.node = "another";
  batch.number = 1;
  batch.writes = pointers;
  ASSERT_TRUE(storage_.memory.commit(batch).has_value());
  issue_for({{Kind::dns, "z.example.test"}});
  const std::size_t before = storage_.sizes.size();
  ASSERT_TRUE(catch_up().has_value());
  EXPECT_EQ(storage_.sizes.size() - before, 2u) << "pages";
  EXPECT_EQ(found({Kind::dns, "z.example.test"}), 1u);
}

}  // namespace
}  // namespace hanaper::test
