// Group commit: one thread writes for everybody.
//
// A caller hands in a Write and waits. The writer takes what has gathered, up to 256 writes, commits it as
// one transaction with one audit page, and lets everybody go; while it commits, the next group gathers. An
// idle writer starts at once, so a lone caller pays for one commit and nothing else.
#pragma once

#include <hanaper/host.hpp>

#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <thread>

namespace hanaper::services {

// Certificates by the day they expire, kept in memory, so that a scrape costs the same whatever there is.
class ExpiryCounts {
 public:
  void load(const std::vector<ExpiryChange>& days);
  void apply(const std::vector<ExpiryChange>& changes);

  struct Bucket {
    std::string_view label;  // "7d": expires within seven days; "expired"; "later"
    std::int64_t count = 0;
  };
  // Exclusive buckets at `now`.
  std::vector<Bucket> buckets(Time now) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::int64_t> days_;  // guarded by mutex_
};

// The only caller of Storage::commit. Thread-safe.
class Writer {
 public:
  Writer(Storage& storage, std::string node, const Clock& clock, Log& log, Metrics& metrics,
         ExpiryCounts& expiries);
  ~Writer();

  // [main] Reads where this node's writing stands. unavailable when storage is away, and when the clock is
  // before the last audit page: certificates dated before their audit would prove nothing.
  Status start();

  // [main] Commits what waits, then ends the thread.
  void stop();

  // [worker] Durable when it returns success. conflict and not_found are the write's own outcome; unavailable
  // when storage is, when more than 4,096 writes wait, or when the deadline came before its turn. `expiry`
  // goes into the counts with it.
  Status commit(Write& write, Deadline deadline, std::optional<ExpiryChange> expiry = {});

  // [any] Whether the last commit went well and the clock is sane.
  Status health() const;

  // [any] Writes that wait for the next group.
  std::size_t waiting() const;

 private:
  struct Waiting {
    Write* write;
    std::optional<ExpiryChange> expiry;
    Status result;
    std::binary_semaphore done{0};
  };

  void run();
  void commit_group(std::vector<Waiting*>& group);
  Status attempt(const std::vector<Waiting*>& group);
  Status write(Batch& batch);
  Status refresh();
  void fail_all(std::vector<Waiting*>& group, const Error& error);

  Storage& storage_;
  const std::string node_;
  const Clock& clock_;
  Log& log_;
  ExpiryCounts& expiries_;
  Histogram& commit_time_;
  Counter& commits_;
  Counter& writes_;

  // The writer thread's own.
  WriterState state_;
  bool state_known_ = false;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Waiting*> queue_;  // guarded by mutex_, as all below
  bool quit_ = false;
  Status health_;
  std::thread thread_;
};

}  // namespace hanaper::services
