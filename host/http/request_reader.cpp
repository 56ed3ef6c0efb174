#include "request_reader.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <utility>

namespace hanaper::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;

constexpr std::size_t max_target = 8 * 1024;
constexpr std::size_t max_fields = 100;

Method method_of(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::get;
    case beast::http::verb::head:
      return Method::head;
    case beast::http::verb::post:
      return Method::post;
    case beast::http::verb::put:
      return Method::put;
    case beast::http::verb::patch:
      return Method::patch;
    case beast::http::verb::delete_:
      return Method::del;
    case beast::http::verb::options:
      return Method::options;
    default:
      return Method::other;
  }
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

bool equal_ignoring_case(std::string_view a, std::string_view b) { return Request::same_name(a, b); }

// Whether the comma-separated list holds the token.
bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (equal_ignoring_case(item, token)) return true;
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return false;
}

class Parser final : public beast::http::basic_parser<true> {
 public:
  Parser(std::string_view octets, const ReadLimits& limits, ReadRequest& request)
      : octets_(octets), limits_(limits), request_(request) {
    eager(true);
    header_limit(static_cast<std::uint32_t>(limits.header));
    body_limit(boost::none);
  }

  std::uint64_t largest_body() const noexcept { return body_limit_; }
  int refusal() const noexcept { return refusal_; }
  bool refuse(int status, error_code& ec) {
    refusal_ = status;
    ec = beast::http::error::bad_value;
    return false;
  }

 protected:
  void on_request_impl(beast::http::verb verb, beast::string_view, beast::string_view target, int version,
                       error_code& ec) override {
    request_.method = method_of(verb);
    request_.target = view(target);
    request_.http10 = version < 11;
    if (request_.target.size() > max_target) return void(refuse(414, ec));
    read_target(ec);
  }

  void on_response_impl(int, beast::string_view, int, error_code& ec) override { refuse(400, ec); }

  void on_field_impl(beast::http::field id, beast::string_view name, beast::string_view value,
                     error_code& ec) override {
    using beast::http::field;
    const std::string_view text = view(value);
    if (is_folded(view(name), text)) return void(refuse(400, ec));
    // Trailers. RFC 9110 6.5.1: a recipient "MUST NOT merge" them unless it knows how for each field.
    if (header_done_) return;
    if (request_.headers.size() >= max_fields) return void(refuse(431, ec));
    switch (id) {
      case field::host:
        ++hosts_;
        break;
      case field::content_length:
        ++lengths_;
        // Beast takes a list of equal numbers too.
        if (text.find_first_not_of("0123456789") != std::string_view::npos) return void(refuse(400, ec));
        break;
      case field::transfer_encoding:
        ++encodings_;
        if (!equal_ignoring_case(text, "chunked")) return void(refuse(501, ec));
        break;
      case field::connection:
        closes_ = closes_ || has_token(text, "close");
        keeps_ = keeps_ || has_token(text, "keep-alive");
        break;
      case field::expect:
        if (!equal_ignoring_case(text, "100-continue")) return void(refuse(417, ec));
        // RFC 9110 10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST
        // ignore that expectation."
        request_.expects_continue = !request_.http10;
        break;
      default:
        break;
    }
    request_.headers.push_back({view(name), text});
  }

  void on_header_impl(error_code& ec) override {
    header_done_ = true;
    // RFC 9112 3.2: "A server MUST respond with a 400 ... to any HTTP/1.1 request message that lacks a Host
    // header field and to any request message that contains more than one Host header field line"
    if (hosts_ > 1 || (hosts_ == 0 && !request_.http10)) return void(refuse(400, ec));
    if (lengths_ > 1 || encodings_ > 1 || (lengths_ != 0 && encodings_ != 0)) return void(refuse(400, ec));
    if (encodings_ != 0 && request_.http10) return void(refuse(400, ec));
    request_.keep_alive = request_.http10 ? keeps_ && !closes_ : !closes_;
    const Mount* mount = limits_.router ? limits_.router->find(request_.path) : nullptr;
    body_limit_ = mount ? mount->endpoint->body_limit().value : 0;
    const auto length = content_length();
    // Nobody would read the body of an unknown path; it is answered 404 and the connection ends.
    if (mount == nullptr && (encodings_ != 0 || length.value_or(0) != 0)) return void(refuse(404, ec));
    if (length && *length > body_limit_) return void(refuse(413, ec));
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

  std::size_t on_body_impl(beast::string_view part, error_code& ec) override { return take(part, ec); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view part, error_code& ec) override {
    if (!std::exchange(chunked_, true)) request_.joined.reserve(octets_.size());
    return take(part, ec);
  }
  void on_finish_impl(error_code&) override {
    if (chunked_) request_.body = as_bytes(request_.joined);
  }

 private:
  void read_target(error_code& ec) {
    std::string_view target = request_.target;
    for (char c : target)
      if (c <= 0x20 || c >= 0x7f || c == '#') return void(refuse(400, ec));
    // RFC 9112 3.2.2: "a server MUST accept the absolute-form in requests"
    for (std::string_view scheme : {"http://", "https://"}) {
      if (!target.starts_with(scheme)) continue;
      // A host must stand there (RFC 9110 4.2.1), and a path that can be pointed at.
      const std::size_t path = target.find_first_of("/?", scheme.size());
      if (path == std::string_view::npos || path == scheme.size() || target[path] == '?')
        return void(refuse(400, ec));
      target = target.substr(path);
    }
    if (!target.starts_with('/')) return void(refuse(400, ec));
    request_.target = target;
    const std::size_t mark = target.find('?');
    request_.path = target.substr(0, mark);
    request_.query = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  }

  // RFC 9112 5.2: a server that gets a folded line "MUST either reject the message ... or replace" the fold.
  // Beast joins the lines elsewhere, or skips the first of them when it is empty.
  bool is_folded(std::string_view name, std::string_view value) const {
    const char* at = name.data() + name.size() + 1;
    if (value.data() < at || value.data() > octets_.data() + octets_.size()) return true;
    while (at != value.data() && (*at == ' ' || *at == '\t')) ++at;
    return at != value.data();
  }

  std::size_t take(beast::string_view part, error_code& ec) {
    const std::size_t before = chunked_ ? request_.joined.size() : request_.body.size();
    if (before + part.size() > body_limit_) return refuse(413, ec), 0;
    if (chunked_)
      request_.joined.append(part.data(), part.size());
    else  // one buffer, so the parts of a plain body lie side by side
      request_.body =
          request_.body.empty() ? as_bytes(view(part)) : ByteView(request_.body.data(), before + part.size());
    return part.size();
  }

  const std::string_view octets_;
  const ReadLimits& limits_;
  ReadRequest& request_;
  std::uint64_t body_limit_ = 0;
  int hosts_ = 0, lengths_ = 0, encodings_ = 0;
  bool header_done_ = false, closes_ = false, keeps_ = false, chunked_ = false;
  int refusal_ = 0;
};

// Beast says bad_version of whatever stands behind the target; 505 is for a version, and another than ours.
bool names_other_version(std::string_view message) {
  const std::string_view line = message.substr(0, message.find("\r\n"));
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (line.size() < 9) return false;
  const std::string_view version = line.substr(line.size() - 9);
  return version.starts_with(" HTTP/") && digit(version[6]) && version[7] == '.' && digit(version[8]) &&
         version != " HTTP/1.1" && version != " HTTP/1.0";
}

int status_of(const error_code& ec, std::string_view message) {
  if (ec == beast::http::error::header_limit || ec == beast::http::error::buffer_overflow) return 431;
  if (ec == beast::http::error::body_limit) return 413;
  if (ec == beast::http::error::bad_version && names_other_version(message)) return 505;
  return 400;
}

}  // namespace

void ReadRequest::clear() noexcept {
  headers.clear();
  joined.clear();
  body = {};
  target = path = query = {};
  keep_alive = true;
  http10 = expects_continue = false;
}

void ReadRequest::move_to(const char* from, const char* to) noexcept {
  const auto move = [&](std::string_view& text) {
    if (!text.empty()) text = {to + (text.data() - from), text.size()};
  };
  move(target);
  move(path);
  move(query);
  for (HeaderView& header : headers) {
    move(header.name);
    move(header.value);
  }
  if (joined.empty() && !body.empty())
    body = as_bytes({to + (reinterpret_cast<const char*>(body.data()) - from), body.size()});
  else
    body = as_bytes(joined);
}

ReadResult read_request(std::string_view octets, const ReadLimits& limits, ReadRequest& request) {
  request.clear();
  // RFC 9112 2.2: "a server ... SHOULD ignore at least one empty line (CRLF) received prior to the
  // request-line"
  std::size_t skipped = 0;
  while (octets.substr(skipped).starts_with("\r\n") && skipped < 4) skipped += 2;
  const std::string_view message = octets.substr(skipped);
  const std::size_t header_end = message.find("\r\n\r\n");
  if (header_end == std::string_view::npos) {
    if (message.size() > limits.header) return {ReadResult::State::refused, 0, 431};
    return {};
  }
  Parser parser(message, limits, request);
  error_code ec;
  const std::size_t consumed = parser.put(boost::asio::buffer(message.data(), message.size()), ec);
  if (ec && ec != beast::http::error::need_more)
    return {ReadResult::State::refused, 0, parser.refusal() != 0 ? parser.refusal() : status_of(ec, message)};
  if (parser.is_done()) {
    ReadResult result{ReadResult::State::complete, skipped + consumed, 0};
    result.chunked = parser.chunked();
    result.body_at = skipped + header_end + 4;
    return result;
  }
  // All of the header section is here, and Beast waits for more of it: for a character outside ASCII behind a
  // target, for one.
  if (!parser.is_header_done()) return {ReadResult::State::refused, 0, 400};
  // Chunk headers, extensions and trailers have no limit of their own; all together they have this one.
  const std::size_t framing = message.size() - header_end - 4 - request.joined.size();
  if (parser.chunked() && framing > limits.header + request.joined.size() / 16)
    return {ReadResult::State::refused, 0, 413};
  ReadResult result;
  result.header_complete = true;
  result.chunked = parser.chunked();
  result.body_at = skipped + header_end + 4;
  result.body_limit = parser.largest_body();
  if (const auto length = parser.content_length()) result.wanted = skipped + header_end + 4 + *length;
  return result;
}

}  // namespace hanaper::http
