#include "fetch.hpp"

#include "dial.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/url.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>

namespace hanaper::http::outside {
namespace {

constexpr ByteCount most_answer{16 * 1024 * 1024};
constexpr std::size_t most_roots = 4 * 1024 * 1024;

Bytes octets_of(const sockaddr& address) {
  const auto copy = [](const auto& octets) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&octets);
    return Bytes(begin, begin + sizeof octets);
  };
  if (address.sa_family == AF_INET) return copy(reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  if (address.sa_family == AF_INET6) return copy(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return {};
}

Result<Dial> dial(const url::Url& place, Deadline deadline) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int code = ::getaddrinfo(place.host.c_str(), nullptr, &hints, &list); code != 0)
    return unavailable(place.host + ": " + ::gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(list, &::freeaddrinfo);
  Error last = unavailable(place.host + ": no address");
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    const Bytes octets = octets_of(*at->ai_addr);
    if (octets.empty()) continue;
    // An address that does not answer leaves time for the next.
    const auto left = deadline - std::chrono::steady_clock::now();
    const Deadline turn = at->ai_next ? std::chrono::steady_clock::now() + left / 2 : deadline;
    auto connected = Dial::connect(octets, place.port, place.authority(), turn);
    if (!connected) {
      last = std::move(connected).error();
      continue;
    }
    connected->until(deadline);
    return connected;
  }
  return last;
}

Result<std::string> roots_of(const Anchors& trust) {
  if (trust.kind != Anchors::Kind::file) return std::string{};
  auto text = files::read_stream(trust.file, most_roots);
  if (!text) return malformed(text.error().detail);
  const auto blocks = pem::decode(*text);
  if (!blocks || blocks->empty())
    return malformed(trust.file + ": no certificates in it that could be trusted");
  return text;
}

Result<Fetched> ask(const url::Url& place, const Asked& asked, const std::string& roots, Deadline deadline) {
  HANAPER_TRY(Dial connection, dial(place, deadline));
  if (place.https && asked.trust.kind == Anchors::Kind::anybody) {
    HANAPER_CHECK(connection.start_tls(x509::ip_octets(place.host) ? "" : place.host, {}));
  } else if (place.https) {
    const Status trusted = connection.start_trusted_tls(place.host, roots);
    if (!trusted) return trusted.error();
  }
  std::string request = asked.method + " " + place.target + " HTTP/1.1\r\nHost: " + place.authority() +
                        "\r\nUser-Agent: hanaper\r\nConnection: close\r\n";
  if (!asked.body.empty())
    request += "Content-Type: " + asked.content_type +
               "\r\nContent-Length: " + std::to_string(asked.body.size()) + "\r\n";
  HANAPER_CHECK(connection.send(request + "\r\n" + asked.body));
  HANAPER_TRY(OutboundAnswer answer, connection.receive_answer(most_answer));
  Fetched fetched;
  fetched.status = answer.status;
  fetched.body = std::move(answer.body);
  if (place.https) fetched.chain = connection.peer_chain();
  return fetched;
}

}  // namespace

Result<Fetched> fetch(const std::string& text, const Asked& asked) {
  const auto place = url::parse(text);
  if (!place) return malformed("\"" + text.substr(0, 200) + "\": " + place.error().detail);
  HANAPER_TRY(const std::string roots, roots_of(asked.trust));
  const auto begin = std::chrono::steady_clock::now();
  auto fetched = ask(*place, asked, roots, begin + asked.timeout);
  // Whatever the server does wrong, it is not there as it should be.
  if (!fetched) return unavailable(fetched.error().detail);
  fetched->took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  return fetched;
}

}  // namespace hanaper::http::outside
