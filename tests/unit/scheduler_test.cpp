#include "services/scheduler.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <latch>
#include <semaphore>

namespace hanaper::services {
namespace {

using std::chrono::milliseconds;

Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds{30}; }
Deadline now() { return std::chrono::steady_clock::now(); }

class TimetableOf : public ::testing::Test {
 protected:
  fakes::RecordingLog log_;
  Timetable timetable_{log_};
};

TEST_F(TimetableOf, AJobToBeDoneSoonRunsItOnce) {
  timetable_.start();
  std::atomic<int> runs{0};
  ASSERT_TRUE(timetable_
                  .soon("acme", "validate",
                        [&](Call& call) -> Status {
                          EXPECT_FALSE(call.id.empty());
                          EXPECT_GT(call.remaining(), milliseconds{0});
                          ++runs;
                          return {};
                        })
                  .has_value());
  EXPECT_TRUE(timetable_.drain(soon()));
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(log_.lines().empty());
}

TEST_F(TimetableOf, ARecurringJobRunsItAgainAndAgain) {
  std::latch three(3);
  std::atomic<int> left{3};
  timetable_.every("acme", "sweep", milliseconds{1}, [&](Call&) -> Status {
    if (left-- > 0) three.count_down();
    return {};
  });
  timetable_.start();
  three.wait();
  EXPECT_TRUE(timetable_.drain(soon()));
}

TEST_F(TimetableOf, ARecurringJobNeverRunsItTwiceAtOnce) {
  std::atomic<int> running{0}, most{0};
  std::latch enough(20);
  std::atomic<int> left{20};
  timetable_.every("acme", "sweep", milliseconds{1}, [&](Call&) -> Status {
    most = std::max(most.load(), ++running);
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    --running;
    if (left-- > 0) enough.count_down();
    return {};
  });
  timetable_.start();
  enough.wait();
  EXPECT_TRUE(timetable_.drain(soon()));
  EXPECT_EQ(most, 1);
}

TEST_F(TimetableOf, JobsThatAllWaitRunsWhatRecurs) {
  timetable_.start();
  std::latch swept(1), go(1);
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(timetable_.soon("acme", "validate", [&](Call&) -> Status {
      go.wait();
      return {};
    }));
  std::atomic<bool> first{true};
  timetable_.every("crl", "publish", milliseconds{1}, [&](Call&) -> Status {
    if (first.exchange(false)) swept.count_down();
    return {};
  });
  swept.wait();
  go.count_down();
  EXPECT_TRUE(timetable_.drain(soon()));
}

TEST_F(TimetableOf, NothingRunsNothing) {
  EXPECT_TRUE(timetable_.drain(soon())) << "without ever being started";
}

TEST_F(TimetableOf, AJobBeforeTheStartRefusesIt) {
  EXPECT_EQ(timetable_.soon("acme", "validate", [](Call&) -> Status { return {}; }).error().code,
            Code::unavailable);
}

TEST_F(TimetableOf, AFailingJobLogsIt) {
  timetable_.start();
  ASSERT_TRUE(
      timetable_.soon("acme", "validate", [](Call&) -> Status { return unavailable("no dns"); }).has_value());
  ASSERT_TRUE(timetable_.soon("acme", "throw", [](Call&) -> Status { throw std::runtime_error("a bug"); })
                  .has_value());
  EXPECT_TRUE(timetable_.drain(soon()));
  std::string lines;
  for (const std::string& line : log_.lines()) lines += line + "\n";
  EXPECT_NE(lines.find("warning job failed owner=acme job=validate error=no dns"), std::string::npos)
      << lines;
  EXPECT_NE(lines.find("job=throw error=exception: a bug"), std::string::npos) << lines;
}

TEST_F(TimetableOf, AnOwnerWhoEndsWaitsForHisJobsAndStartsNoMore) {
  timetable_.start();
  std::binary_semaphore go(0);
  std::latch running(1);
  std::atomic<bool> done{false};
  ASSERT_TRUE(timetable_
                  .soon("acme", "slow",
                        [&](Call&) -> Status {
                          running.count_down();
                          go.acquire();
                          done = true;
                          return {};
                        })
                  .has_value());
  running.wait();
  EXPECT_FALSE(timetable_.end("acme", now())) << "it runs still";
  EXPECT_TRUE(timetable_.end("somebody-else", now()));
  go.release();
  EXPECT_TRUE(timetable_.end("acme", soon()));
  EXPECT_TRUE(done);
  EXPECT_FALSE(timetable_.soon("acme", "late", [](Call&) -> Status { return {}; }).has_value());
  EXPECT_TRUE(timetable_.soon("scep", "other", [](Call&) -> Status { return {}; }).has_value());
  EXPECT_TRUE(timetable_.drain(soon()));
}

TEST_F(TimetableOf, ARecurringJobOfAnEndedOwnerDropsIt) {
  std::atomic<bool> ended{false};
  std::latch first(1), other(2);
  std::atomic<int> firsts{1}, others{0};
  timetable_.every("acme", "sweep", milliseconds{1}, [&](Call&) -> Status {
    EXPECT_FALSE(ended);
    if (firsts-- > 0) first.count_down();
    return {};
  });
  timetable_.every("scep", "sweep", milliseconds{1}, [&](Call&) -> Status {
    if (ended && others++ < 2) other.count_down();
    return {};
  });
  timetable_.start();
  first.wait();
  ASSERT_TRUE(timetable_.end("acme", soon()));
  ended = true;
  other.wait();  // meanwhile the ended one's turn has come as well
  EXPECT_TRUE(timetable_.drain(soon()));
}

}  // namespace
}  // namespace hanaper::services
