#include "index_reader.hpp"

#include "reasons.hpp"

#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>
#include <array>

namespace hanaper::validity {
namespace {

constexpr std::size_t longest_line = 16 * 1024;
constexpr std::size_t lines_looked_at = 10;
enum Place : std::size_t { state, expiry, revocation, number, file, subject, places };
using Parts = std::array<std::string_view, places>;

// A tab within the subject has a backslash before it; what is behind the fifth is the subject's.
std::optional<Parts> parts_of(std::string_view line) {
  Parts parts;
  for (std::size_t i = 0; i < subject; ++i) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return std::nullopt;
    parts[i] = line.substr(0, tab);
    line.remove_prefix(tab + 1);
  }
  parts[subject] = line;
  return parts;
}

// What a file says goes to terminals and into JSON.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t shown = 40;
  std::string quoted = "\"" + std::string(text.substr(0, shown)) + "\"";
  for (char& c : quoted)
    if (c < ' ' || c > '~') c = '?';
  return quoted;
}

bool is_state(std::string_view text) { return text == "V" || text == "R" || text == "E"; }

// UTCTime until 2049 (RFC 5280 4.1.2.5), GeneralizedTime from then on, or as others write it.
Result<Time> parse_date(std::string_view text) {
  constexpr std::size_t two_digit_year = 13;  // YYMMDDHHMMSSZ
  const auto tag = text.size() == two_digit_year ? der::utc_time : der::generalized_time;
  auto time = der::parse_time(tag, as_bytes(text));
  if (!time) return malformed(in_quotes(text) + " is no date");
  return time;
}

bool same_word(std::string_view a, std::string_view b) {
  return unicode::ascii_lower(a) == unicode::ascii_lower(b);
}

// In letters of any case; and what OpenSSL's options -crl_hold, -crl_compromise and -crl_CA_compromise write
// in place of a reason.
std::optional<RevocationReason> reason_in(std::string_view word) {
  for (const RevocationReason reason : reasons)
    if (same_word(word, to_string(reason))) return reason;
  if (same_word(word, "holdInstruction")) return RevocationReason::certificate_hold;
  if (same_word(word, "keyTime")) return RevocationReason::key_compromise;
  if (same_word(word, "CAkeyTime")) return RevocationReason::ca_compromise;
  return std::nullopt;
}

// "261130092309Z,keyTime,20261101000000Z": when, why and, of a compromise, since when.
Status read_revocation(std::string_view text, IndexEntry& entry) {
  const std::size_t comma = std::min(text.find(','), text.size());
  HANAPER_TRY(entry.revoked_at, parse_date(text.substr(0, comma)));
  if (comma == text.size()) return {};
  const std::string_view rest = text.substr(comma + 1), word = rest.substr(0, rest.find(','));
  const auto reason = reason_in(word);
  if (!reason) return malformed(in_quotes(word) + " is no reason of a revocation");
  entry.reason = *reason;
  if (same_word(word, "keyTime") || same_word(word, "CAkeyTime")) {
    HANAPER_TRY(entry.invalidity, parse_date(rest.substr(std::min(word.size() + 1, rest.size()))));
  }
  return {};
}

}  // namespace

Result<IndexEntry> parse_index_line(std::string_view line) {
  if (line.size() > longest_line) return malformed("is longer than 16 KiB");
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto parts = parts_of(line);
  if (!parts) return malformed("has no six columns with tabs between");
  if (!is_state((*parts)[state])) return malformed("begins with another state than V, R or E");
  IndexEntry entry;
  HANAPER_TRY(entry.not_after, parse_date((*parts)[expiry]));
  if ((*parts)[number].starts_with('-')) return malformed("serial number is negative");
  auto serial = Serial::from_text((*parts)[number]);
  if (!serial) return malformed("serial number: " + serial.error().detail);
  entry.serial = *serial;
  const bool revoked = (*parts)[state] == "R";
  if (revoked == (*parts)[revocation].empty())
    return malformed(revoked ? "is revoked and says not when" : "says when it was revoked, and is not");
  if (revoked) HANAPER_CHECK(read_revocation((*parts)[revocation], entry));
  return entry;
}

bool is_index(std::string_view text) {
  for (std::size_t i = 0; i < lines_looked_at && !text.empty(); ++i) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto parts = parts_of(text.substr(0, end));
    if (parts && is_state((*parts)[state])) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

}  // namespace hanaper::validity
