// Threads of an instance's own: what each does, and what is left of it.
#include "services/threads.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <semaphore>

namespace hanaper::services {
namespace {

Deadline in_time() { return std::chrono::steady_clock::now() + std::chrono::seconds{30}; }

class ThreadsOf : public ::testing::Test {
 protected:
  void wait_until_ended() const {
    while (!threads_.running().empty()) std::this_thread::yield();
  }

  fakes::RecordingLog log_;
  fakes::FakeMetrics metrics_;
  Threads threads_{std::make_shared<Guard>("publisher.test", log_, metrics_)};
};

// As a plugin waits for work, or for its end.
void wait_for_the_end(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
}

struct Ending {
  const char* name;
  Threads::Body body;
  bool well;
};

TEST_F(ThreadsOf, AnInstanceEndWhateverTheyDo) {
  const Ending table[] = {
      {"returns", [](const std::stop_token&) {}, true},
      {"waits", wait_for_the_end, true},
      {"throws", [](const std::stop_token&) { throw std::runtime_error("no luck"); }, false},
      {"throws-int", [](const std::stop_token&) { throw 7; }, false},
      {"throws-late",
       [](const std::stop_token& stop) {
         wait_for_the_end(stop);
         throw std::runtime_error("at the end");
       },
       false}};
  for (const auto& [name, body, well] : table) {
    SCOPED_TRACE(name);
    fakes::RecordingLog log;
    Threads threads(std::make_shared<Guard>("publisher.test", log, metrics_));
    threads.start(name, body);
    EXPECT_TRUE(threads.stop(in_time()));
    EXPECT_TRUE(threads.running().empty());
    EXPECT_EQ(threads.health().has_value(), well);
    EXPECT_EQ(log.lines().size(), well ? 0u : 1u);
    if (well) continue;
    EXPECT_NE(log.lines()[0].find("exception left a plugin"), std::string::npos) << log.lines()[0];
    EXPECT_NE(log.lines()[0].find("plugin=publisher.test"), std::string::npos) << log.lines()[0];
    EXPECT_NE(log.lines()[0].find(std::string("entry=thread ") + name), std::string::npos) << log.lines()[0];
    EXPECT_NE(threads.health().error().detail.find(std::string("publisher.test: its thread ") + name),
              std::string::npos);
  }
}

TEST_F(ThreadsOf, OneThatFailsHurtsNoOther) {
  std::binary_semaphore told(0);
  threads_.start("good", [&](const std::stop_token& stop) {
    wait_for_the_end(stop);
    told.release();
  });
  threads_.start("bad", [](const std::stop_token&) { throw std::runtime_error("no luck"); });
  while (threads_.health()) std::this_thread::yield();
  EXPECT_EQ(threads_.running(), std::vector<std::string>{"good"});
  threads_.start("another", [](const std::stop_token&) {});
  EXPECT_FALSE(threads_.health()) << "what has failed stays named";
  EXPECT_TRUE(threads_.stop(in_time()));
  EXPECT_TRUE(told.try_acquire());
}

TEST_F(ThreadsOf, WhoDoesNotEndInTimeIsNamedAndWaitedFor) {
  std::binary_semaphore go(0);
  threads_.start("stubborn", [&](const std::stop_token&) { go.acquire(); });
  threads_.start("obedient", wait_for_the_end);
  EXPECT_FALSE(threads_.stop(std::chrono::steady_clock::now()));
  while (threads_.running().size() != 1) std::this_thread::yield();
  EXPECT_EQ(threads_.running(), std::vector<std::string>{"stubborn"});
  go.release();
  EXPECT_TRUE(threads_.stop(in_time()));
}

TEST_F(ThreadsOf, NoneBeginsAfterTheStop) {
  EXPECT_TRUE(threads_.stop(in_time()));
  bool ran = false;
  threads_.start("late", [&](const std::stop_token&) { ran = true; });
  EXPECT_TRUE(threads_.running().empty());
  EXPECT_FALSE(ran);
}

TEST_F(ThreadsOf, OneMayStartAnother) {
  std::promise<void> done;
  threads_.start("first", [&](const std::stop_token&) {
    threads_.start("second", [&](const std::stop_token&) { done.set_value(); });
  });
  done.get_future().get();
  wait_until_ended();
  EXPECT_TRUE(threads_.stop(in_time()));
}

// Nobody is held up by it: it lives as long as the instance.
TEST_F(ThreadsOf, OneThatLivesLongIsNotTakenForACallThatDoesNotComeBack) {
  std::binary_semaphore inside(0);
  threads_.start("long", [&](const std::stop_token& stop) {
    inside.release();
    wait_for_the_end(stop);
  });
  inside.acquire();
  EXPECT_TRUE(Gates::visits(std::chrono::milliseconds{-1}).empty());
  EXPECT_TRUE(threads_.stop(in_time()));
}

}  // namespace
}  // namespace hanaper::services
