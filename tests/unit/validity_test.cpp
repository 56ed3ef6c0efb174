// An authority as CRL and OCSP plugins see it: responders, revocations and who hears of them.
#include "node/instance.hpp"
#include "validity/status_authority.hpp"

#include "issuance_support.hpp"

#include <openssl/x509v3.h>

namespace hanaper::test {
namespace {

class Validity : public IssuanceFixture {
 protected:
  void SetUp() override {
    open();
    attached_.attach({storage_, writer_, clock_, log_, "main", roles_}, authority_);
  }

  std::shared_ptr<Responder> responder(std::optional<KeyType> type = KeyType::ec_p256) {
    Call call{"call", soon()};
    auto found = attached_.responder(type, call);
    EXPECT_TRUE(found) << found.error().detail;
    return found ? *found : nullptr;
  }

  Bytes certify() { return issue(request_for(*new_key(), {{Kind::dns, "a.example.test"}}))->certificate; }
  CertificateRow row_of(ByteView certificate) {
    return *storage_.memory.certificate(1, x509::parse_certificate(certificate)->serial);
  }
  Status change(ByteView certificate, RevocationReason reason) {
    const Call call{"call", soon()};
    return pipeline_.revoke(row_of(certificate), {reason, {}, "test"}, call);
  }

  // The smallest octets that begin as ResponseData does, and as a TBSCertificate does.
  const Bytes response_data_{0x30, 0x04, 0xa2, 0x02, 0x04, 0x00};
  const Bytes tbs_certificate_{0x30, 0x05, 0xa0, 0x03, 0x02, 0x01, 0x02};
  std::function<Deadline()> steady() {
    return [this] { return Deadline{} + clock_.now().time_since_epoch(); };
  }
  services::Roles roles_{storage_, {"main", "state-1", "boot"}, false, log_, steady()};
  validity::ChangeFeed feed_;
  validity::NodeAuthority attached_{"issuing", feed_};
};

TEST_F(Validity, CertifiesARespondersKeyThatNoFileHolds) {
  const auto made = responder();
  ASSERT_TRUE(made);
  const unsigned char* data = made->certificate().data();
  X509* certificate = d2i_X509(nullptr, &data, static_cast<long>(made->certificate().size()));
  ASSERT_TRUE(certificate);
  const unsigned char* above = authority_->certificate().data();
  X509* issuer = d2i_X509(nullptr, &above, static_cast<long>(authority_->certificate().size()));
  EXPECT_EQ(X509_verify(certificate, X509_get0_pubkey(issuer)), 1);
  EXPECT_EQ(X509_get_extended_key_usage(certificate), static_cast<std::uint32_t>(XKU_OCSP_SIGN));
  EXPECT_EQ(X509_get_key_usage(certificate), static_cast<std::uint32_t>(KU_DIGITAL_SIGNATURE));
  EXPECT_GE(X509_get_ext_by_NID(certificate, NID_id_pkix_OCSP_noCheck, -1), 0);
  X509_free(certificate);
  X509_free(issuer);
  EXPECT_TRUE(made->delegated());
  // It is in the ledger like any other certificate, intent first.
  ASSERT_EQ(ledger().size(), 1u);
  EXPECT_EQ(ledger().front().profile, "ocsp-responder");
  EXPECT_NE(audit_text().find("sign.intent"), std::string::npos);
  EXPECT_EQ(responder(), made) << "once is enough";
}

TEST_F(Validity, CertifiesARespondersAgainWhenHalfOfItsTimeIsOver) {
  const auto first = responder();
  clock_.advance(std::chrono::days{14});
  EXPECT_EQ(responder(), first);
  clock_.advance(std::chrono::days{2});
  storage_.before_commit = [](const Batch&) -> Status { return unavailable("no disk"); };
  EXPECT_EQ(responder(), first) << "the old one is good for a while";
  storage_.before_commit = nullptr;
  const auto second = responder();
  EXPECT_NE(second, first);
  EXPECT_GT(second->not_after(), first->not_after());
}

TEST_F(Validity, HasAResponderForEachKindOfKeyAndTheAuthorityItself) {
  EXPECT_EQ(responder(KeyType::rsa)->scheme(), SignatureScheme::rsa_pkcs1_sha256);
  EXPECT_EQ(responder(KeyType::ed25519)->scheme(), SignatureScheme::ed25519);
  const auto itself = responder(std::nullopt);
  EXPECT_FALSE(itself->delegated());
  EXPECT_TRUE(equal(itself->certificate(), authority_->certificate()));
  clock_.advance(Plan().authority_lifetime);
  for (const std::optional<KeyType> type : {std::optional<KeyType>{}, std::optional(KeyType::ec_p256)}) {
    Call call{"call", soon()};
    EXPECT_EQ(attached_.responder(type, call).error().code, Code::unavailable) << "it has expired";
  }
}

TEST_F(Validity, SignsResponseDataAndNothingElse) {
  for (std::optional<KeyType> type : {std::optional<KeyType>{}, std::optional(KeyType::ec_p256)}) {
    EXPECT_TRUE(responder(type)->sign(response_data_));
    for (const Bytes& octets : {tbs_certificate_, Bytes{}, Bytes{0x30, 0x00}, Bytes{0x04, 0x01, 0x00}}) {
      const auto refused = responder(type)->sign(octets);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Code::malformed);
    }
  }
}

TEST_F(Validity, HasNothingToSayWithoutACertificate) {
  validity::NodeAuthority waiting("external", feed_);
  waiting.attach({storage_, writer_, clock_, log_, "main", roles_}, nullptr);
  Call call{"call", soon()};
  EXPECT_EQ(waiting.id(), 0u);
  EXPECT_TRUE(waiting.certificate().empty());
  EXPECT_EQ(waiting.find(*Serial::from_text("01")).error().code, Code::unavailable);
  EXPECT_EQ(waiting.responder(KeyType::ec_p256, call).error().code, Code::unavailable);
  EXPECT_EQ(waiting.claim_crl(0).error().code, Code::unavailable);
  EXPECT_EQ(waiting.begin_crl({}, call).error().code, Code::unavailable);
}

TEST_F(Validity, BeginsACrlWithTheClaimedNumberOrNotAtAll) {
  Call call{"call", soon()};
  validity::NodeAuthority other("issuing", feed_);
  services::Roles other_roles{storage_, {"other", "state-2", "boot"}, false, log_, steady()};
  other.attach({storage_, writer_, clock_, log_, "other", other_roles}, authority_);
  CrlRow row;
  row.this_update = clock_.now();
  row.number = *attached_.claim_crl(0);
  EXPECT_EQ(row.number, 1u);
  EXPECT_EQ(other.claim_crl(0).error().code, Code::conflict) << "another node has the right";
  // It reads for so long that another node gets the right, makes one and gives it back.
  clock_.advance(services::Roles::watched_for);
  CrlRow theirs = row;
  theirs.number = *other.claim_crl(0);
  ASSERT_TRUE(other.begin_crl(theirs, call));
  EXPECT_EQ(attached_.begin_crl(row, call).error().code, Code::conflict) << "theirs is the right";
  other_roles.release("crl:issuing");
  EXPECT_EQ(attached_.begin_crl(row, call).error().code, Code::conflict) << "theirs may have more";
  row.number = *attached_.claim_crl(0);
  EXPECT_EQ(row.number, 2u);
  EXPECT_TRUE(attached_.begin_crl(row, call));
}

TEST_F(Validity, TellsOfChangesMadeElsewhere) {
  std::vector<std::string> told;
  const auto forget = attached_.watch([&](const RevocationRow& row) {
    told.push_back(row.serial.hex() + " " + std::string(to_string(row.reason)));
  });
  const Bytes before = certify(), after = certify();
  ASSERT_TRUE(change(before, RevocationReason::superseded));
  ASSERT_TRUE(feed_.poll(storage_.memory));
  EXPECT_TRUE(told.empty()) << "what was before nobody can have kept";
  ASSERT_TRUE(change(after, RevocationReason::certificate_hold));
  ASSERT_TRUE(change(after, RevocationReason::remove_from_crl));
  ASSERT_TRUE(feed_.poll(storage_.memory));
  const std::string serial = row_of(after).serial.hex();
  EXPECT_EQ(told, (std::vector{serial + " certificateHold", serial + " removeFromCRL"}));
  ASSERT_TRUE(feed_.poll(storage_.memory));
  EXPECT_EQ(told.size(), 2u) << "once each";
}

struct Order {
  const char* name;
  std::vector<RevocationReason> reasons;
  std::string refusal;  // of the last; empty: it is taken
};

class RevocationOrder : public Validity, public ::testing::WithParamInterface<Order> {};

TEST_P(RevocationOrder, IsTakenOrRefused) {
  const Bytes certificate = certify();
  const Order& test = GetParam();
  for (std::size_t i = 0; i + 1 < test.reasons.size(); ++i) ASSERT_TRUE(change(certificate, test.reasons[i]));
  const Status last = change(certificate, test.reasons.back());
  EXPECT_EQ(last.has_value(), test.refusal.empty());
  if (!test.refusal.empty()) {
    EXPECT_EQ(last.error().detail, test.refusal);
    EXPECT_EQ(last.error().code, Code::conflict);
  }
}

using enum RevocationReason;
INSTANTIATE_TEST_SUITE_P(
    Orders, RevocationOrder,
    ::testing::Values(
        Order{"Revoke", {superseded}, ""},
        Order{"RevokeTwice", {superseded, superseded}, "the certificate is revoked already, superseded"},
        Order{"HoldARevokedOne",
              {superseded, certificate_hold},
              "the certificate is revoked already, superseded"},
        Order{"FindACompromiseOfARevokedOne", {superseded, key_compromise}, ""},
        Order{"FindACompromiseTwice",
              {superseded, key_compromise, key_compromise},
              "the certificate is revoked already, keyCompromise"},
        Order{"ForgetACompromise",
              {key_compromise, superseded},
              "the certificate is revoked already, keyCompromise"},
        Order{"ReleaseARevokedOne", {superseded, remove_from_crl}, "the certificate is not on hold"},
        Order{"ReleaseAGoodOne", {remove_from_crl}, "the certificate is not on hold"},
        Order{"Hold", {certificate_hold}, ""},
        Order{"HoldTwice", {certificate_hold, certificate_hold}, "the certificate is on hold already"},
        Order{"Release", {certificate_hold, remove_from_crl}, ""},
        Order{"ReleaseTwice",
              {certificate_hold, remove_from_crl, remove_from_crl},
              "the certificate is not on hold"},
        Order{"RevokeAHeldOne", {certificate_hold, key_compromise}, ""},
        Order{"RevokeAReleasedOne", {certificate_hold, remove_from_crl, superseded}, ""},
        Order{"HoldAReleasedOne", {certificate_hold, remove_from_crl, certificate_hold}, ""}),
    [](const auto& test) { return test.param.name; });

TEST_F(Validity, SpreadsCertificatesOverShardsByTheirSerialNumbers) {
  issuance::StatusPlan plan;
  plan.shards = 4;
  plan.urls[3].crl = {"http://pki.example.test/crl/a-3.crl"};
  EXPECT_EQ(plan.all_shards(), (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(plan.of_shard(3).crl.front(), "http://pki.example.test/crl/a-3.crl");
  EXPECT_TRUE(plan.of_shard(5).crl.empty()) << "there is no such shard";
  std::set<std::uint32_t> shards;
  for (int i = 1; i < 100; ++i)
    shards.insert(
        plan.shard_of(*Serial::from_text("0c00000000" + to_hex(Bytes{static_cast<std::uint8_t>(i)}))));
  EXPECT_EQ(shards, (std::set<std::uint32_t>{1, 2, 3, 4}));
  plan.shards = 0;
  EXPECT_EQ(plan.shard_of(*Serial::from_text("0c05")), 0u);
  plan.shards = 1;
  plan.split = true;
  EXPECT_EQ(plan.all_shards(), (std::vector<std::uint32_t>{0, 1, authority_shard}));
}

// Each job of each instance has seats of its own; how they are divided is for roles_test.cpp.
TEST(Shares, AreOfOneJobOfOneInstance) {
  fakes::ManualClock clock;
  fakes::MemoryStorage storage(clock);
  services::Logger logger;
  Shared shared(logger, "/nowhere", "a");
  shared.storage = &storage;
  shared.jobs = std::make_unique<services::JobTable>(logger);
  shared.roles =
      std::make_unique<services::Roles>(storage, services::Holder{"a", "state", "boot"}, false, logger);
  config::InstanceConfig one, two;
  one.kind = two.kind = "protocol";
  one.name = "one";
  two.name = "two";
  Instance first(shared, std::move(one), ""), second(shared, std::move(two), "");
  for (Instance* instance : {&first, &second, &first})
    for (const char* job : {"work", "more"}) {
      const auto share = instance->share(job);
      ASSERT_TRUE(share) << share.error().detail;
      EXPECT_EQ(share->index, 0u);
      EXPECT_EQ(share->count, 1u);
    }
  std::vector<std::string> seats;
  const auto rows = storage.all();
  for (const LeaseRow& row : *rows) seats.push_back(row.name);
  EXPECT_EQ(seats, (std::vector<std::string>{"protocol.one.more:0", "protocol.one.work:0",
                                             "protocol.two.more:0", "protocol.two.work:0"}));
}

}  // namespace
}  // namespace hanaper::test
