#include "forwarded.hpp"

#include "addresses.hpp"

#include <utility>

namespace hanaper::http {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether the quote at `at` is one of a quoted string's own characters (RFC 9110 5.6.4).
bool is_escaped(std::string_view text, std::size_t at) {
  std::size_t slashes = 0;
  while (slashes < at && text[at - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 1;
}

// Takes the last element off a list. Reading from the end, whatever a client has put in front, such as a
// quote that it never closes, changes nothing of what the proxies have added.
std::string_view take_last(std::string_view& list) {
  bool quoted = false;
  std::size_t at = list.size();
  for (; at != 0; --at) {
    const char c = list[at - 1];
    if (c == '"' && !(quoted && is_escaped(list, at - 1))) quoted = !quoted;
    if (c == ',' && !quoted) break;
  }
  const std::string_view element = list.substr(at);
  list = at == 0 ? std::string_view{} : list.substr(0, at - 1);
  return trimmed(element);
}

// RFC 7239 6: node-port = port / obfport.
bool is_node_port(std::string_view text) {
  const bool hidden = text.starts_with('_');
  if (text.empty() || (hidden && text.size() == 1) || (!hidden && text.size() > 5)) return false;
  return std::ranges::all_of(text.substr(hidden ? 1 : 0), [&](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
    return (c >= '0' && c <= '9') || (hidden && letter);
  });
}

// RFC 7239 6: an address, with or without a port; one of IPv6 in brackets, which X-Forwarded-For often lacks.
// "unknown" and names that hide an address give nothing.
std::optional<Bytes> read_node(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view behind = text.substr(end + 1), inside = text.substr(1, end - 1);
    if (inside.find(':') == std::string_view::npos) return std::nullopt;
    if (!behind.empty() && !(behind.starts_with(':') && is_node_port(behind.substr(1)))) return std::nullopt;
    return read_address(inside);
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
    return read_address(text);
  if (!is_node_port(text.substr(colon + 1))) return std::nullopt;
  return read_address(text.substr(0, colon));
}

// A value, a token or a quoted string, off the front of an element; nothing when it is neither.
std::optional<std::string> take_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    const std::size_t end = text.find_first_of("; \t\"");
    value = text.substr(0, end);
    text.remove_prefix(value.size());
    return value;
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\' && ++i == text.size()) break;
    value += text[i];
  }
  return std::nullopt;
}

// RFC 7239 4: forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] ); "Each parameter MUST NOT
// occur more than once per field-value."
std::optional<Bytes> read_element(std::string_view text) {
  std::optional<std::string> node;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("=;\"");
    const std::string_view name = trimmed(text.substr(0, end));
    if (end == std::string_view::npos || text[end] != '=') {
      if (!name.empty() || (end != std::string_view::npos && text[end] == '"')) return std::nullopt;
      text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
      continue;
    }
    text.remove_prefix(end + 1);
    auto value = take_value(text);
    text = trimmed(text);
    if (!value || name.empty() || (!text.empty() && !text.starts_with(';'))) return std::nullopt;
    if (!text.empty()) text.remove_prefix(1);
    if (Request::same_name(name, "for") && std::exchange(node, std::move(value))) return std::nullopt;
  }
  return node ? read_node(*node) : std::nullopt;
}

struct ForwardedField {
  std::string_view name;
  std::optional<Bytes> (*read)(std::string_view element);
};

struct Named {
  bool given = false;  // the request has the field
  std::optional<Bytes> client;
  bool operator==(const Named&) const = default;
};

Named search(const ForwardedField& field, std::span<const HeaderView> headers,
             std::span<const x509::Subtree> proxies) {
  Named found;
  std::size_t looked_at = 0;
  for (std::size_t i = headers.size(); i-- > 0;) {
    if (!Request::same_name(headers[i].name, field.name)) continue;
    found.given = true;
    std::string_view list = headers[i].value;
    while (!list.empty()) {
      const std::string_view element = take_last(list);
      if (++looked_at > most_forwarded) return found;
      // RFC 9110 5.6.1.2: a recipient "MUST parse and ignore a reasonable number of empty list elements".
      if (element.empty()) continue;
      auto address = field.read(element);
      if (!address) return found;
      found.client = std::move(address);
      if (!in_any(proxies, *found.client)) return found;
    }
  }
  return found;
}

}  // namespace

std::optional<Bytes> forwarded_client(std::span<const HeaderView> headers,
                                      std::span<const x509::Subtree> proxies) {
  const Named standard = search({"Forwarded", read_element}, headers, proxies);
  const Named older = search({"X-Forwarded-For", read_node}, headers, proxies);
  if (standard.given && older.given && standard.client != older.client) return std::nullopt;
  return standard.given ? standard.client : older.client;
}

}  // namespace hanaper::http
