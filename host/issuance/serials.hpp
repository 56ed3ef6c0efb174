// Serial numbers: never the same twice, whatever crashes.
#pragma once

#include "../config/model.hpp"
#include "../services/writer.hpp"

#include <hanaper/services.hpp>
#include <hanaper/toolkit/mutex.hpp>

namespace hanaper::issuance {

// A run of numbers that belongs to this node alone.
struct SerialRange {
  Serial begin;
  Serial end;  // the last one
};

// [worker] Moves every lane of a restored ledger on by that many numbers: nodes have taken ranges since,
// which it does not know. unavailable.
Status skip_in_lanes(Records& records, services::Writer& writer, std::uint64_t numbers);

// Where an authority's serial numbers come from. Thread-safe.
class SerialSource {
 public:
  virtual ~SerialSource() = default;

  // [worker] A number that was never given out before, as far as this node can know; the ledger's unique key
  // has the last word. unavailable when no range can be had, or the lane is used up.
  virtual Result<Serial> draw(Deadline deadline) = 0;

  // [worker] That somebody else has given those out under the authority's name: what would come to them in
  // turn goes on behind them. unavailable.
  virtual Status pass(std::span<const Serial> taken, Deadline deadline) {
    static_cast<void>(taken);
    static_cast<void>(deadline);
    return {};
  }

  struct State {
    std::string kind;  // "random" or "range"
    std::optional<Serial> next;
    std::optional<SerialRange> current, following;
  };
  virtual State state() const = 0;
};

// 20 octets: 4 of time, seconds since 2020-01-01, and 16 from the CSPRNG. The time makes the ledger's unique
// index grow at its end only; the rest is twice the randomness that anybody asks for.
class RandomSerials final : public SerialSource {
 public:
  explicit RandomSerials(const Clock& clock) : clock_(clock) {}
  Result<Serial> draw(Deadline deadline) override;
  State state() const override { return {"random", {}, {}, {}}; }

 private:
  const Clock& clock_;
};

// Numbers from disjoint ranges that this node takes out of storage by compare-and-swap on the shared next
// value. A mark in the state folder, synced before a range's first use, keeps a range from being used twice
// even if the database lost it: gaps are fine, reuse is not.
class RangeSerials final : public SerialSource {
 public:
  RangeSerials(config::SerialConfig config, const std::string& authority, std::string mark_file,
               Records& records, services::Writer& writer, Log& log);
  Result<Serial> draw(Deadline deadline) override;
  Status pass(std::span<const Serial> taken, Deadline deadline) override;
  State state() const override;

 private:
  // The lane as it is stored.
  struct Lane {
    std::uint64_t head = 0;  // the first offset that nobody has taken
    std::uint64_t version = 0;
  };
  struct Run {
    std::uint64_t next = 0;  // offsets from the lane's start
    std::uint64_t end = 0;   // one behind the last
  };
  Result<Run> take(Deadline deadline);
  Result<Lane> read_lane() const;
  // conflict when the lane has moved meanwhile.
  Status move(const Lane& lane, std::uint64_t head, Deadline deadline);
  // unavailable when numbers up to `end` are another lane's as well.
  Status check_lanes(std::uint64_t end) const;
  Result<std::uint64_t> read_mark() const;
  Status write_mark(std::uint64_t value) const;
  // unavailable when that is beyond what a serial number can be.
  Result<Serial> at(std::uint64_t offset) const;
  Error used_up() const;
  Error fought_over() const;

  const config::SerialConfig config_;
  const std::string begins_;  // "issuing:", as all lanes of the authority
  const std::string lane_;    // "issuing:01"; who shares it shares its ranges
  const std::string mark_file_;
  Records& records_;
  services::Writer& writer_;
  Log& log_;
  mutable Mutex mutex_;
  Run current_ HANAPER_GUARDED_BY(mutex_);
  Run following_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::issuance
