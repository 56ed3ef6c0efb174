// Whom a pipeline's authenticators know, together.
#include "issuance_support.hpp"

#include <gtest/gtest.h>

namespace hanaper::test {
namespace {

class DirectedAuthenticator final : public Authenticator {
 public:
  explicit DirectedAuthenticator(Result<Identity> answer, std::string challenge = {})
      : answer_(std::move(answer)), challenge_(std::move(challenge)) {}
  Status configure(const Settings&, Host&) override { return {}; }
  Result<Identity> authenticate(const Request&, Call&) override {
    ++asked;
    return answer_;
  }
  std::string challenge() const override { return challenge_; }

  int asked = 0;

 private:
  const Result<Identity> answer_;
  const std::string challenge_;
};

class Authentication : public IssuanceFixture {
 protected:
  Result<Identity> ask(std::vector<DirectedAuthenticator*> authenticators, bool all) {
    if (!authority_) open();
    auto wiring = std::make_shared<issuance::Wiring>();
    wiring->authority = authority_;
    wiring->authenticate_all = all;
    for (DirectedAuthenticator* authenticator : authenticators)
      wiring->authenticators.emplace_back("one", authenticator);
    pipeline_.wire(std::move(wiring));
    Call call{"call-1", soon()};
    return pipeline_.authenticate({}, call);
  }

  DirectedAuthenticator device_{Identity{"mtls:ab", {"ra"}, true}};
  DirectedAuthenticator person_{Identity{"password:office", {"operator"}}, "Basic realm=\"x\""};
  DirectedAuthenticator stranger_{Error{Code::unauthenticated, "no password and no token"}, "Bearer"};
  DirectedAuthenticator nobody_{Error{Code::unauthenticated, "no client certificate"}};
  DirectedAuthenticator away_{unavailable("the ledger is away")};
};

TEST_F(Authentication, KnowsNobodyWithoutAuthenticators) {
  for (bool all : {false, true}) {
    const auto identity = ask({}, all);
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, Code::unauthenticated);
    EXPECT_EQ(identity.error().detail, "pipeline web has no authenticators: nobody is known");
  }
}

TEST_F(Authentication, TakesTheFirstOfAnyThatKnows) {
  const auto identity = ask({&nobody_, &person_, &device_}, false);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->name, "password:office");
  EXPECT_EQ(identity->roles, std::vector<std::string>{"operator"});
  EXPECT_EQ(device_.asked, 0);
}

TEST_F(Authentication, TakesMoreThanACertificateOfOursWhereThereIsMore) {
  DirectedAuthenticator own(Identity{"mtls:cd", {}, true});
  EXPECT_EQ(ask({&own, &person_}, false)->name, "password:office");
  EXPECT_EQ(ask({&own, &stranger_}, false)->name, "mtls:cd");
  EXPECT_EQ(ask({&device_, &person_}, false)->name, "mtls:ab") << "a registration authority";
}

TEST_F(Authentication, TellsWhyNobodyOfAnyKnows) {
  EXPECT_EQ(ask({&nobody_, &stranger_}, false).error().detail,
            "no client certificate; no password and no token");
}

TEST_F(Authentication, AsksNobodyElseAboutWhatIsKnownToBeBad) {
  DirectedAuthenticator revoked(forbidden("the client certificate is revoked"));
  for (const bool all : {false, true}) {
    const int before = person_.asked;
    const auto identity = ask({&revoked, &person_, &device_}, all);
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, Code::unauthenticated) << "as HTTP has it: a 401";
    EXPECT_EQ(identity.error().detail, "the client certificate is revoked");
    EXPECT_EQ(person_.asked, before);
  }
}

TEST_F(Authentication, BindsToTheNamesOfEach) {
  DirectedAuthenticator one(Identity{"password:a", {}, false, {{"a.test"}}});
  DirectedAuthenticator two(Identity{"token:b", {}, false, {{".test"}}});
  EXPECT_EQ(ask({&one, &two}, true)->bound_to,
            (std::vector<std::vector<std::string>>{{"a.test"}, {".test"}}));
}

TEST_F(Authentication, WantsEachOfAll) {
  const auto identity = ask({&device_, &person_}, true);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->name, "mtls:ab");
  EXPECT_EQ(identity->roles, (std::vector<std::string>{"ra", "operator"}));
  EXPECT_FALSE(identity->by_certificate) << "a password has proven it as well";
  EXPECT_TRUE(ask({&device_, &device_}, true)->by_certificate);
  EXPECT_EQ(ask({&device_, &stranger_}, true).error().detail, "no password and no token");
  EXPECT_EQ(ask({&stranger_, &device_}, true).error().detail, "no password and no token");
}

TEST_F(Authentication, NeverTakesAnAbsentLedgerForAStranger) {
  EXPECT_EQ(ask({&away_, &person_}, false).error().code, Code::unavailable);
  EXPECT_EQ(ask({&device_, &away_}, true).error().code, Code::unavailable);
}

TEST_F(Authentication, OffersWhatHttpHasChallengesFor) {
  static_cast<void>(ask({&device_, &person_, &stranger_}, false));
  EXPECT_EQ(pipeline_.challenges(), (std::vector<std::string>{"Basic realm=\"x\"", "Bearer"}));
}

}  // namespace
}  // namespace hanaper::test
