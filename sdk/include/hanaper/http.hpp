// HTTP as plugins see it: views in, bytes out. Sockets, TLS, parsing, limits and deadlines are the host's.
#pragma once

#include <hanaper/values.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hanaper {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };

constexpr std::string_view to_string(Method method) noexcept {
  constexpr std::string_view names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};
  return names[static_cast<std::size_t>(method)];
}

// One field of a request; both views live as long as the request.
struct HeaderView {
  std::string_view name;
  std::string_view value;
};

// What TLS knows about the peer of a request. All views live as long as the request.
struct TlsPeer {
  // Leaf first, DER; empty when the client sent no certificate. A certificate in here has shown possession
  // of its key, nothing else: whether to trust it is the caller's decision.
  std::vector<ByteView> chain;
  bool tls13 = false;
  // RFC 9266 tls-exporter under TLS 1.3, RFC 5929 tls-unique under TLS 1.2.
  ByteView channel_binding;
};

// A request that has passed the host's limits: origin-form target, exactly one Host, a complete body.
// Views point into the connection's buffer and are valid until the handler returns.
struct Request {
  Method method = Method::get;
  std::string_view target;  // as sent: path and query
  std::string_view path;    // up to '?', as sent; percent escapes are not decoded
  std::string_view tail;    // the part of path below the protocol's mount, with its leading '/' if any
  std::string_view query;   // after '?', or empty
  std::span<const HeaderView> headers;
  ByteView body;
  std::string_view address;      // the peer's address, RFC 5952 form
  const TlsPeer* tls = nullptr;  // null on plain HTTP

  // The value of the only field of that name (case-insensitive); empty when absent. When a field is sent
  // twice the first counts: fields for which that matters are refused by the host before.
  std::string_view header(std::string_view name) const noexcept {
    for (const HeaderView& field : headers)
      if (same_name(field.name, name)) return field.value;
    return {};
  }

  static bool same_name(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
  }
};

struct Header {
  std::string name;
  std::string value;
};

// Octets of an open file, for answers that are too large for memory: the host reads them as the peer takes
// them. They must not change while anybody holds the descriptor; a file that got shorter cuts the answer off.
struct FileRange {
  // Owned by the plugin that serves the file and the connection that sends it; the deleter closes it.
  std::shared_ptr<const int> descriptor;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// What a handler answers. The host adds Content-Length, Date and Connection, and leaves the body out
// for HEAD.
struct Response {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
  std::optional<FileRange> file = {};  // the body, instead of `body`

  Response& with(std::string name, std::string value) & {
    headers.push_back({std::move(name), std::move(value)});
    return *this;
  }
  Response&& with(std::string name, std::string value) && {
    headers.push_back({std::move(name), std::move(value)});
    return std::move(*this);
  }
};

// The standard phrase of a status code, RFC 9110 15; "Unknown" for a code not listed there.
std::string_view reason_phrase(int status) noexcept;

// Status line and fields, Content-Length included, without Date, Connection and the closing empty line:
// what FastReply::send wants as its head. Made once, sent many times.
std::string serialise_head(const Response& response);

// Where a fast handler puts its answer. Lives on the network thread's stack.
class FastReply {
 public:
  // [io] Queues one answer: `head` from serialise_head (plus per-request lines ending in CRLF), then
  // `body`. Both are copied before the call returns. Call it, or send_file, once.
  virtual void send(std::string_view head, ByteView body) = 0;

  // [io] The same with octets of a file for its body; the descriptor is kept until they are sent.
  virtual void send_file(std::string_view head, FileRange body) = 0;

 protected:
  ~FastReply() = default;
};

}  // namespace hanaper
