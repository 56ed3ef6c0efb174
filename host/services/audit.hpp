// The audit: what was done with the authority's keys, in lines that cannot be changed unnoticed.
//
// Lines are JSON objects. Those of one commit form a page; each page carries the hash of the one before, so
// that taking out, changing or reordering anything breaks the chain of its node. Pages are written in the
// same transaction as what they tell of: a commit without its audit cannot happen.
#pragma once

#include <hanaper/host.hpp>

namespace hanaper::services {

// One line with its '\n': {"time":...,"event":"sign.intent",...}. Fields with empty values are left out.
std::string audit_line(Time at, std::string_view event, std::initializer_list<LogField> fields);

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
