#include "outbound.hpp"

#include "../services/thread_tag.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <charconv>

namespace hanaper::http {
namespace {

namespace beast = boost::beast;

bool in_any(const std::vector<x509::Subtree>& ranges, ByteView address) {
  return std::ranges::any_of(ranges, [&](const x509::Subtree& range) {
    if (range.base.size() != 2 * address.size()) return false;
    for (std::size_t i = 0; i < address.size(); ++i)
      if ((address[i] & range.base[address.size() + i]) != range.base[i]) return false;
    return true;
  });
}

const std::vector<x509::Subtree>& closed_by_default() {
  static const std::vector<x509::Subtree> ranges = [] {
    std::vector<x509::Subtree> list;
    for (const char* text :
         {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4",
          "::/128", "::1/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128", "64:ff9b::/96", "2002::/16"})
      list.push_back(*x509::parse_subtree(text));
    return list;
  }();
  return ranges;
}

Result<OutboundAnswer> read_answer(Dial& dial, const OutboundRequest& request, std::string& location) {
  beast::http::response_parser<beast::http::string_body> parser;
  parser.header_limit(16 * 1024);
  parser.body_limit(request.body_limit.value);
  parser.eager(true);
  std::string buffer;
  char chunk[8192];
  while (!parser.is_done()) {
    HANAPER_TRY(const std::size_t n, dial.receive(chunk, sizeof chunk));
    beast::error_code ec;
    if (n == 0) {
      parser.put_eof(ec);
      if (ec || !parser.is_done())
        return malformed(dial.where() + ": closed the connection in the middle of its answer");
      break;
    }
    buffer.append(chunk, n);
    const std::size_t used = parser.put(boost::asio::buffer(buffer), ec);
    buffer.erase(0, used);
    if (ec == beast::http::error::body_limit)
      return malformed(dial.where() + ": answer of more than " + std::to_string(request.body_limit.value) +
                       " octets");
    if (ec && ec != beast::http::error::need_more)
      return malformed(dial.where() + ": answer is no HTTP: " + ec.message());
  }
  const auto& message = parser.get();
  if (const auto found = message.find(beast::http::field::location); found != message.end())
    location = std::string(found->value());
  return OutboundAnswer{static_cast<int>(message.result_int()), message.body(), dial.where()};
}

// "http://host:port/target" of a redirect, or "https:"; nothing for what is not followed.
std::optional<OutboundRequest> follow(const OutboundRequest& from, const std::string& location) {
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
  const bool clean =
      !next.host.empty() && std::ranges::all_of(next.target, [](char c) { return c > 0x20 && c < 0x7f; });
  return clean ? std::optional(next) : std::nullopt;
}

}  // namespace

bool EgressPolicy::allows(ByteView address) const {
  constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address.size() == 16 && equal(address.first(12), mapped)) address = address.subspan(12);
  if (in_any(deny_, address)) return false;
  return in_any(permit_, address) || !in_any(closed_by_default(), address);
}

Result<std::unique_ptr<OutboundClient>> OutboundClient::open(const config::OutboundConfig& config) {
  HANAPER_TRY(std::unique_ptr<Resolver> resolver, Resolver::open(config.resolvers, config.trust_anchors));
  return std::unique_ptr<OutboundClient>(new OutboundClient(config, std::move(resolver)));
}

Result<std::vector<Bytes>> OutboundClient::allowed_addresses(const std::string& host, Deadline deadline) {
  std::vector<Bytes> addresses;
  if (auto literal = x509::ip_octets(host)) {
    addresses.push_back(*std::move(literal));
  } else {
    HANAPER_TRY(addresses, resolver_->addresses(host, deadline));
  }
  const std::string first = x509::ip_text(addresses.front());
  std::erase_if(addresses, [&](const Bytes& address) { return !policy_.allows(address); });
  if (addresses.empty())
    return forbidden(host + " is at " + first + ", which the outbound policy does not allow");
  return addresses;
}

Result<OutboundAnswer> OutboundClient::get(const OutboundRequest& request, Call& call) {
  HANAPER_ON(worker);
  const Deadline deadline = deadline_of(call);
  OutboundRequest current = request;
  for (int left = request.redirects;; --left) {
    std::string location;
    auto answer = get_once(current, deadline, location);
    const bool redirected = answer && answer->status >= 300 && answer->status < 400 && !location.empty();
    if (!redirected) return answer;
    if (left == 0) return malformed(answer->address + ": too many redirects");
    const auto next = follow(current, location);
    if (!next)
      return malformed(answer->address + ": redirect to \"" + location.substr(0, 200) + "\" is not followed");
    current = *next;
  }
}

Result<Dial> OutboundClient::dial(const std::string& host, std::uint16_t port, Deadline deadline) {
  HANAPER_TRY(const std::vector<Bytes> addresses, allowed_addresses(host, deadline));
  Error last = unavailable(host + ": no address");
  for (std::size_t i = 0; i < addresses.size() && i < 8; ++i) {
    const std::string text = x509::ip_text(addresses[i]);
    const std::string where =
        host + " at " + (addresses[i].size() == 16 ? "[" + text + "]" : text) + ":" + std::to_string(port);
    // An address that does not answer leaves time for the next.
    const auto left = deadline - std::chrono::steady_clock::now();
    const Deadline turn = i + 1 < addresses.size() ? std::chrono::steady_clock::now() + left / 2 : deadline;
    auto connected = Dial::connect(addresses[i], port, where, turn);
    if (!connected) {
      last = connected.error();
      continue;
    }
    connected->until(deadline);
    return connected;
  }
  return last;
}

Result<OutboundAnswer> OutboundClient::get_once(const OutboundRequest& request, Deadline deadline,
                                                std::string& location) {
  HANAPER_TRY(Dial connection, dial(request.host, request.port, deadline));
  const Bytes literal = x509::ip_octets(request.host).value_or({});
  if (request.tls) HANAPER_CHECK(connection.start_tls(literal.empty() ? request.host : "", {}));
  const std::string host =
      (literal.size() == 16 ? "[" + request.host + "]" : request.host) +
      (request.port == (request.tls ? 443 : 80) ? "" : ":" + std::to_string(request.port));
  HANAPER_CHECK(connection.send("GET " + request.target + " HTTP/1.1\r\nHost: " + host +
                                "\r\nUser-Agent: hanaper\r\nAccept: */*\r\nConnection: close\r\n\r\n"));
  return read_answer(connection, request, location);
}

Result<HandshakeAnswer> OutboundClient::handshake(const OutboundHandshake& request, Call& call) {
  HANAPER_ON(worker);
  HANAPER_TRY(Dial connection, dial(request.host, request.port, deadline_of(call)));
  HANAPER_CHECK(connection.start_tls(request.server_name, request.protocol));
  return HandshakeAnswer{connection.peer_certificate(), connection.peer_protocol(), connection.where()};
}

Result<std::vector<Bytes>> OutboundClient::records(const std::string& name, DnsType type, Call& call) {
  HANAPER_ON(worker);
  return resolver_->records(name, static_cast<int>(type), deadline_of(call));
}

}  // namespace hanaper::http
