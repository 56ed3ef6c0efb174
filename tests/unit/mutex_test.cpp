#include <hanaper/toolkit/mutex.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace hanaper {
namespace {

using std::chrono::steady_clock;

TEST(Mutexes, KeepTwoThreadsApart) {
  Mutex mutex;
  int count = 0;
  const auto add = [&] {
    for (int i = 0; i < 10'000; ++i) {
      const Lock lock(mutex);
      ++count;
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(count, 20'000);
}

TEST(Mutexes, AreNotHadWhileSomebodyHasThem) {
  Mutex mutex;
  const auto is_free = [&] {
    bool free = false;
    std::thread([&] {
      if (mutex.try_lock()) {
        const Lock lock(mutex, std::adopt_lock);
        free = true;
      }
    }).join();
    return free;
  };
  EXPECT_TRUE(is_free());
  Lock lock(mutex);
  EXPECT_FALSE(is_free());
  lock.unlock();
  EXPECT_TRUE(is_free());
  lock.lock();
  EXPECT_FALSE(is_free());
}

TEST(Mutexes, LetManyReadAndOneWrite) {
  SharedMutex mutex;
  const auto may_read = [&] {
    bool may = false;
    std::thread([&] {
      if (mutex.try_lock_shared()) {
        const ReadLock lock(mutex, std::adopt_lock);
        may = true;
      }
    }).join();
    return may;
  };
  {
    const ReadLock lock(mutex);
    EXPECT_TRUE(may_read());
  }
  const WriteLock lock(mutex);
  EXPECT_FALSE(may_read());
}

TEST(Conditions, WakeWhoeverWaits) {
  Mutex mutex;
  Condition changed;
  int step = 0;
  std::thread other([&] {
    Lock lock(mutex);
    changed.wait(lock, [&] { return step == 1; });
    step = 2;
    changed.notify_all();
  });
  Lock lock(mutex);
  step = 1;
  changed.notify_all();
  EXPECT_TRUE(
      changed.wait_until(lock, steady_clock::now() + std::chrono::seconds{30}, [&] { return step == 2; }));
  lock.unlock();
  other.join();
}

TEST(Conditions, AreGivenUpAtTheDeadline) {
  Mutex mutex;
  Condition changed;
  Lock lock(mutex);
  EXPECT_FALSE(changed.wait_until(lock, steady_clock::now(), [] { return false; }));
  EXPECT_FALSE(changed.wait_for(lock, std::chrono::milliseconds{0}, [] { return false; }));
  EXPECT_EQ(changed.wait_until(lock, steady_clock::now()), std::cv_status::timeout);
  EXPECT_TRUE(changed.wait_until(lock, steady_clock::now(), [] { return true; })) << "no need to wait";
}

}  // namespace
}  // namespace hanaper
