#include "answer_reader.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <charconv>

namespace hanaper::http {

namespace beast = boost::beast;

struct AnswerReader::State {
  beast::http::response_parser<beast::http::string_body> parser;
  std::uint64_t body_limit = 0;
  std::string buffer;  // what the parser has not taken yet
};

AnswerReader::AnswerReader(ByteCount body_limit) : state_(std::make_unique<State>()) {
  state_->body_limit = body_limit.value;
  state_->parser.header_limit(16 * 1024);
  state_->parser.body_limit(body_limit.value);
  state_->parser.eager(true);
}
AnswerReader::~AnswerReader() = default;

Result<bool> AnswerReader::take(std::string_view octets) {
  auto& parser = state_->parser;
  state_->buffer.append(octets);
  // Beast takes it for granted, by an assertion, that it sees all five octets of a last chunk when it looks
  // at one again; no answer in chunks ends with fewer.
  if (parser.is_header_done() && parser.chunked() && state_->buffer.size() < 5) return false;
  beast::error_code ec;
  const std::size_t used = parser.put(boost::asio::buffer(state_->buffer), ec);
  state_->buffer.erase(0, used);
  if (ec == beast::http::error::body_limit)
    return malformed("answer of more than " + std::to_string(state_->body_limit) + " octets");
  if (ec && ec != beast::http::error::need_more) return malformed("answer is no HTTP: " + ec.message());
  return parser.is_done();
}

Status AnswerReader::end() {
  // Beast will not hear of an end before a beginning.
  if (!state_->parser.got_some()) return malformed("closed the connection without an answer");
  beast::error_code ec;
  state_->parser.put_eof(ec);
  if (ec || !state_->parser.is_done()) return malformed("closed the connection in the middle of its answer");
  return {};
}

int AnswerReader::status() const { return static_cast<int>(state_->parser.get().result_int()); }
std::string AnswerReader::body() const { return state_->parser.get().body(); }
std::string AnswerReader::location() const {
  const auto& message = state_->parser.get();
  const auto found = message.find(beast::http::field::location);
  return found == message.end() ? std::string{} : std::string(found->value());
}
std::vector<Header> AnswerReader::fields() const {
  std::vector<Header> fields;
  for (const auto& field : state_->parser.get())
    fields.push_back({std::string(field.name_string()), std::string(field.value())});
  return fields;
}

namespace {

bool is_host(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':';
  });
}

// "host", "host:port", "[address]:port"; false when it is none.
bool read_authority(std::string_view authority, OutboundRequest& next) {
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), next.port);
    if (error != std::errc{} || end != digits.data() + digits.size()) return false;
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  next.host = authority;
  return is_host(authority);
}

std::optional<OutboundRequest> read_target(std::string_view target, OutboundRequest next) {
  next.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  const bool plain = std::ranges::all_of(next.target, [](char c) { return c > 0x20 && c < 0x7f; });
  return plain ? std::optional(next) : std::nullopt;
}

}  // namespace

std::optional<OutboundRequest> read_url(std::string_view url) {
  OutboundRequest next;
  url = url.substr(0, url.find('#'));
  // RFC 3986 3.1: "schemes are case-insensitive"
  const std::size_t scheme = std::min(url.find("://"), url.size());
  next.tls = Request::same_name(url.substr(0, scheme), "https");
  if (scheme == url.size() || (!next.tls && !Request::same_name(url.substr(0, scheme), "http")))
    return std::nullopt;
  url.remove_prefix(scheme + 3);
  const std::size_t end = std::min(url.find_first_of("/?"), url.size());
  next.port = next.tls ? 443 : 80;
  if (!read_authority(url.substr(0, end), next)) return std::nullopt;
  return read_target(url.substr(end), next);
}

namespace {

// RFC 3986 5.2.4. `path` begins with "/".
std::string without_dot_segments(std::string_view path) {
  std::string plain;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    const bool up = segment == "/..";
    if (up) plain.erase(plain.empty() ? 0 : plain.rfind('/'));
    if (!up && segment != "/.")
      plain += segment;
    else if (path.empty())
      plain += '/';
  }
  return plain.empty() ? "/" : plain;
}

bool has_scheme(std::string_view reference) {
  const std::size_t colon = reference.find(':');
  return colon != std::string_view::npos && colon < reference.find_first_of("/?#");
}

// RFC 3986 5.2.2: the reference as a URL, as seen from where it was found.
std::string resolved(const OutboundRequest& from, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (has_scheme(reference)) return std::string(reference);
  const std::string scheme = from.tls ? "https:" : "http:";
  if (reference.starts_with("//")) return scheme + std::string(reference);
  const std::string authority =
      "//" + (from.host.find(':') == std::string::npos ? from.host : "[" + from.host + "]") + ":" +
      std::to_string(from.port);
  const std::string_view path = std::string_view(from.target).substr(0, from.target.find('?'));
  std::string_view base;  // what of the path stays
  if (reference.empty() || reference.front() == '?')
    base = path;
  else if (reference.front() != '/')
    base = path.substr(0, path.rfind('/') + 1);
  return scheme + authority + std::string(base) + std::string(reference);
}

}  // namespace

std::optional<OutboundRequest> redirected(const OutboundRequest& from, std::string_view location) {
  const auto place = read_url(resolved(from, location));
  if (!place || (place->port != 80 && place->port != 443 && place->port != from.port)) return std::nullopt;
  OutboundRequest next = from;
  next.tls = place->tls;
  next.host = place->host;
  next.port = place->port;
  const std::size_t path = std::min(place->target.find('?'), place->target.size());
  next.target =
      without_dot_segments(std::string_view(place->target).substr(0, path)) + place->target.substr(path);
  return next;
}

}  // namespace hanaper::http
