// A batch as rows of statements, made once and run as often as it takes.
#pragma once

#include "dialect.hpp"

#include <deque>

namespace hanaper::sql {

std::int64_t milliseconds(Time time) noexcept;
Time from_milliseconds(long long count) noexcept;

class Plan {
 public:
  explicit Plan(const Batch& batch);

  // In the order of the statements: what is alike stands together.
  std::span<const Row* const> grouped() const { return grouped_; }

  // malformed, with the outcome of the write set, when a document is beyond its limits.
  Status within_limits() const;

  // False when two writes are about the same document: then only the order of the batch gives what it means.
  bool may_be_grouped() const { return !repeats_; }

  // One after the other in the order of the batch, until one stands in the way: its write has its outcome
  // set, and the same is returned. Throws Failure.
  Status run_in_order(Connection& connection, std::string_view place) const;

 private:
  struct Step {
    Row row;
    Write* write = nullptr;               // whose it is; null: the batch's own
    const RecordWrite* record = nullptr;  // and of its documents
  };

  void add_write(Write& write);
  void add_record(Write& write, const RecordWrite& record);
  void add_ledger(Write& write);
  void add_certificate(Write& write);
  void add_signature(Write& write);
  void add_crl(Write& write);
  void add(Row row, Write* write = nullptr, const RecordWrite* record = nullptr) {
    steps_.push_back({row, write, record});
  }
  void find_repeats();
  Status refusal(const Step& step, std::string_view place) const;
  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }

  const Batch& batch_;
  std::deque<std::string> kept_;  // texts that rows only view
  std::vector<Step> steps_;
  std::vector<const Row*> grouped_;
  std::int64_t position_;  // of the next signature or revocation
  bool repeats_ = false;
};

}  // namespace hanaper::sql
