// Reading index.txt, in which `openssl ca` keeps what an authority has issued: one line for each certificate.
#pragma once

#include <hanaper/storage.hpp>

namespace hanaper::validity {

// What somebody says of a certificate of which he may not have the octets.
struct IndexEntry {
  Serial serial;
  std::optional<Time> not_after;   // nothing: he does not say
  std::optional<Time> revoked_at;  // nothing: it is not revoked
  RevocationReason reason = RevocationReason::unspecified;
  std::optional<Time> invalidity = std::nullopt;
};

// One line without its end: state, expiry, revocation with its reason, serial number, file and subject, with
// tabs between. malformed, in words that may follow the number of the line.
Result<IndexEntry> parse_index_line(std::string_view line);

// Whether the text is in that form: one of its first lines has its columns and its state.
bool is_index(std::string_view text);

}  // namespace hanaper::validity
