// The audit: what was done with the authority's keys, in lines that cannot be changed unnoticed.
//
// Lines are JSON objects. Those of one commit form a page; each page carries the hash of the one before, so
// that taking out, changing or reordering anything breaks the chain of its node. Pages are written in the
// same transaction as what they tell of: a commit without its audit cannot happen.
#pragma once

#include <hanaper/services.hpp>
#include <hanaper/toolkit/allowances.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <atomic>

namespace hanaper::services {

// One line with its '\n': {"time":...,"event":"sign.intent",...}. Fields with empty values are left out.
std::string audit_line(Time at, std::string_view event, std::span<const LogField> fields);
inline std::string audit_line(Time at, std::string_view event, std::initializer_list<LogField> fields) {
  return audit_line(at, event, std::span(fields.begin(), fields.size()));
}

// How many lines clients can cause. A line needs room for its kind or for its client, so that many of one
// kind hide no other kind, and many of one client no other client. Thread-safe.
class AuditAllowance {
 public:
  static constexpr std::int64_t of_one = 50;   // kind or client, a minute
  static constexpr std::int64_t of_all = 500;  // kinds or clients

  // Nothing when there is no room; otherwise how many were passed over before this one.
  std::optional<std::uint64_t> take(Time now, std::string_view kind, std::string_view client);

 private:
  Allowances kinds_{of_one, std::chrono::minutes{1}}, clients_{of_one, std::chrono::minutes{1}};
  Allowances all_{of_all, std::chrono::minutes{1}};
  std::atomic<std::uint64_t> passed_over_{0};
};

// What an error says before it comes to particulars: letters and blanks, as far as they go.
std::string kind_of_error(std::string_view error);

// The line that lets a page be older than the one before, which was written at `last`: somebody has taken the
// clock for right.
std::string clock_accepted_line(Time at, Time last, std::string_view requester);

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
