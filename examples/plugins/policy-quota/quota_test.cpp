// The policy over fakes: a clock that the test moves, storage in memory.
#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

extern "C" const hanaper::Manifest hanaper_manifest;

namespace {

class Quota : public ::testing::Test {
 protected:
  Quota() : plugin_(hanaper_manifest.create()) {
    hanaper::Settings settings("policy.quota", "test");
    settings.set("limit", {std::int64_t{2}, "test"});
    settings.set("exempt", {std::vector<std::string>{"command:uid:0", "listener:*"}, "test"});
    std::vector<hanaper::Settings> special;
    for (const auto& [requester, limit] : {std::pair{"acme:big*", 3}, {"acme:*", 1}}) {
      hanaper::Settings& one = special.emplace_back("policy.quota.special", "test");
      one.set("requester", {std::string(requester), "test"});
      one.set("limit", {std::int64_t{limit}, "test"});
    }
    settings.set("special", {std::move(special), "test"});
    EXPECT_TRUE(plugin_->configure(settings, host));
  }

  // "ok", or the code and detail of the refusal.
  std::string ask(std::string_view requester, bool with_key = true) {
    hanaper::Draft draft;
    draft.requester = requester;
    const hanaper::Bytes spki{0x30};
    if (with_key) draft.spki = spki;
    hanaper::Call call = hanaper::fakes::test_call();
    const hanaper::Status status = dynamic_cast<hanaper::Policy&>(*plugin_).decide(draft, call);
    retry_after = status ? std::nullopt : status.error().retry_after;
    return status ? "ok" : std::string(to_string(status.error().code)) + ": " + status.error().detail;
  }

  hanaper::fakes::FakeHost host;
  std::optional<std::chrono::seconds> retry_after;

 private:
  std::unique_ptr<hanaper::Plugin> plugin_;
};

TEST_F(Quota, IsUsedUpByTheLastCertificateOfTheDay) {
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_EQ(ask("a"), "rate_limited: a has used up its 2 certificates of today");
  EXPECT_EQ(host.fake_metrics.value("hanaper_quota_refused_total"), 1u);
}

TEST_F(Quota, IsEverybodysOwn) {
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_EQ(ask("b"), "ok");
}

TEST_F(Quota, BeginsAnewAtMidnight) {
  host.manual_clock.advance(std::chrono::hours{23});
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_NE(ask("a"), "ok");
  EXPECT_EQ(retry_after, std::chrono::hours{1});
  host.manual_clock.advance(*retry_after);
  EXPECT_EQ(ask("a"), "ok");
}

TEST_F(Quota, IsNotTouchedByWhoOnlyAsksWhetherHeMay) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("a", false), "ok");
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_EQ(ask("a"), "ok");
  EXPECT_NE(ask("a", false), "ok") << "and who has used it up hears so before he proves anything";
}

TEST_F(Quota, DoesNotBindTheExempt) {
  for (int i = 0; i < 5; ++i)
    for (const char* requester : {"command:uid:0", "listener:public"})
      EXPECT_EQ(ask(requester), "ok") << requester;
  EXPECT_EQ(ask("command:uid:01"), "ok");
  EXPECT_EQ(ask("command:uid:01"), "ok");
  EXPECT_NE(ask("command:uid:01"), "ok") << "no prefix without a star";
}

TEST_F(Quota, OfSomeIsSpecialAndTheFirstThatFitsCounts) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask("acme:big/7"), "ok");
  EXPECT_EQ(ask("acme:big/7"), "rate_limited: acme:big/7 has used up its 3 certificates of today");
  EXPECT_EQ(ask("acme:small"), "ok");
  EXPECT_EQ(ask("acme:small"), "rate_limited: acme:small has used up its 1 certificates of today");
}

TEST_F(Quota, FailsWhenItCannotBeWrittenDown) {
  host.memory_storage.fail_next(1, hanaper::unavailable("disk is full"));
  EXPECT_EQ(ask("a"), "unavailable: disk is full");
}

}  // namespace
