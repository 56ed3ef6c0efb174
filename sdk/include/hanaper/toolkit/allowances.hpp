// How often each of many may do something.
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

namespace hanaper {

// At most `count` in any `window` for each key, spread evenly once the first `count` are gone. One number in
// memory for each key, in a table that never grows beyond 2 MiB: when more keys are at work than it has room
// for, those are forgotten that have used the least. Thread-safe.
class Allowances {
 public:
  Allowances(std::int64_t count, std::chrono::milliseconds window);

  // [any] How long `key` has to wait for the next; zero: it need not.
  std::chrono::milliseconds wait(std::string_view key, Time now) const;
  // [any] The same, and counts one when it need not.
  std::chrono::milliseconds take(std::string_view key, Time now);
  // [any] Counts one, also beyond what is allowed.
  void charge(std::string_view key, Time now);
  // [any] As if `key` had never come.
  void forgive(std::string_view key);

 private:
  struct Cell {
    std::uint64_t tag = 0;  // of the key; 0: free
    Time whole_at{};        // when the allowance is whole again
  };
  using Row = std::array<Cell, 8>;
  static constexpr std::size_t rows_in_block = 64, blocks = 256;
  using Block = std::array<Row, rows_in_block>;

  std::uint64_t tag_of(std::string_view key) const;
  const Cell* find(std::uint64_t tag) const HANAPER_REQUIRES(mutex_);
  // The key's own cell, or one that is given to it.
  Cell& cell(std::uint64_t tag, Time now) HANAPER_REQUIRES(mutex_);
  std::chrono::milliseconds wait(Time whole_at, Time now) const;

  const std::int64_t count_;
  const std::chrono::milliseconds window_;
  Fingerprint secret_;  // so that nobody chooses whom to share a row with; constant
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Block>> table_ HANAPER_GUARDED_BY(mutex_);  // null: not used yet
};

}  // namespace hanaper
