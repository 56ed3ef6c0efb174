#include "services/scheduler.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <latch>
#include <semaphore>

namespace hanaper::services {
namespace {

using std::chrono::milliseconds;

Deadline by_then() { return std::chrono::steady_clock::now() + std::chrono::seconds{30}; }
Deadline now() { return std::chrono::steady_clock::now(); }

class JobTableOf : public ::testing::Test {
 protected:
  fakes::RecordingLog log_;
  JobTable jobs_{log_};
};

TEST_F(JobTableOf, AJobToBeDoneSoonRunsItOnce) {
  jobs_.start();
  std::atomic<int> runs{0};
  ASSERT_TRUE(jobs_
                  .soon("acme", "validate",
                        [&](Call& call) -> Status {
                          EXPECT_FALSE(call.id.empty());
                          EXPECT_GT(call.remaining(), milliseconds{0});
                          ++runs;
                          return {};
                        })
                  .has_value());
  EXPECT_TRUE(jobs_.drain(by_then()));
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(log_.lines().empty());
}

TEST_F(JobTableOf, ARecurringJobRunsItAgainAndAgain) {
  std::latch three(3);
  std::atomic<int> left{3};
  jobs_.every("acme", "sweep", milliseconds{1}, [&](Call&) -> Status {
    if (left-- > 0) three.count_down();
    return {};
  });
  jobs_.start();
  three.wait();
  EXPECT_TRUE(jobs_.drain(by_then()));
}

TEST_F(JobTableOf, ARecurringJobNeverRunsItTwiceAtOnce) {
  std::atomic<int> running{0}, most{0};
  std::latch enough(20);
  std::atomic<int> left{20};
  jobs_.every("acme", "sweep", milliseconds{1}, [&](Call&) -> Status {
    most = std::max(most.load(), ++running);
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    --running;
    if (left-- > 0) enough.count_down();
    return {};
  });
  jobs_.start();
  enough.wait();
  EXPECT_TRUE(jobs_.drain(by_then()));
  EXPECT_EQ(most, 1);
}

TEST_F(JobTableOf, JobsThatAllWaitRunsWhatRecurs) {
  jobs_.start();
  std::latch swept(1), go(1);
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(jobs_.soon("acme", "validate", [&](Call&) -> Status {
      go.wait();
      return {};
    }));
  std::atomic<bool> first{true};
  jobs_.every("crl", "publish", milliseconds{1}, [&](Call&) -> Status {
    if (first.exchange(false)) swept.count_down();
    return {};
  });
  swept.wait();
  go.count_down();
  EXPECT_TRUE(jobs_.drain(by_then()));
}

TEST_F(JobTableOf, NothingRunsNothing) {
  EXPECT_TRUE(jobs_.drain(by_then())) << "without ever being started";
}

TEST_F(JobTableOf, AJobBeforeTheStartRefusesIt) {
  EXPECT_EQ(jobs_.soon("acme", "validate", [](Call&) -> Status { return {}; }).error().code,
            Code::unavailable);
}

TEST_F(JobTableOf, AFailingJobLogsIt) {
  jobs_.start();
  ASSERT_TRUE(
      jobs_.soon("acme", "validate", [](Call&) -> Status { return unavailable("no dns"); }).has_value());
  ASSERT_TRUE(
      jobs_.soon("acme", "throw", [](Call&) -> Status { throw std::runtime_error("a bug"); }).has_value());
  EXPECT_TRUE(jobs_.drain(by_then()));
  std::string lines;
  for (const std::string& line : log_.lines()) lines += line + "\n";
  EXPECT_NE(lines.find("warning job failed owner=acme job=validate error=no dns"), std::string::npos)
      << lines;
  EXPECT_NE(lines.find("job=throw error=exception: a bug"), std::string::npos) << lines;
}

// The jobs as one instance sees it.
class ScheduledBy : public JobTableOf {
 protected:
  fakes::FakeMetrics metrics_;
  std::shared_ptr<Guard> guard_ = std::make_shared<Guard>("protocol.acme", log_, metrics_);
  Registrations registrations_{guard_};
  InstanceScheduler scheduler_{jobs_, registrations_, "protocol.acme"};
};

TEST_F(ScheduledBy, AnInstanceThatEndsWaitsForItsJobsAndStartsNoMore) {
  jobs_.start();
  registrations_.activate();
  std::binary_semaphore go(0);
  std::latch running(1);
  std::atomic<bool> done{false};
  ASSERT_TRUE(scheduler_.soon("slow", [&](Call&) -> Status {
    running.count_down();
    go.acquire();
    done = true;
    return {};
  }));
  running.wait();
  EXPECT_FALSE(registrations_.withdraw(now())) << "it runs still";
  go.release();
  EXPECT_TRUE(registrations_.withdraw(by_then()));
  EXPECT_TRUE(done);
  EXPECT_FALSE(scheduler_.soon("late", [](Call&) -> Status { return {}; }));
  EXPECT_TRUE(jobs_.soon("protocol.scep", "other", [](Call&) -> Status { return {}; }));
  EXPECT_TRUE(jobs_.drain(by_then()));
}

TEST_F(ScheduledBy, AnInstanceThatHasEndedDropsItsRecurringJobs) {
  std::atomic<bool> ended{false};
  std::latch first(1), other(2);
  std::atomic<int> firsts{1}, others{0};
  registrations_.activate();
  scheduler_.every("sweep", milliseconds{1}, [&](Call&) -> Status {
    EXPECT_FALSE(ended);
    if (firsts-- > 0) first.count_down();
    return {};
  });
  jobs_.every("protocol.scep", "sweep", milliseconds{1}, [&](Call&) -> Status {
    if (ended && others++ < 2) other.count_down();
    return {};
  });
  jobs_.start();
  first.wait();
  ASSERT_TRUE(registrations_.withdraw(by_then()));
  ended = true;
  other.wait();  // meanwhile the ended one's turn has come as well
  EXPECT_TRUE(jobs_.drain(by_then()));
}

TEST_F(ScheduledBy, AnInstanceThatIsTriedOutRunsNothingBeforeItIsTaken) {
  jobs_.start();
  std::atomic<bool> taken{false};
  std::latch both(2);
  std::atomic<int> left{1};
  const auto job = [&](Call&) -> Status {
    EXPECT_TRUE(taken);
    if (left-- > 0) both.count_down();
    return {};
  };
  scheduler_.every("sweep", milliseconds{1}, job);
  ASSERT_TRUE(scheduler_.soon("once", [&](Call&) -> Status {
    EXPECT_TRUE(taken);
    both.count_down();
    return {};
  }));
  taken = true;
  registrations_.activate();
  both.wait();
  EXPECT_TRUE(registrations_.withdraw(by_then()));
  EXPECT_TRUE(jobs_.drain(by_then()));
}

TEST_F(ScheduledBy, AnInstanceThatIsDroppedUntakenRunsNothing) {
  jobs_.start();
  ASSERT_TRUE(scheduler_.soon("once", [&](Call&) -> Status {
    ADD_FAILURE() << "it was never taken";
    return {};
  }));
  EXPECT_TRUE(registrations_.withdraw(by_then()));
  registrations_.activate();
  EXPECT_TRUE(jobs_.drain(by_then()));
}

}  // namespace
}  // namespace hanaper::services
