// What every instance gets from the host to work with: log, clock, metrics, jobs, checks, documents.
#pragma once

#include <hanaper/plugin.hpp>
#include <hanaper/protocol.hpp>
#include <hanaper/storage.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <initializer_list>

namespace hanaper {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct LogField {
  std::string_view name;
  std::string value;
};

// One log for operators: structured lines that name the instance. Secrets, request bodies and values bound
// for the database never go into it. Thread-safe.
class Log {
 public:
  // [any] `message` is constant text; what varies goes into `fields`, which are copied. Never fails.
  virtual void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) = 0;

  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::info, message, fields);
  }
  void warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::warning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::error, message, fields);
  }

 protected:
  ~Log() = default;
};

// The wall clock, which tests can replace: nothing else in a plugin asks the system for the time.
// Thread-safe.
class Clock {
 public:
  virtual Time now() const noexcept = 0;  // [any] UTC, to the millisecond; it may step

 protected:
  ~Clock() = default;
};

// A number that only grows. Thread-safe.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }  // [any]
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A number that moves both ways. Thread-safe.
class Gauge {
 public:
  void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }      // [any]
  void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }  // [any]
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Durations in buckets from 100 us to 10 s. Thread-safe.
class Histogram {
 public:
  static constexpr std::array<double, 11> bounds = {0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05,
                                                    0.1,    0.5,    1,     5,     10};

  void observe(std::chrono::nanoseconds duration) noexcept {  // [any]
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t bucket = 0;
    while (bucket < bounds.size() && seconds > bounds[bucket]) ++bucket;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    nanoseconds_.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
  }
  std::uint64_t count(std::size_t bucket) const noexcept {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  double sum() const noexcept {
    return static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) * 1e-9;
  }

 private:
  std::array<std::atomic<std::uint64_t>, bounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> nanoseconds_{0};
};

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

// The numbers that /metrics shows. The host adds the label `instance`. Thread-safe.
class Metrics {
 public:
  // The number of that name and those labels, made at the first call. The host owns it and keeps it until it
  // ends; an instance that a reload puts in the place of another goes on with its numbers.
  virtual Counter& counter(std::string_view name, std::string_view help,
                           std::vector<Label> labels = {}) = 0;  // [any]
  virtual Gauge& gauge(std::string_view name, std::string_view help,
                       std::vector<Label> labels = {}) = 0;  // [any]
  virtual Histogram& histogram(std::string_view name, std::string_view help,
                               std::vector<Label> labels = {}) = 0;  // [any]

 protected:
  ~Metrics() = default;
};

// Work in the background, on threads of the host. A job has a Call of its own, and no second run of it begins
// before the first has ended. Jobs end with the instance that scheduled them. Thread-safe.
class Scheduler {
 public:
  using Job = std::function<Status(Call&)>;

  // [any] Runs `job` on [worker] every `interval`, the first time one interval from now. A failure is logged,
  // and the job runs again.
  virtual void every(std::string_view name, std::chrono::milliseconds interval, Job job) = 0;

  // [any] Runs `job` on [worker] once, as soon as a thread is free. unavailable when the queue is full.
  virtual Status soon(std::string_view name, Job job) = 0;

 protected:
  ~Scheduler() = default;
};

// What a check says something of.
enum class Purpose : std::uint8_t {
  issue,   // issuing and revoking: /health/ready, and the address that clients issue at
  status,  // telling what became of certificates: /health/status
  node,    // what an operator has to look at though everything works: /health/node
};

// The checks behind /health: whether this node can serve. Thread-safe.
class Health {
 public:
  // [any] From now on the host calls `check` ten times a second, until the instance ends. It is called on
  // [any], answers from memory, and what is wrong is the detail of its error, which operators are shown.
  virtual void check(std::string_view name, std::function<Status()> check,
                     Purpose purpose = Purpose::issue) = 0;

 protected:
  ~Health() = default;
};

// One named set of documents: durable memory of one instance, shared by the nodes, seen by no other instance.
// Thread-safe.
class Collection {
 public:
  // [worker] The document of that key. not_found when absent or expired; unavailable.
  virtual Result<Record> get(std::string_view key) = 0;

  // [worker] Documents with `value` in their index `field` (every document when `field` is empty), by key,
  // after the key `after`, at most `limit`. unavailable.
  virtual Result<std::vector<Record>> find(std::string_view field, std::string_view value,
                                           std::string_view after, std::uint32_t limit) = 0;

  // [any] `write` with this collection filled in, for Host::commit or for an IssueRequest.
  virtual RecordWrite bind(RecordWrite write) const = 0;

 protected:
  ~Collection() = default;
};
// A part of work that nodes do together: the one numbered `index` of `count`.
struct Share {
  std::uint32_t index = 0;
  std::uint32_t count = 1;
};

}  // namespace hanaper
