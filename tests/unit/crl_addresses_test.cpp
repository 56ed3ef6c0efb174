// Every address of a CRL that certificates were given is in the ledger before the certificate is.
#include "issuance/crl_addresses.hpp"
#include "issuance_support.hpp"

namespace hanaper::test {
namespace {

using issuance::CrlAddresses;
using Addresses = std::vector<std::string>;

class CrlAddressesTest : public IssuanceFixture {
 protected:
  CrlAddresses node(AuthorityId id = 1) { return {"issuing", id, storage_.memory, writer_, log_}; }
  std::size_t commits() { return storage_.sizes.size(); }
};

TEST_F(CrlAddressesTest, AreWrittenOnceAndTheNewestIsTheFirst) {
  start();
  CrlAddresses addresses = node();
  EXPECT_TRUE(addresses.of(0).empty());
  ASSERT_TRUE(addresses.remember(0, {"http://a.test/1.crl"}, soon()));
  const std::size_t once = commits();
  ASSERT_TRUE(addresses.remember(0, {"http://a.test/1.crl"}, soon()));
  ASSERT_TRUE(addresses.remember(3, {}, soon()));
  EXPECT_EQ(commits(), once) << "what is known, or nothing, is not written";
  ASSERT_TRUE(addresses.remember(0, {"http://b.test/1.crl"}, soon()));
  EXPECT_EQ(addresses.of(0), (Addresses{"http://b.test/1.crl", "http://a.test/1.crl"}));
  EXPECT_TRUE(addresses.of(3).empty());
}

TEST_F(CrlAddressesTest, AreKnownAfterARestartAndToOtherNodes) {
  start();
  CrlAddresses first = node(), second = node(), other = node(2);
  ASSERT_TRUE(first.remember(1, {"http://a.test/1.crl"}, soon()));
  // It has not heard of the first one's, and adds to them all the same.
  ASSERT_TRUE(second.remember(1, {"http://b.test/1.crl"}, soon()));
  ASSERT_TRUE(other.remember(1, {"http://c.test/1.crl"}, soon()));
  ASSERT_TRUE(first.load());
  EXPECT_EQ(first.of(1), (Addresses{"http://b.test/1.crl", "http://a.test/1.crl"}));
  CrlAddresses again = node();
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.of(1), first.of(1));
  const std::size_t before = commits();
  ASSERT_TRUE(again.remember(1, {"http://a.test/1.crl"}, soon()));
  EXPECT_EQ(commits(), before);
}

TEST_F(CrlAddressesTest, AreWrittenForAThousandShardsInAFewGroups) {
  start();
  CrlAddresses addresses = node();
  CrlAddresses::ByShard all;
  for (std::uint32_t shard = 0; shard <= max_shards; ++shard)
    all[shard] = {"http://a.test/" + std::to_string(shard) + ".crl"};
  ASSERT_TRUE(addresses.remember(all, soon()));
  EXPECT_LE(commits(), 300u) << "not one by one";
  CrlAddresses again = node();
  ASSERT_TRUE(again.load());
  for (const auto& [shard, urls] : all) ASSERT_EQ(again.of(shard), urls) << shard;
}

TEST_F(CrlAddressesTest, AreBounded) {
  start();
  CrlAddresses addresses = node();
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(addresses.remember(0, {"http://a.test/" + std::to_string(i) + ".crl"}, soon()));
  EXPECT_EQ(addresses.of(0).size(), CrlAddresses::most);
  EXPECT_EQ(addresses.of(0).front(), "http://a.test/39.crl");
  EXPECT_NE(log_.lines().back().find("http://a.test/7.crl"), std::string::npos) << log_.lines().back();
}

TEST_F(CrlAddressesTest, OfNodesThatWriteAtOnceAreAllThere) {
  start();
  std::vector<std::jthread> nodes;
  for (int n = 0; n < 4; ++n)
    nodes.emplace_back([&, n] {
      CrlAddresses addresses = node();
      EXPECT_TRUE(addresses.remember(0, {"http://" + std::to_string(n) + ".test/a.crl"}, soon()));
    });
  nodes.clear();
  CrlAddresses addresses = node();
  ASSERT_TRUE(addresses.load());
  EXPECT_EQ(addresses.of(0).size(), 4u);
}

// In the words of the ledger: the commit of the address comes before that of the intent.
TEST_F(CrlAddressesTest, AreDurableBeforeTheIntentOfTheFirstCertificateThatHasThem) {
  Plan plan;
  plan.profile.crl_url = "http://own.test/web.crl";
  open(plan);
  authority_->give_crl_addresses(std::unique_ptr<CrlAddresses>(new CrlAddresses(node())));
  std::vector<std::string> order;
  storage_.before_commit = [&](const Batch& batch) -> Status {
    for (const Write* write : batch.writes) {
      if (write->reservation) order.emplace_back("intent");
      for (const RecordWrite& record : write->records)
        if (record.data.find("http://own.test/web.crl") != std::string::npos) order.emplace_back("address");
    }
    return {};
  };
  const Bytes csr = request_for(*new_key(), {{Kind::dns, "a.example.test"}});
  ASSERT_TRUE(issue(csr));
  ASSERT_TRUE(issue(csr));
  EXPECT_EQ(order, (std::vector<std::string>{"address", "intent", "intent"}));
}

TEST_F(CrlAddressesTest, ThatCannotBeWrittenKeepTheCertificateFromBeingSigned) {
  Plan plan;
  plan.profile.crl_url = "http://own.test/web.crl";
  open(plan);
  authority_->give_crl_addresses(std::unique_ptr<CrlAddresses>(new CrlAddresses(node())));
  storage_.memory.fail_next(1, unavailable("the database is away"));
  EXPECT_EQ(issue(request_for(*new_key(), {{Kind::dns, "a.example.test"}})).error().code, Code::unavailable);
  EXPECT_TRUE(ledger().empty());
  EXPECT_EQ(key_->asked, 0);
}

}  // namespace
}  // namespace hanaper::test
