// The audit: what was done with the authority's keys, in lines that cannot be changed unnoticed.
//
// Lines are JSON objects. Those of one commit form a page; each page carries the hash of the one before, so
// that taking out, changing or reordering anything breaks the chain of its node. Pages are written in the
// same transaction as what they tell of: a commit without its audit cannot happen.
#pragma once

#include <hanaper/services.hpp>
#include <hanaper/toolkit/mutex.hpp>

namespace hanaper::services {

// One line with its '\n': {"time":...,"event":"sign.intent",...}. Fields with empty values are left out.
std::string audit_line(Time at, std::string_view event, std::span<const LogField> fields);
inline std::string audit_line(Time at, std::string_view event, std::initializer_list<LogField> fields) {
  return audit_line(at, event, std::span(fields.begin(), fields.size()));
}

// How many lines strangers can cause. Thread-safe.
class AuditAllowance {
 public:
  static constexpr std::uint64_t lines_a_minute = 100;

  // Nothing when the minute has had its lines; otherwise how many were passed over before this one.
  std::optional<std::uint64_t> take(Time now);

 private:
  Mutex mutex_;
  std::int64_t minute_ HANAPER_GUARDED_BY(mutex_) = 0;
  std::uint64_t written_ HANAPER_GUARDED_BY(mutex_) = 0;
  std::uint64_t passed_over_ HANAPER_GUARDED_BY(mutex_) = 0;
};

// The page that follows `previous`.
AuditPage next_page(const WriterState& previous, Time at, std::string text);

// The hash that a page must have.
Fingerprint page_hash(const AuditPage& page);

struct AuditVerdict {
  std::uint64_t pages = 0;
  std::uint64_t lines = 0;
  Fingerprint head{};
  std::optional<Time> last;
};

// Walks a node's whole chain. internal, naming the page, when it is broken; unavailable from storage.
Result<AuditVerdict> verify_audit(Ledger& ledger, std::string_view node);

}  // namespace hanaper::services
