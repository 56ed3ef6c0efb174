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
  beast::error_code ec;
  const std::size_t used = parser.put(boost::asio::buffer(state_->buffer), ec);
  state_->buffer.erase(0, used);
  if (ec == beast::http::error::body_limit)
    return malformed("answer of more than " + std::to_string(state_->body_limit) + " octets");
  if (ec && ec != beast::http::error::need_more) return malformed("answer is no HTTP: " + ec.message());
  return parser.is_done();
}

Status AnswerReader::end() {
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

std::optional<OutboundRequest> redirected(const OutboundRequest& from, std::string_view location) {
  OutboundRequest next = from;
  if (location.starts_with('/')) {
    next.target = location;
    return next;
  }
  next.tls = location.starts_with("https://");
  if (!next.tls && !location.starts_with("http://")) return std::nullopt;
  std::string_view rest = std::string_view(location).substr(next.tls ? 8 : 7);
  const std::size_t slash = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, slash);
  next.target = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  if (next.target.starts_with('?')) next.target.insert(0, "/");
  next.port = next.tls ? 443 : 80;
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), next.port);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  next.host = authority;
  if (next.port != 80 && next.port != 443 && next.port != from.port) return std::nullopt;
  const auto all = [](const std::string& text, auto good) { return std::ranges::all_of(text, good); };
  const bool clean = all(next.target, [](char c) { return c > 0x20 && c < 0x7f; }) && !next.host.empty() &&
                     all(next.host, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              c == '.' || c == '-' || c == ':';
                     });
  return clean ? std::optional(next) : std::nullopt;
}

}  // namespace hanaper::http
