// A writer over a storage in memory that does as the test says.
#pragma once

#include "services/metrics.hpp"
#include "services/writer.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <thread>

namespace hanaper::test {

// Lets commits through, holds them, or fails them; remembers what it saw. Thread-safe.
class DirectedStorage final : public Storage {
 public:
  explicit DirectedStorage(const Clock& clock) : memory(clock) {}

  Status configure(const Settings&, Host&) override { return {}; }
  Ledger& ledger() override { return memory; }
  Records& records() override { return memory; }
  Leases& leases() override { return memory; }
  Status health() override { return {}; }

  Status commit(Batch& batch) override {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return permits_ != 0; });
    if (permits_ > 0) --permits_;
    sizes.push_back(batch.writes.size());
    if (before_commit)
      if (Status decided = before_commit(batch); !decided) return decided;
    return memory.commit(batch);
  }

  // Commits wait from now on; each permit lets one through.
  void hold() {
    const std::lock_guard lock(mutex_);
    permits_ = 0;
  }
  void let_through(int count) {
    const std::lock_guard lock(mutex_);
    permits_ += count;
    changed_.notify_all();
  }
  void release() {
    const std::lock_guard lock(mutex_);
    permits_ = -1;
    changed_.notify_all();
  }
  // Until that many commits have been asked for.
  void wait_for_arrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

  fakes::MemoryStorage memory;
  std::vector<std::size_t> sizes;                     // of the batches, in their order
  std::function<Status(const Batch&)> before_commit;  // may refuse the batch

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  int permits_ = -1;  // negative: any number
};

// Long enough for thousands of threads on a machine that is busy.
inline Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::minutes{5}; }
inline Deadline long_ago() { return std::chrono::steady_clock::now() - std::chrono::seconds{30}; }

class WriterFixture : public ::testing::Test {
 protected:
  ~WriterFixture() override {
    storage_.release();
    for (std::thread& thread : threads_) thread.join();
  }

  void start() {
    const Status started = writer_.start();
    ASSERT_TRUE(started.has_value()) << started.error().detail;
  }

  static Write record(std::string key, std::uint64_t expected = 0, std::string audit = {}) {
    Write write;
    write.records.push_back({"test", std::move(key), expected, false, {}, {}, "data"});
    write.audit = std::move(audit);
    return write;
  }
  Status commit(Write write, Deadline deadline = soon()) { return writer_.commit(write, deadline); }

  // Commits from a thread of its own; the outcome is there once all are joined.
  void commit_aside(Write write, Status& outcome, Deadline deadline = soon()) {
    threads_.emplace_back([this, &outcome, deadline, write = std::move(write)]() mutable {
      outcome = writer_.commit(write, deadline);
    });
  }
  void wait_for_queue(std::size_t size) const {
    while (writer_.waiting() != size) std::this_thread::yield();
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  bool stored(const std::string& key) { return storage_.memory.get("test", key).has_value(); }
  std::vector<AuditPage> audit() { return *storage_.memory.audit("main", 0, 1000); }

  fakes::ManualClock clock_;
  fakes::RecordingLog log_;
  services::Registry metrics_;
  services::ExpiryCounts expiries_;
  DirectedStorage storage_{clock_};
  services::Writer writer_{storage_, "main", clock_, log_, metrics_, expiries_};
  std::vector<std::thread> threads_;
};

}  // namespace hanaper::test
