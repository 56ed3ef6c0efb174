#include "services/laters.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/testing/fake_laters.hpp>

#include <gtest/gtest.h>

#include <future>
#include <latch>

namespace hanaper::services {
namespace {

using std::chrono::milliseconds;

Deadline in(milliseconds time) { return std::chrono::steady_clock::now() + time; }
constexpr milliseconds long_time{30'000};

// What has followed, and on what thread.
struct Seen {
  std::optional<Error> error;
  std::string value;
  std::string id;
  ThreadKind thread = ThreadKind::main;
};

class ALater : public ::testing::Test {
 protected:
  template <Thread where = Thread::worker>
  Later<std::string, where> begin(milliseconds time = long_time) {
    promise_ = std::make_shared<std::promise<Seen>>();
    return laters_.make<std::string, where>(
        Call{"call-1", in(time)}, [this, promise = promise_](Result<std::string> answer, Call& call) {
          Seen seen;
          if (answer)
            seen.value = *answer;
          else
            seen.error = answer.error();
          seen.id = call.id;
          seen.thread = this_thread;
          ++runs_;
          promise->set_value(seen);
        });
  }
  Seen wait() { return promise_->get_future().get(); }
  std::uint64_t ignored() { return metrics_.counter("hanaper_later_ignored_total", "", {}).value(); }

  fakes::RecordingLog log_;
  fakes::FakeMetrics metrics_;
  LaterTable table_{metrics_};
  std::shared_ptr<Guard> guard_ = std::make_shared<Guard>("protocol.acme", log_, metrics_);
  InstanceLaters laters_{table_, guard_};
  std::shared_ptr<std::promise<Seen>> promise_;
  std::atomic<int> runs_{0};
};

TEST_F(ALater, RunsWhatFollowsOnAWorker) {
  const auto later = begin();
  EXPECT_FALSE(later.finished());
  EXPECT_TRUE(later.complete(std::string("answer")));
  EXPECT_TRUE(later.finished());
  const Seen seen = wait();
  EXPECT_EQ(seen.value, "answer");
  EXPECT_EQ(seen.id, "call-1");
  EXPECT_EQ(seen.thread, ThreadKind::worker);
}

TEST_F(ALater, RunsWhatFollowsOnANetworkThreadWhereItsTypeSaysSo) {
  std::vector<std::thread> network;
  std::mutex mutex;
  table_.serve_network([&](LaterTable::Task task) {
    const std::lock_guard lock(mutex);
    network.emplace_back([task = std::move(task)] {
      thread_is(ThreadKind::io);
      task();
    });
  });
  begin<Thread::network>().complete(std::string("answer"));
  EXPECT_EQ(wait().thread, ThreadKind::io);
  table_.serve_network({});
  for (std::thread& thread : network) thread.join();
  begin<Thread::network>().complete(std::string("answer"));
  EXPECT_EQ(wait().thread, ThreadKind::io) << "and before the node serves, on one that never blocks";
}

TEST_F(ALater, TakesTheAnswerFromAnotherThread) {
  auto later = begin();
  std::thread other([later = std::move(later)] { later.complete(std::string("from elsewhere")); });
  EXPECT_EQ(wait().value, "from elsewhere");
  other.join();
}

TEST_F(ALater, CountsASecondAnswerAndIgnoresIt) {
  const auto later = begin();
  const auto copy = later;
  EXPECT_TRUE(later.complete(std::string("first")));
  EXPECT_FALSE(copy.complete(std::string("second")));
  EXPECT_FALSE(later.complete(internal("third")));
  EXPECT_EQ(wait().value, "first");
  EXPECT_EQ(ignored(), 2u);
  EXPECT_TRUE(laters_.withdraw(in(long_time)));
  EXPECT_EQ(runs_, 1);
}

TEST_F(ALater, OfManyWhoAnswerAtOnceTakesOne) {
  for (int round = 0; round < 50; ++round) {
    const auto later = begin();
    std::latch all(4);
    std::vector<std::thread> threads;
    std::atomic<int> taken{0};
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&, later] {
        all.arrive_and_wait();
        if (later.complete(std::string("one of them"))) ++taken;
      });
    EXPECT_EQ(wait().value, "one of them");
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(taken, 1);
  }
  EXPECT_EQ(ignored(), 150u);
}

TEST_F(ALater, ThatEverybodyLetGoOfIsInternal) {
  begin();
  const Seen seen = wait();
  ASSERT_TRUE(seen.error);
  EXPECT_EQ(seen.error->code, Code::internal);
  EXPECT_EQ(seen.error->detail, "nobody has completed it: it was dropped unfinished");
}

TEST_F(ALater, EndsAtItsDeadline) {
  const auto later = begin(milliseconds{1});
  std::promise<void> stopped;
  later.when_given_up([&] { stopped.set_value(); });
  const Seen seen = wait();
  ASSERT_TRUE(seen.error);
  EXPECT_EQ(seen.error->code, Code::unavailable);
  EXPECT_EQ(seen.error->detail, "no answer came in time");
  stopped.get_future().get();
  EXPECT_TRUE(later.finished());
  EXPECT_FALSE(later.complete(std::string("too late")));
  EXPECT_EQ(ignored(), 1u);
}

TEST_F(ALater, WhoseDeadlineIsOverEndsAtOnce) {
  const auto later = begin(milliseconds{-1000});
  EXPECT_EQ(wait().error->code, Code::unavailable);
}

TEST_F(ALater, IsCancelledByWhoBeganIt) {
  const auto later = begin();
  bool stopped = false;
  later.when_given_up([&] { stopped = true; });
  const auto cancel = later.canceller();
  cancel();
  EXPECT_EQ(wait().error->detail, "it was cancelled");
  EXPECT_TRUE(stopped);
  cancel();
  bool at_once = false;
  later.when_given_up([&] { at_once = true; });
  EXPECT_TRUE(at_once) << "for who asks after the end";
}

TEST_F(ALater, ThatIsAnsweredIsNotGivenUp) {
  bool stopped = false;
  {
    const auto later = begin();
    later.when_given_up([&] { stopped = true; });
    const auto cancel = later.canceller();
    later.complete(std::string("answer"));
    cancel();
  }
  EXPECT_EQ(wait().value, "answer");
  EXPECT_TRUE(laters_.withdraw(in(long_time)));
  EXPECT_FALSE(stopped);
  EXPECT_EQ(runs_, 1);
}

TEST_F(ALater, ACancellerKeepsNothing) {
  auto cancel = begin().canceller();
  EXPECT_EQ(wait().error->code, Code::internal);
  cancel();
  EXPECT_EQ(runs_, 1);
}

TEST_F(ALater, EndsWhenItsInstanceStopsWhichWaitsForWhatFollows) {
  std::binary_semaphore inside(0), go_on(0);
  std::atomic<bool> through{false};
  const auto later = laters_.make<int>(Call{"call-1", in(long_time)}, [&](Result<int> answer, Call&) {
    EXPECT_EQ(answer.error().detail, "protocol.acme has been stopped");
    inside.release();
    go_on.acquire();
    through = true;
  });
  EXPECT_FALSE(laters_.withdraw(in(milliseconds{1}))) << "somebody is still inside";
  inside.acquire();
  EXPECT_FALSE(through);
  go_on.release();
  EXPECT_TRUE(laters_.withdraw(in(long_time)));
  EXPECT_TRUE(through);
}

TEST_F(ALater, OfAStoppedInstanceEndsAtOnce) {
  EXPECT_TRUE(laters_.withdraw(in(long_time)));
  const auto later = begin();
  EXPECT_EQ(wait().error->detail, "protocol.acme has been stopped");
  EXPECT_TRUE(laters_.withdraw(in(long_time)));
}

TEST_F(ALater, BeyondTheMostEndsAtOnce) {
  std::vector<Later<int>> waiting;
  for (std::size_t i = 0; i < LaterTable::most; ++i)
    waiting.push_back(laters_.make<int>(Call{"call", in(long_time)}, [](Result<int>, Call&) {}));
  const auto later = begin();
  EXPECT_EQ(wait().error->detail, "too many calls wait for answers");
  EXPECT_TRUE(laters_.withdraw(in(long_time)));
}

TEST_F(ALater, WhoseFollowingThrowsIsCaughtAtTheGuard) {
  laters_
      .make<int>(Call{"call-7", in(long_time)}, [](Result<int>, Call&) { throw std::runtime_error("a bug"); })
      .complete(1);
  laters_.make<int>(Call{"call-8", in(long_time)}, [](Result<int>, Call&) { throw 1; }).complete(1);
  EXPECT_TRUE(laters_.withdraw(in(long_time)));
  EXPECT_EQ(log_.lines().size(), 2u);
  EXPECT_EQ(metrics_.counter("hanaper_plugin_exceptions_total", "", {{"instance", "protocol.acme"}}).value(),
            2u);
}

// What a continuation holds belongs to the plugin, whose memory may go when the instance has stopped.
TEST_F(ALater, LetsGoOfWhatItHoldsBeforeTheStopReturns) {
  for (int round = 0; round < 200; ++round) {
    InstanceLaters laters(table_, guard_);
    const auto held = std::make_shared<int>(1);
    const auto later = laters.make<int>(Call{"call", in(long_time)}, [held](Result<int>, Call&) {});
    if (round % 2 == 0) later.complete(1);
    EXPECT_TRUE(laters.withdraw(in(long_time)));
    EXPECT_EQ(held.use_count(), 1) << round;
  }
}

TEST_F(ALater, MayAnswerWhatCannotBeCopied) {
  std::promise<int> got;
  laters_
      .make<std::unique_ptr<int>>(Call{"call", in(long_time)}, [&](Result<std::unique_ptr<int>> answer,
                                                                   Call&) { got.set_value(**answer); })
      .complete(std::make_unique<int>(7));
  EXPECT_EQ(got.get_future().get(), 7);
}

TEST_F(ALater, MayBeFollowedByTheNext) {
  std::promise<int> got;
  laters_
      .make<int>(Call{"call", in(long_time)},
                 [&](Result<int> first, Call& call) {
                   laters_
                       .make<int>(call, [&, first = *first](Result<int> second,
                                                            Call&) { got.set_value(first + *second); })
                       .complete(2);
                 })
      .complete(1);
  EXPECT_EQ(got.get_future().get(), 3);
}

TEST(FakeLaters, RunWhatFollowsAtOnceAndEndWhatWaits) {
  fakes::FakeLaters laters;
  std::string seen;
  const auto then = [&](Result<int> answer, Call&) {
    seen = answer ? std::to_string(*answer) : answer.error().detail;
  };
  laters.make<int>(fakes::test_call(), then).complete(5);
  EXPECT_EQ(seen, "5");
  laters.make<int>(fakes::test_call(), then);
  EXPECT_EQ(seen, "nobody has completed it: it was dropped unfinished");
  const auto waits = laters.make<int>(fakes::test_call(), then);
  EXPECT_EQ(laters.waiting(), 1u);
  laters.end(unavailable("the node stops"));
  EXPECT_EQ(seen, "the node stops");
  EXPECT_FALSE(waits.complete(6));
  EXPECT_EQ(laters.ignored(), 1u);
  EXPECT_EQ(laters.waiting(), 0u);
}

}  // namespace
}  // namespace hanaper::services
