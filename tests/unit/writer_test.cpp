#include "services/audit.hpp"
#include "writer_support.hpp"

#include <numeric>
#include <set>

namespace hanaper::services {
namespace {

using test::long_ago;

class WriterTest : public test::WriterFixture {
 protected:
  void expect(const Status& status, Code code, const std::string& detail) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, code);
    EXPECT_EQ(status.error().detail, detail);
  }
};

TEST_F(WriterTest, CommitsALoneWriteAtOnce) {
  start();
  EXPECT_TRUE(commit(record("a")).has_value());
  EXPECT_TRUE(stored("a"));
  EXPECT_TRUE(commit(record("b")).has_value());
  EXPECT_EQ(storage_.sizes, (std::vector<std::size_t>{1, 1}));
  EXPECT_EQ(storage_.memory.writer("main")->number, 2u);
}

TEST_F(WriterTest, CommitsTogetherWhatGathersMeanwhile) {
  start();
  storage_.hold();
  std::vector<Status> outcomes(600, Status(internal("never answered")));
  commit_aside(record("first"), outcomes[0]);
  storage_.wait_for_arrivals(1);
  for (std::size_t i = 1; i < outcomes.size(); ++i)
    commit_aside(record("k" + std::to_string(i)), outcomes[i]);
  wait_for_queue(outcomes.size() - 1);
  storage_.release();
  join();
  for (const Status& outcome : outcomes) EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(storage_.sizes, (std::vector<std::size_t>{1, 256, 256, 87}));
  EXPECT_EQ(storage_.memory.writer("main")->number, 4u);
  const std::string text = metrics_.text();
  EXPECT_NE(text.find("\nhanaper_commits_total 4\n"), std::string::npos);
  EXPECT_NE(text.find("\nhanaper_commit_writes_total 600\n"), std::string::npos);
}

TEST_F(WriterTest, GivesEveryBatchATokenOfItsOwn) {
  std::vector<std::pair<std::uint64_t, BatchToken>> seen;
  storage_.before_commit = [&](const Batch& batch) -> Status {
    seen.emplace_back(batch.number, batch.token);
    return {};
  };
  start();
  storage_.memory.fail_next(1, unavailable("gone"));
  EXPECT_FALSE(commit(record("a")).has_value());
  EXPECT_TRUE(commit(record("a")).has_value());  // under the same number: not the same batch
  EXPECT_TRUE(commit(record("b")).has_value());
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].first, 1u);
  EXPECT_EQ(seen[1].first, 1u);
  EXPECT_EQ(seen[2].first, 2u);
  const std::set<BatchToken> tokens{BatchToken{}, seen[0].second, seen[1].second, seen[2].second};
  EXPECT_EQ(tokens.size(), 4u);
  EXPECT_EQ(storage_.memory.writer("main")->token, seen[2].second);
}

TEST_F(WriterTest, LetsTheConflictOfOneHurtNobodyElse) {
  start();
  ASSERT_TRUE(commit(record("taken")).has_value());
  storage_.hold();
  std::vector<Status> outcomes(6, Status(internal("never answered")));
  commit_aside(record("first"), outcomes[0]);
  storage_.wait_for_arrivals(2);
  commit_aside(record("a"), outcomes[1]);
  wait_for_queue(1);
  commit_aside(record("taken"), outcomes[2]);
  wait_for_queue(2);
  commit_aside(record("b"), outcomes[3]);
  wait_for_queue(3);
  commit_aside(record("b"), outcomes[4]);  // the same once more, in one group
  wait_for_queue(4);
  commit_aside(record("gone", 7), outcomes[5]);
  wait_for_queue(5);
  storage_.release();
  join();
  EXPECT_TRUE(outcomes[0].has_value());
  EXPECT_TRUE(outcomes[1].has_value());
  expect(outcomes[2], Code::conflict, "test \"taken\" has changed meanwhile");
  EXPECT_TRUE(outcomes[3].has_value());
  expect(outcomes[4], Code::conflict, "test \"b\" has changed meanwhile");
  expect(outcomes[5], Code::conflict, "test \"gone\" has changed meanwhile");
  EXPECT_EQ(storage_.memory.get("test", "b")->version, 1u);
  EXPECT_TRUE(writer_.health().has_value());
}

TEST_F(WriterTest, LetsAWriteBeyondItsLimitsHurtNobodyElse) {
  start();
  storage_.hold();
  std::vector<Status> outcomes(3);
  commit_aside(record("first"), outcomes[0]);
  storage_.wait_for_arrivals(1);
  commit_aside(record(std::string(201, 'k')), outcomes[1]);
  wait_for_queue(1);
  commit_aside(record("good"), outcomes[2]);
  wait_for_queue(2);
  storage_.release();
  join();
  EXPECT_TRUE(outcomes[0].has_value());
  expect(outcomes[1], Code::malformed, "keys of documents are at most 200 octets of printable ASCII");
  EXPECT_TRUE(outcomes[2].has_value());
  EXPECT_TRUE(writer_.health().has_value());
}

TEST_F(WriterTest, AnswersUnavailableWhileStorageFailsAndRecovers) {
  start();
  storage_.memory.fail_next(2, internal("disk full"));
  expect(commit(record("a")), Code::unavailable, "disk full");
  expect(writer_.health(), Code::unavailable, "disk full");
  expect(commit(record("a")), Code::unavailable, "disk full");
  EXPECT_TRUE(commit(record("a")).has_value());
  EXPECT_TRUE(writer_.health().has_value());
  EXPECT_EQ(storage_.memory.writer("main")->number, 1u);
  // Once when it began, not with each write.
  EXPECT_EQ(log_.lines(),
            std::vector<std::string>{
                "error writing has failed; issuance stops until it works again error=disk full"});
}

TEST_F(WriterTest, FailsEverybodyOfAGroupThatStorageCannotTake) {
  start();
  storage_.hold();
  std::vector<Status> outcomes(4);
  commit_aside(record("first"), outcomes[0]);
  storage_.wait_for_arrivals(1);
  for (std::size_t i = 1; i < outcomes.size(); ++i)
    commit_aside(record("k" + std::to_string(i)), outcomes[i]);
  wait_for_queue(3);
  storage_.let_through(1);
  storage_.wait_for_arrivals(2);
  storage_.memory.fail_next(1, unavailable("quorum lost"));
  storage_.release();
  join();
  EXPECT_TRUE(outcomes[0].has_value());
  for (std::size_t i = 1; i < outcomes.size(); ++i) {
    expect(outcomes[i], Code::unavailable, "quorum lost");
    EXPECT_FALSE(stored("k" + std::to_string(i)));
  }
}

TEST_F(WriterTest, SurvivesAStorageThatThrows) {
  start();
  storage_.before_commit = [](const Batch&) -> Status { throw std::runtime_error("out of everything"); };
  expect(commit(record("a")), Code::unavailable, "the storage has failed; its exception is in the log");
  storage_.before_commit = nullptr;
  EXPECT_TRUE(commit(record("a")).has_value());
  EXPECT_EQ(log_.lines().front(), "error exception left a plugin plugin=storage exception=out of everything");
}

TEST_F(WriterTest, NoticesAnotherProcessUnderItsName) {
  start();
  ASSERT_TRUE(commit(record("a")).has_value());
  services::ExpiryCounts counts;
  Writer other(storage_, "main", clock_, log_, metrics_, counts);
  ASSERT_TRUE(other.start().has_value());
  Write foreign = record("b");
  ASSERT_TRUE(other.commit(foreign, test::soon()).has_value());
  EXPECT_TRUE(commit(record("c")).has_value()) << "the last word of one that is gone: ours goes behind it";
  EXPECT_TRUE(stored("c"));
}

TEST_F(WriterTest, WritesNothingMoreUnderANameThatIsAnothers) {
  Status name;
  writer_.guard_name([&] { return name; });
  start();
  ASSERT_TRUE(commit(record("a")).has_value());
  services::ExpiryCounts counts;
  Writer other(storage_, "main", clock_, log_, metrics_, counts);
  ASSERT_TRUE(other.start().has_value());
  Write foreign = record("b");
  ASSERT_TRUE(other.commit(foreign, test::soon()).has_value());
  name = unavailable("gone");
  expect(commit(record("c")), Code::unavailable, "gone");
  name = conflict("taken");
  expect(commit(record("c")), Code::unavailable, "taken");
  name = {};  // too late: nobody gives a name back
  expect(commit(record("c")), Code::unavailable, "taken");
  EXPECT_FALSE(stored("c"));
  Write more = record("d");
  EXPECT_TRUE(other.commit(more, test::soon()).has_value());
}

TEST_F(WriterTest, ForgetsAWriteWhoseDeadlineCameBeforeItsTurn) {
  start();
  storage_.hold();
  Status first, late;
  commit_aside(record("first"), first);
  storage_.wait_for_arrivals(1);
  commit_aside(record("late"), late, long_ago());
  threads_.back().join();
  threads_.pop_back();
  expect(late, Code::unavailable, "storage did not get to this write in time");
  EXPECT_EQ(writer_.waiting(), 0u);
  storage_.release();
  join();
  EXPECT_TRUE(first.has_value());
  EXPECT_FALSE(stored("late"));
}

TEST_F(WriterTest, TellsTheOutcomeOfAWriteThatIsUnderWayWhateverTheDeadline) {
  start();
  storage_.hold();
  Status first = internal("never answered");
  // Far enough that the commit begins before it, on a busy machine too.
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds{1};
  commit_aside(record("first"), first, deadline);
  storage_.wait_for_arrivals(1);
  while (std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  storage_.release();
  join();
  EXPECT_TRUE(first.has_value());
  EXPECT_TRUE(stored("first"));
}

TEST_F(WriterTest, BoundsItsQueue) {
  start();
  storage_.hold();
  std::vector<Status> outcomes(4097, Status(internal("never answered")));
  commit_aside(record("first"), outcomes[0]);
  storage_.wait_for_arrivals(1);
  for (std::size_t i = 1; i < outcomes.size(); ++i)
    commit_aside(record("k" + std::to_string(i)), outcomes[i]);
  wait_for_queue(4096);
  expect(commit(record("more")), Code::unavailable, "too many writes are waiting");
  storage_.release();
  join();
  for (const Status& outcome : outcomes) EXPECT_TRUE(outcome.has_value());
  EXPECT_FALSE(stored("more"));
}

TEST_F(WriterTest, CommitsWhatWaitsBeforeItStops) {
  start();
  storage_.hold();
  std::vector<Status> outcomes(3, Status(internal("never answered")));
  commit_aside(record("first"), outcomes[0]);
  storage_.wait_for_arrivals(1);
  commit_aside(record("a"), outcomes[1]);
  commit_aside(record("b"), outcomes[2]);
  wait_for_queue(2);
  std::thread stopper([&] { writer_.stop(); });
  storage_.release();
  stopper.join();
  join();
  for (const Status& outcome : outcomes) EXPECT_TRUE(outcome.has_value());
  expect(commit(record("late")), Code::unavailable, "shutting down");
}

TEST_F(WriterTest, PutsTheLinesOfAGroupOnOnePage) {
  start();
  storage_.hold();
  std::vector<Status> outcomes(4);
  commit_aside(record("first", 0, "{\"n\":1}\n"), outcomes[0]);
  storage_.wait_for_arrivals(1);
  commit_aside(record("a", 0, "{\"n\":2}\n"), outcomes[1]);
  wait_for_queue(1);
  commit_aside(record("b"), outcomes[2]);
  wait_for_queue(2);
  commit_aside(record("c", 0, "{\"n\":3}\n"), outcomes[3]);
  wait_for_queue(3);
  storage_.release();
  join();
  ASSERT_TRUE(commit(record("d")).has_value());  // nothing to tell: no page
  const std::vector<AuditPage> pages = audit();
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0].text, "{\"n\":1}\n");
  EXPECT_EQ(pages[1].text, "{\"n\":2}\n{\"n\":3}\n");
  const auto verdict = verify_audit(storage_.memory, "main");
  ASSERT_TRUE(verdict.has_value()) << verdict.error().detail;
  EXPECT_EQ(verdict->lines, 3u);
}

TEST_F(WriterTest, LeavesNoLineOfARefusedWriteInTheAudit) {
  start();
  ASSERT_TRUE(commit(record("taken", 0, "{\"n\":1}\n")).has_value());
  EXPECT_FALSE(commit(record("taken", 0, "{\"n\":2}\n")).has_value());
  ASSERT_TRUE(commit(record("free", 0, "{\"n\":3}\n")).has_value());
  const std::vector<AuditPage> pages = audit();
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[1].text, "{\"n\":3}\n");
  EXPECT_TRUE(verify_audit(storage_.memory, "main").has_value());
}

TEST_F(WriterTest, GoesOnWithTheChainOfItsPredecessor) {
  start();
  ASSERT_TRUE(commit(record("a", 0, "{}\n")).has_value());
  writer_.stop();
  services::ExpiryCounts counts;
  Writer next(storage_, "main", clock_, log_, metrics_, counts);
  ASSERT_TRUE(next.start().has_value());
  Write write = record("b", 0, "{}\n");
  ASSERT_TRUE(next.commit(write, test::soon()).has_value());
  const auto verdict = verify_audit(storage_.memory, "main");
  ASSERT_TRUE(verdict.has_value()) << verdict.error().detail;
  EXPECT_EQ(verdict->pages, 2u);
}

TEST_F(WriterTest, StartsBeforeItsOwnAuditForThoseWhoRead) {
  start();
  ASSERT_TRUE(commit(record("a", 0, "{}\n")).has_value());
  writer_.stop();
  services::ExpiryCounts counts;
  Writer next(storage_, "main", clock_, log_, metrics_, counts);
  clock_.advance(-std::chrono::hours{24});
  ASSERT_TRUE(next.start().has_value());
  expect(next.check_clock(), Code::unavailable,
         "the clock says 2026-11-20T00:00:00Z, before the last audit entry of 2026-11-21T00:00:00Z; set the "
         "clock right, or take it as it is: hanaper audit accept-clock");
  clock_.advance(std::chrono::hours{24} - std::chrono::seconds{5});  // what a time service may correct
  EXPECT_TRUE(next.check_clock().has_value());
}

struct ClockCase {
  const char* name;
  std::chrono::seconds back;  // that the clock is set after an entry
  bool accepted;              // whether somebody takes it as it is
  bool written;               // whether the next entry is
  Code refusal = Code::internal;
};

TEST_F(WriterTest, GoesOnFromAnEarlierClockWhereSomebodyTakesItAsItIs) {
  const ClockCase cases[] = {
      {"right", std::chrono::seconds{0}, false, true},
      {"right, and accepted all the same", std::chrono::seconds{0}, true, true, Code::conflict},
      {"a little behind", std::chrono::seconds{5}, true, true, Code::conflict},
      {"behind", std::chrono::hours{24 * 365 * 5}, false, false},
      {"behind, and accepted", std::chrono::hours{24 * 365 * 5}, true, true},
      {"behind again, and accepted", std::chrono::seconds{6}, true, true},
  };
  start();
  std::size_t pages = 0;
  for (const ClockCase& test : cases) {
    SCOPED_TRACE(test.name);
    clock_.advance(std::chrono::minutes{1});
    ASSERT_TRUE(commit(record(std::string(test.name) + " before", 0, "{}\n")).has_value());
    const Time last = clock_.now();
    ++pages;
    clock_.advance(-test.back);
    if (test.accepted) {
      const Status accepted = writer_.accept_clock("command:alice", test::soon());
      EXPECT_EQ(accepted.has_value(), test.refusal == Code::internal);
      if (!accepted) {
        EXPECT_EQ(accepted.error().code, test.refusal);
      }
      if (accepted) {
        ++pages;
        EXPECT_EQ(audit().back().at, clock_.now());
        EXPECT_EQ(audit().back().text, clock_accepted_line(clock_.now(), last, "command:alice"));
        EXPECT_TRUE(writer_.health().has_value());
      }
    }
    const Status after = commit(record(std::string(test.name) + " after", 0, "{}\n"));
    EXPECT_EQ(after.has_value(), test.written);
    if (after) ++pages;
    EXPECT_EQ(stored(std::string(test.name) + " after"), test.written);
    EXPECT_EQ(audit().size(), pages);
    EXPECT_TRUE(verify_audit(storage_.memory, "main").has_value());
    if (!test.written) clock_.advance(test.back);
  }
}

TEST_F(WriterTest, WritesWhatIsNotAuditedWhateverTheClockSays) {
  start();
  ASSERT_TRUE(commit(record("a", 0, "{}\n")).has_value());
  clock_.advance(-std::chrono::hours{24});
  EXPECT_TRUE(commit(record("b")).has_value());
}

TEST_F(WriterTest, StopsWritingWhileTheClockIsSetBack) {
  start();
  ASSERT_TRUE(commit(record("a", 0, "{}\n")).has_value());
  clock_.advance(-std::chrono::seconds{6});
  expect(commit(record("b", 0, "{}\n")), Code::unavailable,
         "the clock says 2026-11-20T23:59:54Z, before the last audit entry of 2026-11-21T00:00:00Z; set the "
         "clock right, or take it as it is: hanaper audit accept-clock");
  EXPECT_FALSE(writer_.health().has_value());
  EXPECT_FALSE(stored("b"));
  clock_.advance(std::chrono::seconds{7});
  EXPECT_TRUE(commit(record("b", 0, "{}\n")).has_value());
  EXPECT_TRUE(writer_.health().has_value());
  EXPECT_TRUE(verify_audit(storage_.memory, "main").has_value());
}

TEST_F(WriterTest, LetsASmallCorrectionOfTheClockPass) {
  start();
  ASSERT_TRUE(commit(record("a", 0, "{}\n")).has_value());
  clock_.advance(-std::chrono::seconds{5});
  ASSERT_TRUE(commit(record("b", 0, "{}\n")).has_value());
  const std::vector<AuditPage> pages = audit();
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[1].at, pages[0].at);  // never before the page before
  EXPECT_TRUE(verify_audit(storage_.memory, "main").has_value());
}

using Buckets = std::vector<std::pair<std::string_view, std::int64_t>>;

Buckets buckets(const ExpiryCounts& counts, Time now) {
  Buckets list;
  for (const auto& bucket : counts.buckets(now))
    if (bucket.count != 0) list.emplace_back(bucket.label, bucket.count);
  return list;
}

TEST_F(WriterTest, CountsCertificatesByTheDayTheyExpire) {
  const std::int64_t today = std::chrono::floor<std::chrono::days>(clock_.now()).time_since_epoch().count();
  start();
  Write first = record("a"), second = record("b"), third = record("c"), refused = record("a");
  ASSERT_TRUE(writer_.commit(first, test::soon(), ExpiryChange{today + 10, 1}).has_value());
  ASSERT_TRUE(writer_.commit(second, test::soon(), ExpiryChange{today + 10, 1}).has_value());
  EXPECT_FALSE(writer_.commit(refused, test::soon(), ExpiryChange{today + 10, 1}).has_value());
  ASSERT_TRUE(writer_.commit(third, test::soon(), ExpiryChange{today + 10, -1}).has_value());
  EXPECT_EQ(buckets(expiries_, clock_.now()), (Buckets{{"30d", 1}}));
  ExpiryCounts reloaded;
  reloaded.load(*storage_.memory.expiries());
  EXPECT_EQ(buckets(reloaded, clock_.now()), (Buckets{{"30d", 1}}));
}

struct Expiry {
  std::int64_t days;
  std::string_view label;
};

TEST(ExpiryBuckets, AreExclusiveAndMoveWithTheDay) {
  const Time now = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + std::chrono::hours{13};
  const std::int64_t today = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
  const Expiry table[] = {{-400, "expired"}, {-1, "expired"}, {0, "1d"},      {1, "7d"},   {6, "7d"},
                          {7, "30d"},        {29, "30d"},     {30, "90d"},    {89, "90d"}, {90, "365d"},
                          {364, "365d"},     {365, "later"},  {4000, "later"}};
  for (const Expiry& test : table) {
    SCOPED_TRACE(test.days);
    ExpiryCounts counts;
    counts.load({{today + test.days, 3}});
    EXPECT_EQ(buckets(counts, now), (Buckets{{test.label, 3}}));
    EXPECT_EQ(buckets(counts, now + std::chrono::days{test.days - 500}).front().first, "later");
  }
}

// What a scrape walks is days, however many certificates there are.
TEST(ExpiryBuckets, CostByTheDayNotByTheCertificate) {
  const Time now = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21};
  const std::int64_t today = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
  ExpiryCounts counts;
  for (int round = 0; round < 1000; ++round) counts.apply({{today + 1, 1000}, {today + 400, 2000}});
  EXPECT_EQ(buckets(counts, now), (Buckets{{"7d", 1'000'000}, {"later", 2'000'000}}));
}

}  // namespace
}  // namespace hanaper::services
