// One subscription: what it is told, in which order, and what becomes of what cannot be told.
#include "events_support.hpp"

#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::test {
namespace {

using Lines = std::vector<std::string>;

class SubscriptionOf : public EventsFixture {};

TEST_F(SubscriptionOf, ANewInstanceBeginsAtNow) {
  issue_one();
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  EXPECT_EQ(told(), Lines{});
  const std::string serial = issue_one();
  tell(subscription);
  EXPECT_EQ(told(), Lines{"certificate.issued " + serial});
}

TEST_F(SubscriptionOf, ANewInstanceThatWantsTheBeginningGetsEverything) {
  const std::string first = issue_one(), second = issue_one();
  revoke(first, RevocationReason::superseded);
  events::Subscriber from_beginning = subscriber();
  from_beginning.from_beginning = true;
  events::Subscription subscription(std::move(from_beginning), means());
  tell(subscription);
  EXPECT_EQ(told(), (Lines{"certificate.issued " + first, "certificate.issued " + second,
                           "certificate.revoked " + first}));
}

TEST_F(SubscriptionOf, EverythingIsToldOnceAndInOrderAcrossRestarts) {
  Lines expected;
  std::string serial;
  for (int round = 0; round < 3; ++round) {
    events::Subscription subscription(subscriber(), means());  // what a restart leaves is in storage
    tell(subscription);
    serial = issue_one();
    expected.push_back("certificate.issued " + serial);
    tell(subscription);
    revoke(serial, RevocationReason::certificate_hold);
    expected.push_back("certificate.revoked " + serial);
    tell(subscription);
    revoke(serial, RevocationReason::remove_from_crl);
    expected.push_back("certificate.released " + serial);
    tell(subscription);
    tell(subscription);
  }
  EXPECT_EQ(told(), expected);
}

TEST_F(SubscriptionOf, ACertificateIsToldBeforeItsRevocationHoweverManyWait) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  std::vector<std::string> serials;
  for (int i = 0; i < 230; ++i) serials.push_back(issue_one());
  for (const int i : {229, 0, 101}) revoke(serials[i], RevocationReason::superseded);
  tell(subscription);
  const Lines lines = told();
  ASSERT_EQ(lines.size(), 233u);
  for (std::size_t i = 0; i < serials.size(); ++i) EXPECT_EQ(lines[i], "certificate.issued " + serials[i]);
  EXPECT_EQ(lines[230], "certificate.revoked " + serials[229]);
  EXPECT_EQ(lines[231], "certificate.revoked " + serials[0]);
  EXPECT_EQ(lines[232], "certificate.revoked " + serials[101]);
}

TEST_F(SubscriptionOf, WhatHappenedMeanwhileIsToldInTheOrderOfTime) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  const std::string first = issue_one();
  revoke(first, RevocationReason::superseded);
  const std::string second = issue_one();
  tell(subscription);
  EXPECT_EQ(told(), (Lines{"certificate.issued " + first, "certificate.revoked " + first,
                           "certificate.issued " + second}));
}

TEST_F(SubscriptionOf, AnotherPipelineTellsNothing) {
  events::Subscriber other = subscriber();
  other.pipeline = "other";
  events::Subscription subscription(std::move(other), means());
  tell(subscription);
  issue_one();
  tell(subscription);
  EXPECT_EQ(told(), Lines{});
}

TEST_F(SubscriptionOf, TypesAndKindsChoose) {
  events::Subscriber chosen = subscriber();
  chosen.types = {"certificate.revoked"};
  events::Subscriber publishing = subscriber();
  publishing.instance = "publisher.test";
  publishing.publishes = true;
  events::Subscription some(std::move(chosen), means()), published(std::move(publishing), means());
  tell(some);
  tell(published);
  told_.clear();
  const std::string serial = issue_one();
  revoke(serial, RevocationReason::superseded);
  Write write;
  write.records = {outbox_.document(events::node_event("node.started", "main", clock_.now()))};
  ASSERT_TRUE(commit(std::move(write)).has_value());
  tell(some);
  EXPECT_EQ(told(), Lines{"certificate.revoked " + serial});
  told_.clear();
  tell(published);
  EXPECT_EQ(told(), (Lines{"certificate.issued " + serial, "certificate.revoked " + serial}))
      << "what carries nothing is not published";
  EXPECT_TRUE(x509::parse_certificate(told_.front().object).has_value());
}

TEST_F(SubscriptionOf, AReceiverThatIsAwayIsTriedAgainWithGrowingPauses) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  const std::string serial = issue_one(), later = issue_one();
  std::vector<std::pair<Time, std::string>> tries;
  receive = [&](const Event& event) -> Status {
    tries.emplace_back(clock_.now(), event.id);
    return Error{Code::unavailable, "nobody is there"};
  };
  const Time begun = clock_.now();
  while (clock_.now() < begun + hours{1}) {
    tell(subscription);
    clock_.advance(seconds{1});
  }
  ASSERT_GT(tries.size(), 10u);
  const std::int64_t pauses[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600};
  for (std::size_t i = 0; i + 1 < tries.size(); ++i) {
    EXPECT_EQ(tries[i].second, tries[0].second) << "the id is the same, and what follows waits";
    EXPECT_EQ(tries[i + 1].first - tries[i].first, seconds{pauses[std::min<std::size_t>(i, 11)]}) << i;
  }
  EXPECT_EQ(told(), Lines{});
  receive = nullptr;
  clock_.advance(minutes{10});
  tell(subscription);
  EXPECT_EQ(told(), (Lines{"certificate.issued " + serial, "certificate.issued " + later}));
  EXPECT_TRUE(dead().empty());
}

TEST_F(SubscriptionOf, AReceiverThatAsksForTimeGetsIt) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  issue_one();
  int tries = 0;
  receive = [&](const Event&) -> Status {
    ++tries;
    return Error{Code::rate_limited, "slowly", seconds{120}};
  };
  tell(subscription);
  clock_.advance(seconds{119});
  tell(subscription);
  EXPECT_EQ(tries, 1);
  clock_.advance(seconds{1});
  tell(subscription);
  EXPECT_EQ(tries, 2);
}

TEST_F(SubscriptionOf, ThePauseOutlivesARestart) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  issue_one();
  int tries = 0;
  receive = [&](const Event&) -> Status {
    ++tries;
    return Error{Code::unavailable, "nobody is there", seconds{60}};
  };
  tell(subscription);
  events::Subscription again(subscriber(), means());
  clock_.advance(seconds{30});
  tell(again);
  EXPECT_EQ(tries, 1);
  clock_.advance(seconds{30});
  tell(again);
  EXPECT_EQ(tries, 2);
}

TEST_F(SubscriptionOf, AfterThreeDaysAnEventIsADeadLetterAndTheNextGetsItsOwn) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  const std::string first = issue_one();
  receive = [](const Event&) -> Status { return Error{Code::unavailable, "nobody is there"}; };
  const Time begun = clock_.now();
  const auto pass = [&](days time) {
    for (const Time end = clock_.now() + time; clock_.now() < end; clock_.advance(minutes{10}))
      tell(subscription);
  };
  pass(days{1});
  const std::string second = issue_one();
  pass(days{1});
  EXPECT_TRUE(dead().empty());
  pass(days{1});
  clock_.advance(minutes{10});
  tell(subscription);
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].event.subject, first);
  EXPECT_EQ(dead()[0].error, "nobody is there");
  EXPECT_GE(dead()[0].at, begun + days{3} - seconds{1});
  EXPECT_FALSE(dead()[0].event.object.empty());
  pass(days{1});
  clock_.advance(minutes{10});
  tell(subscription);
  ASSERT_EQ(dead().size(), 2u) << "a day later, for it happened a day later";
  EXPECT_EQ(dead()[1].event.subject, second);
  receive = nullptr;
  const std::string third = issue_one();
  clock_.advance(minutes{10});
  tell(subscription);
  EXPECT_EQ(told(), Lines{"certificate.issued " + third});
  clock_.advance(days{91});
  EXPECT_TRUE(dead().empty()) << "kept for 90 days";
}

TEST_F(SubscriptionOf, WhatIsRefusedIsADeadLetterAtOnceAndTheNextFollows) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  for (const Code code : {Code::rejected, Code::malformed, Code::forbidden, Code::internal}) {
    const std::string bad = issue_one(), good = issue_one();
    receive = [&](const Event& event) -> Status {
      if (event.subject == bad) return Error{code, "not that one"};
      return {};
    };
    told_.clear();
    tell(subscription);
    EXPECT_EQ(told(), Lines{"certificate.issued " + good}) << to_string(code);
    ASSERT_FALSE(dead().empty());
    EXPECT_EQ(dead().back().event.subject, bad);
    clock_.advance(seconds{1});
  }
  EXPECT_EQ(dead().size(), 4u);
}

TEST_F(SubscriptionOf, WhatWasToldAndNotStoredComesAgainUnderTheSameId) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  told_.clear();
  issue_one();
  storage_.memory.fail_next(1, unavailable("disk full"));
  EXPECT_FALSE(step(subscription).has_value());
  tell(subscription);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].id, told_[1].id);
  EXPECT_EQ(told_[0].json, told_[1].json);
}

TEST_F(SubscriptionOf, WhoHasLostTheRoleStoresNothing) {
  events::Subscription here(subscriber(), means());
  const Fence old = hold("main");
  ASSERT_TRUE(step(here, old).has_value());
  told_.clear();
  const std::string serial = issue_one();
  receive = [&](const Event&) -> Status {
    hold("second");  // takes over while this node tells
    return {};
  };
  const auto lost = here.step(old, [] { return true; });
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, Code::conflict);
  receive = nullptr;
  events::Subscription there(subscriber(), means());
  ASSERT_TRUE(there.step(hold("second"), [] { return true; }).has_value());
  ASSERT_EQ(told_.size(), 2u) << "told by both, and lost by neither";
  EXPECT_EQ(told_[0].id, told_[1].id);
  EXPECT_EQ(told_[0].subject, serial);
}

TEST_F(SubscriptionOf, WhatWasDoneBeforeAStopIsNotDoneAgain) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  told_.clear();
  for (int i = 0; i < 10; ++i) issue_one();
  ASSERT_TRUE(subscription.step(hold(), [&] { return told_.size() < 4; }).has_value());
  EXPECT_EQ(told_.size(), 4u);
  events::Subscription again(subscriber(), means());
  tell(again);
  EXPECT_EQ(told_.size(), 10u);
}

TEST_F(SubscriptionOf, AuthoritiesAndCrlsAreToldOnceEach) {
  Bytes published{0x30, 0x01, 0x00};
  status_.offer_crl(0, [&](ByteCount) -> Result<Bytes> { return published; });
  const auto make_crl = [&](std::uint64_t number) {
    published.back() = static_cast<std::uint8_t>(number);
    CrlRow row = crl_row(number);
    row.next_update = clock_.now() + days{1};
    Write spent;
    spent.crl = row;
    ASSERT_TRUE(commit(std::move(spent)).has_value());
    row.hash = crypto::sha256(published);
    row.size = published.size();
    Write made;
    made.crl = row;
    ASSERT_TRUE(commit(std::move(made)).has_value());
  };
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].type, "authority.certified");
  EXPECT_TRUE(equal(told_[0].object, status_.certificate()));
  for (std::uint64_t number = 1; number <= 3; ++number) {
    make_crl(number);
    clock_.advance(seconds{10});
    tell(subscription);
    tell(subscription);
    ASSERT_EQ(told_.size(), 1 + number);
    EXPECT_EQ(told_.back().type, "crl.made");
    EXPECT_EQ(told_.back().object, published);
  }
  // What the ledger knows and this node does not publish yet is told once it does.
  make_crl(4);
  published.back() = 3;
  clock_.advance(seconds{10});
  tell(subscription);
  EXPECT_EQ(told_.size(), 4u);
  published.back() = 4;
  clock_.advance(seconds{10});
  tell(subscription);
  EXPECT_EQ(told_.size(), 5u);
  events::Subscription again(subscriber(), means());
  tell(again);
  EXPECT_EQ(told_.size(), 5u);
}

TEST_F(SubscriptionOf, ADamagedPositionIsSaidAndNotGuessed) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  Write write;
  write.records.push_back(
      {std::string(events::position_collection), "web/notifier.test", 2, false, {}, {}, "{"});
  ASSERT_TRUE(commit(std::move(write)).has_value()) << "after the first and what it began with";
  events::Subscription again(subscriber(), means());
  EXPECT_FALSE(step(again).has_value());
}

}  // namespace
}  // namespace hanaper::test
