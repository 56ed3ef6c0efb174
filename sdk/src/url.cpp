#include <hanaper/toolkit/url.hpp>

#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <charconv>

namespace hanaper::url {
namespace {

constexpr std::size_t most_octets = 2048;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_unreserved(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The octet of an escape at `at`; nothing when it is none.
std::optional<char> escaped(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high << 4 | low);
}

Error broken_escape() { return malformed("a percent sign without two hexadecimal digits"); }

// RFC 1123 2.1 and what is looked up in practice: letters, digits, '-' and '_' in labels of at most 63.
bool is_name(std::string_view host) {
  if (host.size() > 253) return false;
  std::size_t label = 0;
  for (char c : host) {
    if (c == '.' ? label == 0 : !is_letter(c) && !is_digit(c) && c != '-' && c != '_') return false;
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return false;
  }
  return label > 0;
}

// A last label that is a number, in whatever base, makes some readers take it all for an address.
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return std::ranges::all_of(last, is_digit) || last.starts_with("0x") || last.starts_with("0X");
}

Result<std::string> read_host(std::string_view text) {
  const auto wrong = [&] { return malformed("\"" + std::string(text.substr(0, 64)) + "\" is no host"); };
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return wrong();
    const auto octets = x509::ip_octets(text.substr(1, text.size() - 2));
    if (!octets || octets->size() != 16) return wrong();
    return x509::ip_text(*octets);
  }
  if (text.ends_with('.')) text.remove_suffix(1);  // the root: the same host
  if (!is_name(text)) return wrong();
  if (ends_in_number(text)) {
    const auto octets = x509::ip_octets(text);
    if (!octets || octets->size() != 4) return wrong();
  }
  return unicode::ascii_lower(text);
}

Status read_authority(std::string_view text, Url& url) {
  if (text.find('@') != std::string_view::npos) return malformed("a name in front of the host");
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc{} || end != digits.data() + digits.size() || url.port == 0)
      return malformed("\"" + std::string(digits.substr(0, 16)) + "\" is no port");
    text = text.substr(0, colon);
  }
  HANAPER_TRY(url.host, read_host(text));
  return {};
}

// As sent: whoever is asked decodes it. Octets that RFC 3986 knows in no place of a URL are refused.
Status read_target(std::string_view text, Url& url) {
  text = text.substr(0, text.find('#'));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && !escaped(text, i)) return broken_escape();
    if (c <= 0x20 || c >= 0x7f || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos)
      return malformed("a character that needs percent-encoding");
  }
  url.target = text.starts_with('/') ? std::string(text) : "/" + std::string(text);
  return {};
}

// RFC 3986 5.2.4, of the path: a query keeps its dots.
std::string without_dots(std::string_view target) {
  const std::size_t question = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, question);
  std::vector<std::string_view> segments;
  bool folder = false;  // what is left ends with a slash
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    folder = segment == "." || segment == "..";
    if (segment == ".." && !segments.empty()) segments.pop_back();
    if (!folder) segments.push_back(segment);
  }
  std::string clean;
  for (std::string_view segment : segments) clean.append("/").append(segment);
  if (folder || clean.empty()) clean += '/';
  return clean.append(target.substr(question));
}

bool same_scheme(std::string_view text, std::string_view scheme) {
  return text.size() >= scheme.size() && std::ranges::equal(text.substr(0, scheme.size()), scheme, {},
                                                            [](char c) { return unicode::ascii_lower(c); });
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (https ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

std::string Url::text() const { return (https ? "https://" : "http://") + authority() + target; }

Result<Url> parse(std::string_view text) {
  if (text.size() > most_octets) return malformed("a URL of more than 2048 octets");
  Url url;
  url.https = same_scheme(text, "https://");
  if (!url.https && !same_scheme(text, "http://")) return malformed("a URL of neither http nor https");
  text.remove_prefix(url.https ? 8 : 7);
  url.port = url.https ? 443 : 80;
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  HANAPER_CHECK(read_authority(text.substr(0, end), url));
  HANAPER_CHECK(read_target(text.substr(end), url));
  return url;
}

Result<Url> resolve(const Url& base, std::string_view reference) {
  // A colon before any slash ends a scheme.
  const bool whole = reference.find(':') < reference.find_first_of("/?#");
  if (whole || reference.starts_with("//")) {
    const std::string text = (whole ? "" : base.https ? "https:" : "http:") + std::string(reference);
    HANAPER_TRY(Url url, parse(text));
    url.target = without_dots(url.target);
    return url;
  }
  Url url = base;
  const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
  std::string target;
  if (reference.starts_with('/')) {
    target = reference;
  } else if (reference.starts_with('?')) {
    target = std::string(path) + std::string(reference);
  } else if (reference.substr(0, reference.find('#')).empty()) {
    return url;
  } else {
    target = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference);
  }
  if (target.size() > most_octets) return malformed("a URL of more than 2048 octets");
  HANAPER_CHECK(read_target(target, url));
  url.target = without_dots(url.target);
  return url;
}

Result<std::string> decode(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain.push_back(text[i]);
      continue;
    }
    const auto octet = escaped(text, i);
    if (!octet) return broken_escape();
    plain.push_back(*octet);
    i += 2;
  }
  return plain;
}

std::string encode(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    if (is_unreserved(c)) {
      encoded.push_back(c);
      continue;
    }
    const auto octet = static_cast<std::uint8_t>(c);
    encoded.append({'%', digits[octet >> 4], digits[octet & 15]});
  }
  return encoded;
}

Result<Query> Query::parse(std::string_view text, QueryLimits limits) {
  if (text.size() > limits.octets)
    return malformed("a query of more than " + std::to_string(limits.octets) + " octets");
  const auto plain = [](std::string_view part) {
    std::string blanks(part);
    std::ranges::replace(blanks, '+', ' ');
    return decode(blanks);
  };
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;  // "a=1&&b=2", as some clients write
    if (query.parameters_.size() == limits.parameters)
      return malformed("a query of more than " + std::to_string(limits.parameters) + " parameters");
    const std::size_t equals = std::min(pair.find('='), pair.size());
    HANAPER_TRY(std::string name, plain(pair.substr(0, equals)));
    HANAPER_TRY(std::string value,
                plain(equals == pair.size() ? std::string_view{} : pair.substr(equals + 1)));
    if (name.empty()) return malformed("a parameter without a name");
    query.parameters_.emplace_back(std::move(name), std::move(value));
  }
  return query;
}

Result<std::optional<std::string>> Query::find(std::string_view name) const {
  std::optional<std::string> found;
  for (const Parameter& parameter : parameters_) {
    if (parameter.first != name) continue;
    if (found) return malformed("parameter \"" + std::string(name.substr(0, 64)) + "\" is there twice");
    found = parameter.second;
  }
  return found;
}

std::string write_query(std::span<const Query::Parameter> parameters) {
  std::string text;
  for (const auto& [name, value] : parameters)
    text.append(text.empty() ? "" : "&").append(encode(name)).append("=").append(encode(value));
  return text;
}

}  // namespace hanaper::url
