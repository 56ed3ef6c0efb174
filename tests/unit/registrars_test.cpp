// Registrars: certified once for all nodes, renewed in time, and good for nothing but their purpose.
#include "validity/registrars.hpp"

#include "issuance_support.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <openssl/x509v3.h>

#include <latch>
#include <thread>

namespace hanaper::test {
namespace {

class Registrars : public IssuanceFixture {
 protected:
  void SetUp() override {
    open();
    authority_->give_registrar_key(rsa_);
  }

  validity::Registrars& node(const std::string& name) {
    auto& node = nodes_[name];
    if (!node)
      node = std::make_unique<validity::Registrars>(
          validity::Context{storage_, writer_, clock_, log_, name, roles_}, authority_);
    return *node;
  }
  Result<std::shared_ptr<Registrar>> find(const std::string& name = "one") {
    Call call{"call", soon()};
    return node(name).find(call);
  }

  services::Roles roles_{storage_, {"main", "state", "boot"}, true, log_};
  const std::shared_ptr<crypto::SoftKey> rsa_ = new_key({KeyType::rsa, 2048});
  std::map<std::string, std::unique_ptr<validity::Registrars>> nodes_;
};

TEST_F(Registrars, AreCertifiedForTheirTwoUses) {
  const auto made = find();
  ASSERT_TRUE(made) << made.error().detail;
  const unsigned char* data = (*made)->certificate().data();
  X509* certificate = d2i_X509(nullptr, &data, static_cast<long>((*made)->certificate().size()));
  const unsigned char* above = authority_->certificate().data();
  X509* issuer = d2i_X509(nullptr, &above, static_cast<long>(authority_->certificate().size()));
  EXPECT_EQ(X509_verify(certificate, X509_get0_pubkey(issuer)), 1);
  // RFC 8894 2.1.2
  EXPECT_EQ(X509_get_key_usage(certificate),
            static_cast<std::uint32_t>(KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT));
  X509_free(certificate);
  X509_free(issuer);
  ASSERT_EQ(ledger().size(), 1u);
  EXPECT_EQ(ledger().front().profile, "registrar");
  EXPECT_NE(audit_text().find("sign.intent"), std::string::npos);
}

TEST_F(Registrars, AreTheSameOnEveryNodeAndAfterARestart) {
  const auto first = find("one"), second = find("two");
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(equal((*first)->certificate(), (*second)->certificate()));
  nodes_.clear();
  EXPECT_TRUE(equal((*find("one"))->certificate(), (*first)->certificate()));
  EXPECT_EQ(ledger().size(), 1u);
}

TEST_F(Registrars, AreRenewedWhenHalfOfTheirTimeIsOverWithTheSameKey) {
  const auto first = find();
  clock_.advance(std::chrono::days{182});
  EXPECT_TRUE(equal((*find())->certificate(), (*first)->certificate()));
  clock_.advance(std::chrono::days{2});
  storage_.before_commit = [](const Batch&) -> Status { return unavailable("no disk"); };
  EXPECT_TRUE(equal((*find())->certificate(), (*first)->certificate())) << "the old one is good for a while";
  storage_.before_commit = nullptr;
  const auto renewed = find();
  EXPECT_FALSE(equal((*renewed)->certificate(), (*first)->certificate()));
  EXPECT_TRUE(equal((*renewed)->spki(), (*first)->spki()));
  EXPECT_TRUE(equal((*find("two"))->certificate(), (*renewed)->certificate()));
}

TEST_F(Registrars, KeepNobodyWaitingWhileTheOldOneIsGood) {
  const auto first = find();
  clock_.advance(std::chrono::days{184});
  std::latch asked{1}, answered{1};
  key_->before_signing = [&](ByteView) {
    asked.count_down();
    answered.wait();
    return Status{};
  };
  std::thread maker([&] { EXPECT_TRUE(find()); });
  asked.wait();
  EXPECT_TRUE(equal((*find())->certificate(), (*first)->certificate()));
  answered.count_down();
  maker.join();
  EXPECT_FALSE(equal((*find())->certificate(), (*first)->certificate()));
}

TEST_F(Registrars, AreMadeByOneNodeAtATimeAndAfterItsEndByAnother) {
  key_->before_signing = [](ByteView) -> Status { return unavailable("the token is away"); };
  EXPECT_FALSE(find("one"));
  key_->before_signing = nullptr;
  const auto waiting = find("two");
  ASSERT_FALSE(waiting);
  EXPECT_EQ(waiting.error().code, Code::unavailable);
  clock_.advance(std::chrono::minutes{2});
  EXPECT_TRUE(find("two"));
}

TEST_F(Registrars, SignAttributesAndNothingElse) {
  const auto registrar = *find();
  const Bytes attributes{0x31, 0x02, 0x30, 0x00}, tbs{0x30, 0x05, 0xa0, 0x03, 0x02, 0x01, 0x02};
  for (const SignatureScheme scheme :
       {SignatureScheme::rsa_pkcs1_sha256, SignatureScheme::rsa_pkcs1_sha512}) {
    const auto signature = registrar->sign(scheme, attributes);
    ASSERT_TRUE(signature);
    EXPECT_TRUE(crypto::verify(scheme, registrar->spki(), attributes, *signature));
  }
  EXPECT_EQ(registrar->sign(SignatureScheme::rsa_pkcs1_sha256, tbs).error().code, Code::malformed);
  EXPECT_EQ(registrar->sign(SignatureScheme::rsa_pkcs1_sha256, {}).error().code, Code::malformed);
  EXPECT_EQ(registrar->sign(SignatureScheme::rsa_pss_sha256, attributes).error().code, Code::unsupported);
}

TEST_F(Registrars, LiveNoLongerThanTheirAuthority) {
  clock_.advance(std::chrono::days{3650 - 100});
  const auto made = find();
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->not_after(), authority_->not_after());
  clock_.advance(std::chrono::days{60});
  EXPECT_TRUE(equal((*find())->certificate(), (*made)->certificate())) << "it cannot be made longer";
  clock_.advance(std::chrono::days{60});
  EXPECT_FALSE(find());
}

TEST_F(Registrars, AreAskedForByThePipeline) {
  Call call{"call", soon()};
  const auto none = pipeline_.registrar(call);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().detail,
            "authority.issuing.registrar: a key is wanted, \"instance:label\"; hanaper init makes it; "
            "or \"authority\" for its own, if that is RSA");
}

}  // namespace
}  // namespace hanaper::test
