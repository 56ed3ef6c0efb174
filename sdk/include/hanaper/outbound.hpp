// Outbound: what a plugin asks other servers, over HTTP, TLS and DNS.
#pragma once

#include <hanaper/http.hpp>
#include <hanaper/protocol.hpp>
#include <hanaper/values.hpp>

#include <functional>

namespace hanaper {

// [worker] Asked with each address before it is connected, those of redirects too: an IPv4 address, or the
// /64 of an IPv6 address. What it refuses is not connected; the call ends with its error where no other
// address of that name answers.
using MayConnect = std::function<Status(const std::string& target)>;

// A GET from a server that nobody has to trust: its certificate, if any, is not judged.
struct OutboundRequest {
  std::string host;  // a DNS name or an address
  std::uint16_t port = 80;
  std::string target = "/";
  ByteCount body_limit{64 * 1024};
  int redirects = 0;            // how many to follow; only to ports 80 and 443 and the port of the request
  bool tls = false;             // with whatever certificate the peer has
  MayConnect may_connect = {};  // empty: to whatever `[outbound]` allows
};

// What a server has answered.
struct OutboundAnswer {
  int status = 0;
  std::string body;
  std::string address;  // that was connected, for explanations
  std::vector<Header> fields = {};

  // The value of the first field of that name (case-insensitive); empty when absent.
  std::string_view field(std::string_view name) const noexcept {
    for (const Header& given : fields)
      if (Request::same_name(given.name, name)) return given.value;
    return {};
  }
};

// A request to a server that is known: over https its certificate must be good for the host's name.
struct OutboundMessage {
  std::string url;                        // http or https
  std::string method = "POST";            // or GET, PUT, PATCH, DELETE
  std::string content_type;               // of the body; empty when there is none
  std::string body;                       // at most 1 MiB
  const Secret* authorization = nullptr;  // the field's whole value (RFC 9110 11.6.2); the caller's own
  std::string roots;                      // PEM: who certifies https servers; empty: the system's
  ByteCount answer_limit{64 * 1024};
  std::vector<Header> fields = {};  // further ones; none that the host writes itself
};

// A TLS handshake for its own sake, as in RFC 8737.
struct OutboundHandshake {
  std::string host;  // a DNS name or an address
  std::uint16_t port = 443;
  std::string server_name;  // SNI (RFC 6066 3)
  std::string protocol;     // the only one offered in ALPN (RFC 7301)
  MayConnect may_connect = {};
};

struct HandshakeAnswer {
  Bytes certificate;     // DER, the peer's own; nobody has judged it
  std::string protocol;  // that the peer chose; empty: none
  std::string address;   // that was connected
};

enum class DnsType : std::uint16_t { txt = 16, caa = 257 };

// The only way out to others: every address is held against permit and deny of `[outbound]`, and the address
// that was checked is the one that is connected. Every call ends by its deadline. Thread-safe.
class Outbound {
 public:
  // [worker] The answer to a GET over HTTP, whatever its status. unavailable when nobody answers in time,
  // forbidden when `[outbound]` denies every address, not_found when the name does not resolve, malformed
  // when the answer is no HTTP.
  virtual Result<OutboundAnswer> get(const OutboundRequest& request, Call& call) = 0;

  // [worker] What a peer shows in a handshake of TLS 1.2 or later, after which the connection is closed.
  // unavailable, forbidden and not_found as with get; malformed when the peer breaks off the handshake.
  virtual Result<HandshakeAnswer> handshake(const OutboundHandshake& request, Call& call) = 0;

  // [worker] The RDATA (RFC 1035 3.2.1) of every record of that name and type, where CNAMEs lead to; empty
  // when there is none. unavailable when no server answers in time, or DNSSEC does not hold.
  virtual Result<std::vector<Bytes>> records(const std::string& name, DnsType type, Call& call) = 0;

  // [worker] The answer to such a request, whatever its status; no redirect is followed. malformed when the
  // URL, the method or a field is none, or the answer is no HTTP; unavailable also when the server's
  // certificate is not good; forbidden and not_found as with get.
  virtual Result<OutboundAnswer> send(const OutboundMessage& message, Call& call) = 0;

 protected:
  ~Outbound() = default;
};
}  // namespace hanaper
