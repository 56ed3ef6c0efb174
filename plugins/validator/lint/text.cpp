#include "text.hpp"

#include <hanaper/toolkit/identifiers.hpp>

namespace hanaper::lint {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_hex(char c) noexcept { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }
bool one_of(char c, std::string_view set) noexcept { return set.find(c) != std::string_view::npos; }

}  // namespace

std::string in_quotes(std::string_view value) {
  constexpr std::size_t longest = 100;
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "\"";
  for (char c : value.substr(0, longest)) {
    const auto octet = static_cast<std::uint8_t>(c);
    if (octet >= 0x20 && octet < 0x7f && c != '"' && c != '\\') {
      text.push_back(c);
    } else {
      text += {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
    }
  }
  text += value.size() > longest ? "...\"" : "\"";
  return text;
}

bool is_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return static_cast<std::uint8_t>(c) < 0x80; });
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::size_t> utf8_length(std::string_view text) noexcept {
  const auto octet = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    const std::uint8_t lead = octet(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return std::nullopt;
    for (std::size_t k = 1; k < length; ++k)
      if ((octet(i + k) & 0xc0) != 0x80) return std::nullopt;
    // Longer forms than needed, surrogates, and what lies beyond U+10FFFF show in the second octet.
    const std::uint8_t second = octet(i + 1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
      return std::nullopt;
    i += length;
  }
  return count;
}

bool has_control_characters(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<std::uint8_t>(text[i]);
    if (octet < 0x20 || octet == 0x7f) return true;
    if (octet == 0xc2 && i + 1 < text.size() && static_cast<std::uint8_t>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

std::string_view take_label(std::string_view& name) noexcept {
  const std::size_t dot = name.find('.');
  const std::string_view label = name.substr(0, dot);
  name = dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
  return label;
}

bool is_host_label(std::string_view label) noexcept {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

std::string_view host_name_fault(std::string_view name) noexcept {
  if (name.empty()) return "is empty";
  if (name.size() > 253) return "is longer than 253 octets";
  if (name.back() == '.') return "ends with a dot";
  while (!name.empty()) {
    const std::string_view label = take_label(name);
    if (label.empty()) return "has an empty label";
    if (label.size() > 63) return "has a label of more than 63 octets";
    if (!is_host_label(label)) return "has a label that is not letters, digits and inner hyphens";
  }
  return {};
}

bool ends_in_number(std::string_view name) noexcept {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return !last.empty() && std::ranges::all_of(last, is_digit);
}

bool is_qualified_host_name(std::string_view name) noexcept {
  return host_name_fault(name).empty() && name.find('.') != std::string_view::npos && !ends_in_number(name);
}

bool is_reserved_label(std::string_view label) noexcept {
  return label.size() >= 4 && label.substr(2, 2) == "--";
}

bool is_a_label(std::string_view label) noexcept {
  return is_reserved_label(label) && same_ignoring_case(label.substr(0, 2), "xn");
}

Uri split_uri(std::string_view text) noexcept {
  Uri uri;
  const std::size_t colon = text.find(':');
  const std::string_view scheme = text.substr(0, colon);
  // RFC 3986 3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
  if (colon == std::string_view::npos || scheme.empty() || !is_letter(scheme.front())) return uri;
  for (char c : scheme)
    if (!is_letter(c) && !is_digit(c) && !one_of(c, "+-.")) return uri;
  uri.scheme = scheme;
  uri.rest = uri.tail = text.substr(colon + 1);
  if (!uri.rest.starts_with("//")) return uri;
  uri.has_authority = true;
  uri.host = uri.rest.substr(2);
  const std::size_t end = std::min(uri.host.find_first_of("/?#"), uri.host.size());
  uri.tail = uri.host.substr(end);
  uri.host = uri.host.substr(0, end);
  if (const std::size_t at = uri.host.rfind('@'); at != std::string_view::npos)
    uri.host.remove_prefix(at + 1);
  const std::size_t bracket = uri.host.rfind(']');
  if (const std::size_t port = uri.host.rfind(':');
      port != std::string_view::npos && (bracket == std::string_view::npos || port > bracket))
    uri.host = uri.host.substr(0, port);
  return uri;
}

namespace {

constexpr auto allowed_in_uris = [] {
  std::array<bool, 256> allowed{};
  for (const char* c = "-._~:/?#[]@!$&'()*+,;="; *c != 0; ++c) allowed[static_cast<std::uint8_t>(*c)] = true;
  for (std::uint8_t c = '0'; c <= '9'; ++c) allowed[c] = true;
  for (std::uint8_t c = 'A'; c <= 'Z'; ++c) allowed[c] = allowed[c + 32u] = true;
  return allowed;
}();

}  // namespace

bool has_uri_characters(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    } else if (!allowed_in_uris[static_cast<std::uint8_t>(text[i])]) {
      return false;
    }
  }
  return true;
}

bool is_qualified_host(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const auto octets = x509::ip_octets(host.substr(1, host.size() - 2));
    return octets && octets->size() == 16;
  }
  if (ends_in_number(host)) return x509::ip_octets(host).has_value();
  return is_qualified_host_name(host);
}

Mailbox split_mailbox(std::string_view text) noexcept {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

bool is_local_part(std::string_view text, bool utf8) noexcept {
  if (text.empty() || text.size() > 64 || has_control_characters(text)) return false;
  if (!is_ascii(text) && (!utf8 || !utf8_length(text))) return false;
  if (text.size() > 1 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '"') return false;
      if (text[i] == '\\' && ++i == text.size()) return false;
    }
    return true;
  }
  if (text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) return false;
  return std::ranges::none_of(text, [](char c) { return one_of(c, " ()<>[]:;,@\\\""); });
}

}  // namespace hanaper::lint
