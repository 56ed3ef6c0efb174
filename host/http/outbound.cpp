#include "outbound.hpp"

#include "../services/thread_tag.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

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

struct Socket {
  explicit Socket(int value) : fd(value) {}
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd;
};

// False when the deadline came first.
bool wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd wait{fd, events, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

Error no_answer(const std::string& where, std::string_view why) {
  return unavailable(where + ": " + std::string(why));
}

Result<int> connect_to(ByteView address, std::uint16_t port, const std::string& where, Deadline deadline) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (address.size() == 4) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.data(), 4);
    size = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(&in6.sin6_addr, address.data(), 16);
    size = sizeof in6;
  }
  const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return no_answer(where, std::strerror(errno));
  int error = ::connect(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    socklen_t length = sizeof error;
    if (!wait_for(fd, POLLOUT, deadline))
      error = ETIMEDOUT;
    else
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error == 0) return fd;
  ::close(fd);
  return no_answer(where, std::strerror(error));
}

Status send_all(int fd, std::string_view octets, const std::string& where, Deadline deadline) {
  while (!octets.empty()) {
    const ssize_t n = ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n > 0)
      octets.remove_prefix(static_cast<std::size_t>(n));
    else if (errno != EAGAIN && errno != EINTR)
      return no_answer(where, std::strerror(errno));
    else if (!wait_for(fd, POLLOUT, deadline))
      return no_answer(where, "timed out while sending");
  }
  return {};
}

Result<OutboundAnswer> read_answer(int fd, const OutboundRequest& request, const std::string& where,
                                   Deadline deadline, std::string& location) {
  beast::http::response_parser<beast::http::string_body> parser;
  parser.header_limit(16 * 1024);
  parser.body_limit(request.body_limit.value);
  parser.eager(true);
  std::string buffer;
  char chunk[8192];
  while (!parser.is_done()) {
    const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (!wait_for(fd, POLLIN, deadline)) return no_answer(where, "timed out while waiting for the answer");
      continue;
    }
    if (n < 0) return no_answer(where, std::strerror(errno));
    beast::error_code ec;
    if (n == 0) {
      parser.put_eof(ec);
      if (ec || !parser.is_done())
        return malformed(where + ": closed the connection in the middle of its answer");
      break;
    }
    buffer.append(chunk, static_cast<std::size_t>(n));
    const std::size_t used = parser.put(boost::asio::buffer(buffer), ec);
    buffer.erase(0, used);
    if (ec == beast::http::error::body_limit)
      return malformed(where + ": answer of more than " + std::to_string(request.body_limit.value) +
                       " octets");
    if (ec && ec != beast::http::error::need_more)
      return malformed(where + ": answer is no HTTP: " + ec.message());
  }
  const auto& message = parser.get();
  if (const auto found = message.find(beast::http::field::location); found != message.end())
    location = std::string(found->value());
  return OutboundAnswer{static_cast<int>(message.result_int()), message.body(), where};
}

// "http://host:port/target" of a redirect; nothing for what is not followed.
std::optional<OutboundRequest> follow(const OutboundRequest& from, const std::string& location) {
  OutboundRequest next = from;
  if (location.starts_with('/')) {
    next.target = location;
    return next;
  }
  if (!location.starts_with("http://")) return std::nullopt;
  std::string_view rest = std::string_view(location).substr(7);
  const std::size_t slash = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, slash);
  next.target = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  if (next.target.starts_with('?')) next.target.insert(0, "/");
  next.port = 80;
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
  HANAPER_TRY(std::unique_ptr<Resolver> resolver, Resolver::open(config.resolvers));
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
  const Deadline deadline = std::min(call.deadline, std::chrono::steady_clock::now() + timeout_);
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

Result<OutboundAnswer> OutboundClient::get_once(const OutboundRequest& request, Deadline deadline,
                                                std::string& location) {
  HANAPER_TRY(const std::vector<Bytes> addresses, allowed_addresses(request.host, deadline));
  Error last = unavailable(request.host + ": no address");
  for (std::size_t i = 0; i < addresses.size() && i < 8; ++i) {
    const std::string text = x509::ip_text(addresses[i]);
    const std::string where = request.host + " at " + (addresses[i].size() == 16 ? "[" + text + "]" : text) +
                              ":" + std::to_string(request.port);
    // An address that does not answer leaves time for the next.
    const auto left = deadline - std::chrono::steady_clock::now();
    const Deadline turn = i + 1 < addresses.size() ? std::chrono::steady_clock::now() + left / 2 : deadline;
    auto fd = connect_to(addresses[i], request.port, where, turn);
    if (!fd) {
      last = fd.error();
      continue;
    }
    const Socket socket(*fd);
    const bool six = x509::ip_octets(request.host).value_or({}).size() == 16;
    const std::string host = (six ? "[" + request.host + "]" : request.host) +
                             (request.port == 80 ? "" : ":" + std::to_string(request.port));
    const std::string text_request = "GET " + request.target + " HTTP/1.1\r\nHost: " + host +
                                     "\r\nUser-Agent: hanaper\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    HANAPER_CHECK(send_all(socket.fd, text_request, where, deadline));
    return read_answer(socket.fd, request, where, deadline, location);
  }
  return last;
}

}  // namespace hanaper::http
