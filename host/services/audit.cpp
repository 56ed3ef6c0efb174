#include "audit.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::services {
namespace {

std::array<std::uint8_t, 8> big_endian(std::uint64_t value) {
  std::array<std::uint8_t, 8> octets;
  for (std::size_t i = octets.size(); i-- > 0; value >>= 8) octets[i] = static_cast<std::uint8_t>(value);
  return octets;
}

constexpr std::string_view clock_accepted = "clock.accepted";

bool accepts_clock(std::string_view lines, Time last) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const auto line = json::parse(lines.substr(0, end));
    if (line && line->text_at("event") == clock_accepted && line->text_at("last") == time_text_ms(last))
      return true;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return false;
}

}  // namespace

std::optional<std::uint64_t> AuditAllowance::take(Time now, std::string_view kind, std::string_view client) {
  const auto room = [&](Allowances& ones, std::string_view one, std::string_view all) {
    return all_.wait(all, now).count() == 0 && ones.take(one, now).count() == 0 &&
           all_.take(all, now).count() == 0;
  };
  if (room(kinds_, kind, "kinds") || room(clients_, client, "clients")) return passed_over_.exchange(0);
  ++passed_over_;
  return {};
}

std::string kind_of_error(std::string_view error) {
  constexpr std::size_t longest = 64;
  const auto end = std::ranges::find_if(error, [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' || c == ',' || c == ';');
  });
  return std::string(error.substr(0, std::min(longest, static_cast<std::size_t>(end - error.begin()))));
}

std::string audit_line(Time at, std::string_view event, std::span<const LogField> fields) {
  std::string line;
  line.reserve(256);
  line.append(R"({"time":")").append(time_text_ms(at)).append(R"(","event":")").append(event).append("\"");
  for (const LogField& field : fields) {
    if (field.value.empty()) continue;
    line.append(",\"").append(field.name).append("\":");
    json::append_quoted(line, field.value);
  }
  return line + "}\n";
}

std::string clock_accepted_line(Time at, Time last, std::string_view requester) {
  return audit_line(at, clock_accepted,
                    {{"last", time_text_ms(last)}, {"requester", std::string(requester)}});
}

Fingerprint page_hash(const AuditPage& page) {
  return crypto::sha256({page.previous, big_endian(page.sequence),
                         big_endian(static_cast<std::uint64_t>(page.at.time_since_epoch().count())),
                         as_bytes(page.text)});
}

AuditPage next_page(const WriterState& previous, Time at, std::string text) {
  AuditPage page;
  page.sequence = previous.audit_sequence + 1;
  page.at = at;
  page.text = std::move(text);
  page.previous = previous.audit_hash;
  page.hash = page_hash(page);
  return page;
}

Result<AuditVerdict> verify_audit(Ledger& ledger, std::string_view node) {
  AuditVerdict verdict;
  for (;;) {
    HANAPER_TRY(const std::vector<AuditPage> pages, ledger.audit(node, verdict.pages, 256));
    if (pages.empty()) return verdict;
    for (const AuditPage& page : pages) {
      const std::string where =
          "audit of node " + std::string(node) + ", page " + std::to_string(page.sequence) + ": ";
      if (page.sequence != verdict.pages + 1)
        return internal(where + "page " + std::to_string(verdict.pages + 1) + " is missing");
      if (page.previous != verdict.head) return internal(where + "does not follow the page before it");
      if (page.hash != page_hash(page)) return internal(where + "its text has been changed");
      if (verdict.last && page.at < *verdict.last && !accepts_clock(page.text, *verdict.last))
        return internal(where + "is older than the page before it");
      verdict.pages = page.sequence;
      verdict.head = page.hash;
      verdict.last = page.at;
      verdict.lines += static_cast<std::uint64_t>(std::ranges::count(page.text, '\n'));
    }
  }
}

}  // namespace hanaper::services
