#include "answer_reader.hpp"

#include <hanaper/toolkit/url.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace hanaper::http {

namespace beast = boost::beast;

namespace {

using Parser = beast::http::response_parser<beast::http::string_body>;

// RFC 9110 15.2: "A client MUST be able to parse one or more 1xx responses received prior to a final
// response"; nobody needs more, and who sends them for ever shall not keep a thread until its deadline.
constexpr int most_interim = 5;

std::unique_ptr<Parser> parser_of(std::uint64_t body_limit) {
  auto parser = std::make_unique<Parser>();
  parser->header_limit(16 * 1024);
  parser->body_limit(body_limit);
  parser->eager(true);
  return parser;
}

}  // namespace

struct AnswerReader::State {
  explicit State(ByteCount limit) : body_limit(limit.value) {}
  const std::uint64_t body_limit;
  std::unique_ptr<Parser> parser = parser_of(body_limit);
  int interim = 0;     // answers of 1xx that have come
  std::string buffer;  // what the parser has not taken yet
};

AnswerReader::AnswerReader(ByteCount body_limit) : state_(std::make_unique<State>(body_limit)) {}
AnswerReader::~AnswerReader() = default;

Result<bool> AnswerReader::take(std::string_view octets) {
  state_->buffer.append(octets);
  for (;;) {
    HANAPER_TRY(const bool done, parse());
    if (!done) return false;
    if (status() >= 200) return true;
    HANAPER_CHECK(skip_interim());
    if (state_->buffer.empty()) return false;
  }
}

Status AnswerReader::skip_interim() {
  if (status() == 101) return malformed("answer of 101 to what asked for no other protocol");
  if (++state_->interim > most_interim)
    return malformed("more than " + std::to_string(most_interim) + " answers of 1xx");
  state_->parser = parser_of(state_->body_limit);
  return {};
}

Result<bool> AnswerReader::parse() {
  Parser& parser = *state_->parser;
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
  if (!state_->parser->got_some()) return malformed("closed the connection without an answer");
  beast::error_code ec;
  state_->parser->put_eof(ec);
  if (ec || !state_->parser->is_done()) return malformed("closed the connection in the middle of its answer");
  return {};
}

int AnswerReader::status() const { return static_cast<int>(state_->parser->get().result_int()); }
std::string AnswerReader::body() const { return state_->parser->get().body(); }
std::vector<Header> AnswerReader::fields() const {
  std::vector<Header> fields;
  for (const auto& field : state_->parser->get())
    fields.push_back({std::string(field.name_string()), std::string(field.value())});
  return fields;
}

namespace {

OutboundRequest at(const url::Url& place, OutboundRequest request) {
  request.tls = place.https;
  request.host = place.host;
  request.port = place.port;
  request.target = place.target;
  return request;
}

}  // namespace

std::optional<OutboundRequest> read_url(std::string_view text) {
  const auto place = url::parse(text);
  return place ? std::optional(at(*place, {})) : std::nullopt;
}

std::optional<OutboundRequest> redirected(const OutboundRequest& from, std::string_view location) {
  const auto place = url::resolve({from.tls, from.host, from.port, from.target}, location);
  if (!place || (place->port != 80 && place->port != 443 && place->port != from.port)) return std::nullopt;
  return at(*place, from);
}

}  // namespace hanaper::http
