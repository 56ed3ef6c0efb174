// UTF-8 text as people see it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hanaper::unicode {

struct Character {
  std::uint32_t point = 0;
  std::size_t size = 0;  // octets
};
// The first character of a text; nothing when it is not UTF-8 (RFC 3629 4), or empty.
std::optional<Character> first(std::string_view text);

// Whether a character is seen at all, as what it is: no control character, mark of direction, joiner, blank
// without width, tag, character for private use (Unicode's general categories Cc, Cf, Zl, Zp, Co and what is
// left out when text is shown).
bool is_seen(std::uint32_t point) noexcept;
// Whether a text is UTF-8 of which every character is seen.
bool is_all_seen(std::string_view text) noexcept;

// A text for the eyes of somebody who decides by it: what is not seen, what looks like a letter or digit of
// ASCII and is none, and letters of Cyrillic, Greek and like scripts beside those of Latin are written
// "\u{202e}".
std::string shown(std::string_view text);

// The letters of ASCII in lower case, everything else as it is: how host names, attributes and the like are
// compared (RFC 5280 7.1 and 7.2).
constexpr char ascii_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string ascii_lower(std::string_view text);

}  // namespace hanaper::unicode
