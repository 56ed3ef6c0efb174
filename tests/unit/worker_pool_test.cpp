#include "services/worker_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <semaphore>

namespace hanaper::services {
namespace {

Deadline after(std::chrono::seconds wait) { return std::chrono::steady_clock::now() + wait; }

TEST(WorkerPools, RunEverythingTheyAccept) {
  std::atomic<int> done{0};
  {
    WorkerPool pool("test", 4, 1000);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pool.submit([&] { ++done; })) << i;
  }
  EXPECT_EQ(done, 1000);
}

TEST(WorkerPools, HaveAThreadForEachTaskUpToTheirBound) {
  std::counting_semaphore<> go(0);
  std::latch three(3);
  WorkerPool pool("test", 3, 10);
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(pool.submit([&, i] {
      if (i < 3) three.count_down();
      go.acquire();
    }));
  three.wait();  // none of them waits for another
  EXPECT_EQ(pool.waiting(), 2u);
  go.release(5);
}

TEST(WorkerPools, RefuseWhatDoesNotFitTheirQueue) {
  std::counting_semaphore<> go(0);
  std::latch busy(2);
  WorkerPool pool("test", 2, 3);
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(pool.submit([&] {
      busy.count_down();
      go.acquire();
    }));
  busy.wait();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.submit([&] { go.acquire(); })) << i;
  EXPECT_EQ(pool.waiting(), 3u);
  EXPECT_FALSE(pool.submit([] { FAIL() << "was refused"; }));
  go.release(5);
}

TEST(WorkerPools, TakeNewTasksOnceThereIsRoomAgain) {
  std::counting_semaphore<> go(0);
  std::latch busy(1);
  std::latch done(1);
  WorkerPool pool("test", 1, 1);
  ASSERT_TRUE(pool.submit([&] {
    busy.count_down();
    go.acquire();
  }));
  busy.wait();
  ASSERT_TRUE(pool.submit([] {}));
  ASSERT_FALSE(pool.submit([] {}));
  go.release();
  while (!pool.submit([&] { done.count_down(); })) std::this_thread::yield();
  done.wait();
}

TEST(WorkerPools, DrainByFinishingWhatTheyAccepted) {
  std::atomic<int> done{0};
  WorkerPool pool("test", 2, 100);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.submit([&] { ++done; }));
  EXPECT_TRUE(pool.drain(after(std::chrono::seconds{30})));
  EXPECT_EQ(done, 100);
  EXPECT_EQ(pool.waiting(), 0u);
  EXPECT_FALSE(pool.submit([] {})) << "nothing new while draining";
}

TEST(WorkerPools, SayWhenTheDeadlineCameBeforeTheLastTask) {
  std::counting_semaphore<> go(0);
  WorkerPool pool("test", 1, 10);
  ASSERT_TRUE(pool.submit([&] { go.acquire(); }));
  EXPECT_FALSE(pool.drain(after({})));
  go.release();
  EXPECT_TRUE(pool.drain(after(std::chrono::seconds{30})));
}

TEST(WorkerPools, DropWhatATaskHoldsBeforeTheyAreDrained) {
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = held;
  WorkerPool pool("test", 1, 10);
  ASSERT_TRUE(pool.submit([held = std::move(held)] {}));
  EXPECT_TRUE(pool.drain(after(std::chrono::seconds{30})));
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace hanaper::services
