// Group commit: one thread writes for everybody.
//
// Writes gather while the writer commits the group before; then it takes up to 256 of them, commits them as
// one transaction with one audit page, and tells everybody. An idle writer starts at once, so a lone caller
// pays for one commit and nothing else.
#pragma once

#include "completion.hpp"

#include <hanaper/services.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <functional>
#include <map>
#include <thread>

namespace hanaper::services {

// Certificates by the day they expire, kept in memory, so that a scrape costs the same whatever there is.
// Thread-safe.
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
  mutable Mutex mutex_;
  std::map<std::int64_t, std::int64_t> days_ HANAPER_GUARDED_BY(mutex_);
};

// Something to be written, and who wants to know how that went. Lives until `committed` is called or it has
// been withdrawn.
class Submission {
 public:
  Write write;
  std::optional<ExpiryChange> expiry;  // goes into the counts with it
  Deadline deadline{};                 // not begun after it
  // Who accepts a clock that is before the last page of the audit; empty: nobody, and lines for it are
  // refused.
  std::string accepts_clock = {};

  // On the writer's thread, once: quick, and never another wait. Success means durable. conflict and
  // malformed are the write's own outcome; unavailable when storage is, or when the deadline came first.
  virtual void committed(Status status) noexcept = 0;

 protected:
  ~Submission() = default;
};

// The only caller of Storage::commit. Thread-safe.
class Writer {
 public:
  Writer(Storage& storage, std::string node, const Clock& clock, Log& log, Metrics& metrics,
         ExpiryCounts& expiries);
  ~Writer();

  // [main] Before start. `name_is_ours` is asked on the writer's thread when somebody else has written under
  // the node's name: conflict when the name is another's now, and nothing is written any more; otherwise that
  // was the last word of one that is gone, and writing goes on behind it.
  void guard_name(std::function<Status()> name_is_ours);

  // [main] Reads where this node's writing stands. unavailable when storage is away.
  Status start();

  // [worker] Whether what is written now can be audited: unavailable when the clock is before the last audit
  // page, for certificates dated before their audit would prove nothing. Reading needs no clock.
  Status check_clock() const;
  // [worker] Goes on from the clock as it is, with a page that says so and names `requester`. conflict when
  // it is not before the last page.
  Status accept_clock(const std::string& requester, Deadline deadline);

  // [main] Commits what waits, then ends the thread.
  void stop();

  // [any] Queues. When it fails (unavailable: 4,096 writes wait, or the writer stops) `committed` is not
  // called.
  Status submit(Submission& submission);

  // [any] True when it was still waiting: then `committed` is not called any more.
  bool withdraw(Submission& submission);

  // [worker] Submits and waits.
  Status commit(Write& write, Deadline deadline, std::optional<ExpiryChange> expiry = {});

  // [any] Whether the last commit went well and the clock is sane.
  Status health() const;

  // [any] Writes that wait for the next group.
  std::size_t waiting() const;

 private:
  using Group = std::vector<Submission*>;

  void run();
  void commit_group(Group& group);
  Status attempt(const Group& group);
  Result<std::optional<AuditPage>> page_of(const Group& group);
  Status write(Batch& batch);
  Status refresh();
  Status check_name();
  void fail_all(const Group& group, const Error& error);

  Storage& storage_;
  const std::string node_;
  const Clock& clock_;
  Log& log_;
  ExpiryCounts& expiries_;
  Histogram& commit_time_;
  Counter& commits_;
  Counter& writes_;

  // The writer thread's own.
  std::function<Status()> name_is_ours_ = [] { return Status{}; };
  WriterState state_;
  bool state_known_ = false;
  Status displaced_;  // what everybody is told once the name is another's

  mutable Mutex mutex_;
  Condition work_;
  Group queue_ HANAPER_GUARDED_BY(mutex_);
  bool quit_ HANAPER_GUARDED_BY(mutex_) = false;
  Status health_ HANAPER_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hanaper::services
