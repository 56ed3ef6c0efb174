#include "outbound.hpp"

#include "../services/thread_tag.hpp"
#include "addresses.hpp"
#include "answer_reader.hpp"

namespace hanaper::http {
namespace {

constexpr std::size_t post_limit = 1024 * 1024;

// What is no unicast address of the world's: the IANA registries of special-purpose addresses for IPv4 and
// IPv6, of the IPv6 address space and of multicast addresses, as of 2026. What RFC 1918 gives to private
// networks is not here: to certify what is in them is what many an authority is for.
constexpr const char* closed_by_default[] = {
    "0.0.0.0/8",         // RFC 791: this network
    "100.64.0.0/10",     // RFC 6598: between a carrier and its customers; clouds keep metadata there
    "127.0.0.0/8",       // RFC 1122: this host
    "168.63.129.16/32",  // in no registry: where Azure tells virtual machines their secrets
    "169.254.0.0/16",    // RFC 3927: link-local; where clouds keep metadata
    "192.0.0.0/24",      // RFC 6890: IETF protocol assignments
    "192.0.2.0/24",      // RFC 5737: documentation, as the next two
    "198.51.100.0/24", "203.0.113.0/24",
    "192.31.196.0/24",  // RFC 7535: AS112, anycast
    "192.52.193.0/24",  // RFC 7450: AMT, anycast
    "192.88.99.0/24",   // RFC 7526: relays of 6to4, withdrawn
    "192.175.48.0/24",  // RFC 7534: AS112, anycast
    "198.18.0.0/15",    // RFC 2544: benchmarks
    "224.0.0.0/4",      // RFC 5771: multicast
    "240.0.0.0/4",      // RFC 1112: reserved, and broadcast
    "::/3",             // IPv6 unicast is 2000::/3 (RFC 4291 2.4): here are ::1, ::, NAT64 (64:ff9b::/96 and
                        // 64:ff9b:1::/48), 100::/64
    "4000::/2",         // likewise; here is 5f00::/16 (RFC 9602)
    "8000::/1",         // likewise; here are fc00::/7 (RFC 4193), where clouds keep metadata, fe80::/10,
                        // fec0::/10 (RFC 3879) and ff00::/8
    "2001::/23",        // RFC 2928: IETF protocol assignments; Teredo, ORCHID, benchmarks
    "2001:db8::/32",    // RFC 3849: documentation
    "2002::/16",        // RFC 3056: 6to4
    "2620:4f:8000::/48",  // RFC 7534: AS112, anycast
    "3fff::/20",          // RFC 9637: documentation
};

const std::vector<x509::Subtree>& closed_ranges() {
  static const std::vector<x509::Subtree> ranges = [] {
    std::vector<x509::Subtree> list;
    for (const char* text : closed_by_default) list.push_back(*x509::parse_subtree(text));
    return list;
  }();
  return ranges;
}

// The IPv4 address that an IPv6 address stands for, when some translator or tunnel would deliver there what
// is sent to it: empty for those that stand for themselves.
Bytes carried_address(ByteView address) {
  constexpr std::uint8_t zeros[12] = {}, nat64[12] = {0, 0x64, 0xff, 0x9b};
  constexpr std::uint8_t translated[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0};
  constexpr std::uint8_t local_nat64[6] = {0, 0x64, 0xff, 0x9b, 0, 1};
  constexpr std::uint8_t isatap[4] = {0, 0, 0x5e, 0xfe}, isatap_global[4] = {2, 0, 0x5e, 0xfe};
  if (address.size() != 16) return {};
  const ByteView head = address.first(12), tail = address.subspan(12);
  if (equal(head, zeros) && tail[0] == 0) return {};  // :: and ::1
  // RFC 4291 2.5.5.1, RFC 6052 2.1 and 2.2 (with the suffix of /96), RFC 2765 2.1
  for (const ByteView prefix : {ByteView(zeros), ByteView(nat64), ByteView(translated)})
    if (equal(head, prefix)) return to_bytes(tail);
  if (equal(address.first(6), local_nat64)) return to_bytes(tail);                         // RFC 8215
  if (address[0] == 0x20 && address[1] == 0x02) return to_bytes(address.subspan(2, 4));    // RFC 3056
  if (equal(address.first(4), ByteView(std::array<std::uint8_t, 4>{0x20, 0x01, 0, 0}))) {  // RFC 4380 4
    Bytes client = to_bytes(tail);
    for (std::uint8_t& octet : client) octet = static_cast<std::uint8_t>(~octet);
    return client;
  }
  // RFC 5214 6.1
  if (equal(address.subspan(8, 4), isatap) || equal(address.subspan(8, 4), isatap_global))
    return to_bytes(tail);
  return {};
}

std::string host_field(const OutboundRequest& request) {
  const bool usual = request.port == (request.tls ? 443 : 80);
  return (request.host.find(':') != std::string::npos ? "[" + request.host + "]" : request.host) +
         (usual ? "" : ":" + std::to_string(request.port));
}

bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// RFC 9110 5.6.2: "token = 1*tchar"; and nothing that the host writes itself.
bool may_be_added(const Header& field) {
  constexpr std::string_view own[] = {"Host",         "User-Agent",     "Connection",        "Authorization",
                                      "Content-Type", "Content-Length", "Transfer-Encoding", "Expect"};
  const bool token = !field.name.empty() && std::ranges::all_of(field.name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
  return token && is_field_value(field.value) && std::ranges::none_of(own, [&](std::string_view name) {
           return Request::same_name(name, field.name);
         });
}

}  // namespace

bool EgressPolicy::allows(ByteView address) const {
  address = plain_address(address);
  if (in_any(deny_, address)) return false;
  if (!in_any(permit_, address) && in_any(closed_ranges(), address)) return false;
  const Bytes carried = carried_address(address);
  return carried.empty() || allows(carried);
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
    auto answer = get_once(current, deadline);
    const std::string_view location = answer ? answer->field("Location") : std::string_view{};
    const bool moved = answer && answer->status >= 300 && answer->status < 400 && !location.empty();
    if (!moved) return answer;
    if (left == 0) return malformed(answer->address + ": too many redirects");
    const auto next = redirected(current, location);
    if (!next)
      return malformed(answer->address +
                       ": its redirect is not followed; only http and https at ports 80 and 443 are");
    current = *next;
  }
}

Result<Dial> OutboundClient::dial(const std::string& host, std::uint16_t port, Deadline deadline,
                                  const MayConnect& may) {
  HANAPER_TRY(const std::vector<Bytes> addresses, allowed_addresses(host, deadline));
  Error last = unavailable(host + ": no address");
  std::optional<Error> refused;
  for (std::size_t i = 0; i < addresses.size() && i < 8; ++i) {
    const std::string text = x509::ip_text(addresses[i]);
    const std::string where =
        host + " at " + (addresses[i].size() == 16 ? "[" + text + "]" : text) + ":" + std::to_string(port);
    if (const Status open = may ? may(x509::client_of(text)) : Status(); !open) {
      refused = open.error();
      continue;
    }
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
  return refused.value_or(last);
}

Result<OutboundAnswer> OutboundClient::get_once(const OutboundRequest& request, Deadline deadline) {
  HANAPER_TRY(Dial connection, dial(request.host, request.port, deadline, request.may_connect));
  const bool named = !x509::ip_octets(request.host);
  if (request.tls) HANAPER_CHECK(connection.start_tls(named ? request.host : "", {}));
  HANAPER_CHECK(connection.send("GET " + request.target + " HTTP/1.1\r\nHost: " + host_field(request) +
                                "\r\nUser-Agent: hanaper\r\nAccept: */*\r\nConnection: close\r\n\r\n"));
  return connection.receive_answer(request.body_limit);
}

Result<OutboundAnswer> OutboundClient::send(const OutboundMessage& message, Call& call) {
  HANAPER_ON(worker);
  constexpr std::string_view methods[] = {"POST", "GET", "PUT", "PATCH", "DELETE"};
  if (std::ranges::find(methods, message.method) == std::end(methods))
    return malformed(message.url + ": there is no method \"" + message.method.substr(0, 20) + "\"");
  const auto place = read_url(message.url);
  const std::string_view authorization =
      message.authorization ? message.authorization->reveal() : std::string_view{};
  if (!place) return malformed("\"" + message.url.substr(0, 200) + "\" is no URL of http or https");
  if (message.body.size() > post_limit || !is_field_value(message.content_type) ||
      !is_field_value(authorization) || !std::ranges::all_of(message.fields, may_be_added))
    return malformed(message.url + ": a body of more than 1 MiB, or a field that HTTP has not");
  HANAPER_TRY(Dial connection, dial(place->host, place->port, deadline_of(call)));
  if (place->tls) HANAPER_CHECK(connection.start_trusted_tls(place->host, message.roots));
  std::string more;
  if (!message.content_type.empty()) more += "\r\nContent-Type: " + message.content_type;
  // RFC 9110 8.6: not where no body is meant.
  if (!message.body.empty() || (message.method != "GET" && message.method != "DELETE"))
    more += "\r\nContent-Length: " + std::to_string(message.body.size());
  for (const Header& field : message.fields) more += "\r\n" + field.name + ": " + field.value;
  Secret head(message.method + " " + place->target + " HTTP/1.1\r\nHost: " + host_field(*place) +
              "\r\nUser-Agent: hanaper\r\nConnection: close" + more +
              (authorization.empty() ? "" : "\r\nAuthorization: " + std::string(authorization)) + "\r\n\r\n");
  HANAPER_CHECK(connection.send(head.reveal()));
  HANAPER_CHECK(connection.send(message.body));
  return connection.receive_answer(message.answer_limit);
}

Result<HandshakeAnswer> OutboundClient::handshake(const OutboundHandshake& request, Call& call) {
  HANAPER_ON(worker);
  HANAPER_TRY(Dial connection, dial(request.host, request.port, deadline_of(call), request.may_connect));
  HANAPER_CHECK(connection.start_tls(request.server_name, request.protocol));
  std::vector<Bytes> chain = connection.peer_chain();
  return HandshakeAnswer{chain.empty() ? Bytes{} : std::move(chain.front()), connection.peer_protocol(),
                         connection.where()};
}

Result<std::vector<Bytes>> OutboundClient::records(const std::string& name, DnsType type, Call& call) {
  HANAPER_ON(worker);
  return resolver_->records(name, static_cast<int>(type), deadline_of(call));
}

}  // namespace hanaper::http
