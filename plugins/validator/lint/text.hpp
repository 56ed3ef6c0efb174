// What the rules ask of texts: host names, URIs, UTF-8, and how a value appears in a message.
//
// Free functions over their input, without state: callable from any thread.
#pragma once

#include <hanaper/values.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hanaper::lint {

// The value in quotes for one line of a message: what is no printable ASCII as \xHH, at most 100 octets.
std::string in_quotes(std::string_view value);
inline std::string in_quotes(ByteView value) { return in_quotes(as_text(value)); }

bool is_ascii(std::string_view text) noexcept;
char lower(char c) noexcept;
bool same_ignoring_case(std::string_view a, std::string_view b) noexcept;

// Characters of a UTF-8 text; nothing when it is not UTF-8 (RFC 3629 4).
std::optional<std::size_t> utf8_length(std::string_view text) noexcept;
// Whether a UTF-8 text holds U+0000 to U+001F or U+007F to U+009F.
bool has_control_characters(std::string_view text) noexcept;

// Takes the label before the first dot off `name`, with its dot.
std::string_view take_label(std::string_view& name) noexcept;

// RFC 1034 3.5 as RFC 1123 2.1 has it: 1 to 63 letters, digits and hyphens, none of these at an end.
bool is_host_label(std::string_view label) noexcept;
// Why the text is no host name; empty when it is one. Dots at the end are a fault.
std::string_view host_name_fault(std::string_view name) noexcept;
// Whether it has the form of a host name of at least two labels, the last of them no number.
bool is_qualified_host_name(std::string_view name) noexcept;
bool ends_in_number(std::string_view name) noexcept;

// RFC 5890 2.3.1: labels with "--" in third and fourth place are reserved; "xn--" marks A-labels.
bool is_reserved_label(std::string_view label) noexcept;
bool is_a_label(std::string_view label) noexcept;

// The parts of a URI (RFC 3986 3) that the rules look at.
struct Uri {
  std::string_view scheme;  // empty: not absolute
  std::string_view rest;    // what follows the colon
  bool has_authority = false;
  std::string_view host;  // without user, port; an IPv6 address with its brackets
  std::string_view tail;  // what follows the authority, or all of `rest`
};
Uri split_uri(std::string_view text) noexcept;
// Whether every character may stand in a URI (RFC 3986 2) and every '%' begins an escape.
bool has_uri_characters(std::string_view text) noexcept;
// Whether the host is a domain name of at least two labels or an IP address.
bool is_qualified_host(std::string_view host);

// The part of a mail address before and behind its last '@'; no domain when there is no '@'.
struct Mailbox {
  std::string_view local_part;
  std::string_view domain;
};
Mailbox split_mailbox(std::string_view text) noexcept;
// RFC 5321 4.1.2: a Dot-string or a Quoted-string; other than ASCII only where `utf8` allows it.
bool is_local_part(std::string_view text, bool utf8) noexcept;

}  // namespace hanaper::lint
