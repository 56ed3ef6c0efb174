#include "fetch.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace hanaper::http::outside {
namespace {

constexpr std::size_t max_answer = 16 * 1024 * 1024;

struct Socket {
  int handle = -1;
  Socket() = default;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (handle >= 0) ::close(handle);
  }
};

template <class T, void (*release)(T*)>
struct Release {
  void operator()(T* object) const { release(object); }
};
template <class T, void (*release)(T*)>
using Held = std::unique_ptr<T, Release<T, release>>;

std::string name_of(const Place& place) { return place.host + " port " + place.port; }

Status open_socket(const Place& place, std::chrono::seconds timeout, Socket& into) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int code = ::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &list); code != 0)
    return unavailable(place.host + ": " + ::gai_strerror(code));
  const Held<addrinfo, ::freeaddrinfo> addresses(list);
  std::string why = "no address";
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    Socket one;
    one.handle = ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    // The time that a connection may take is that of sending, as Linux has it.
    const timeval patience{timeout.count(), 0};
    if (one.handle >= 0) {
      ::setsockopt(one.handle, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      ::setsockopt(one.handle, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    if (one.handle >= 0 && ::connect(one.handle, at->ai_addr, at->ai_addrlen) == 0) {
      std::swap(into.handle, one.handle);
      return {};
    }
    why = errno == EINPROGRESS ? "no answer in time" : std::strerror(errno);
  }
  return unavailable(name_of(place) + ": " + why);
}

// Octets there and back, with TLS or without.
class Connection {
 public:
  Status open(const Place& place, const Asked& asked) {
    HANAPER_CHECK(open_socket(place, asked.timeout, socket_));
    return place.tls ? shake_hands(place, asked.trust) : Status{};
  }

  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ssl_ ? SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()))
                             : ::send(socket_.handle, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  std::string receive_all() {
    std::string text;
    char part[16384];
    while (text.size() < max_answer) {
      const auto got =
          ssl_ ? SSL_read(ssl_.get(), part, sizeof part) : ::recv(socket_.handle, part, sizeof part, 0);
      if (got <= 0) break;
      text.append(part, static_cast<std::size_t>(got));
    }
    ERR_clear_error();
    return text;
  }

  std::vector<Bytes> chain() const {
    std::vector<Bytes> all;
    const STACK_OF(X509)* sent = ssl_ ? SSL_get_peer_cert_chain(ssl_.get()) : nullptr;
    for (int i = 0; i < sk_X509_num(sent); ++i) {
      Bytes der(static_cast<std::size_t>(std::max(0, i2d_X509(sk_X509_value(sent, i), nullptr))));
      unsigned char* at = der.data();
      i2d_X509(sk_X509_value(sent, i), &at);
      all.push_back(std::move(der));
    }
    return all;
  }

 private:
  Status shake_hands(const Place& place, const Anchors& trust) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!context_) return internal("TLS cannot be set up");
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    if (trust.kind == Anchors::Kind::system) SSL_CTX_set_default_verify_paths(context_.get());
    if (trust.kind == Anchors::Kind::file &&
        SSL_CTX_load_verify_file(context_.get(), trust.file.c_str()) != 1) {
      ERR_clear_error();
      return malformed(trust.file + ": no certificates in it that could be trusted");
    }
    if (trust.kind != Anchors::Kind::anybody) SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    X509_VERIFY_PARAM* wanted = ssl_ ? SSL_get0_param(ssl_.get()) : nullptr;
    if (wanted == nullptr || SSL_set_fd(ssl_.get(), socket_.handle) != 1)
      return internal("TLS cannot be set up");
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, place.host.c_str()) != 1) {
      X509_VERIFY_PARAM_set1_host(wanted, place.host.c_str(), place.host.size());
      // What SSL_set_tlsext_host_name does, without its old casts.
      std::string name = place.host;
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }
    ERR_clear_error();
    if (SSL_connect(ssl_.get()) == 1) return {};
    const long verified = SSL_get_verify_result(ssl_.get());
    ERR_clear_error();
    if (verified != X509_V_OK)
      return rejected(name_of(place) +
                      ": the server's certificate is not good: " + X509_verify_cert_error_string(verified));
    return unavailable(name_of(place) + ": no TLS connection comes about");
  }

  Socket socket_;
  Held<SSL_CTX, SSL_CTX_free> context_;
  Held<SSL, SSL_free> ssl_;
};

// HTTP/1.0 was asked for: the answer ends with the connection.
Result<Fetched> parse_answer(const std::string& text, const Place& place) {
  const std::size_t head = text.find("\r\n\r\n");
  Fetched fetched;
  if (head == std::string::npos || !text.starts_with("HTTP/1.") || text.size() < 12 ||
      std::from_chars(text.data() + 9, text.data() + 12, fetched.status).ec != std::errc{})
    return unavailable(name_of(place) + ": does not answer as HTTP");
  fetched.body = text.substr(head + 4);
  std::string fields = text.substr(0, head + 2);
  std::ranges::transform(fields, fields.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const std::size_t length = fields.find("\r\ncontent-length:"); length != std::string::npos) {
    std::size_t size = 0, at = fields.find_first_not_of(' ', length + 17);
    std::from_chars(fields.data() + at, fields.data() + fields.size(), size);
    if (fetched.body.size() < size) return unavailable(name_of(place) + ": the answer was cut off");
    fetched.body.resize(size);
  }
  return fetched;
}

}  // namespace

std::string Place::url(const std::string& other_path) const {
  const bool usual = port == (tls ? "443" : "80");
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return (tls ? "https://" : "http://") + name + (usual ? "" : ":" + port) + other_path;
}

Result<Place> parse_place(const std::string& url) {
  const Error wrong =
      malformed("\"" + url + "\" is no address; write it as in https://pki.example.test:8443/acme/directory");
  Place place;
  std::string_view rest = url;
  place.tls = rest.starts_with("https://");
  if (!place.tls && !rest.starts_with("http://")) return wrong;
  rest.remove_prefix(place.tls ? 8 : 7);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  place.path = slash == rest.size() ? "/" : std::string(rest.substr(slash));
  std::string_view authority = rest.substr(0, slash);
  const std::size_t colon = authority.rfind(':'), bracket = authority.rfind(']');
  place.port = place.tls ? "443" : "80";
  if (colon != authority.npos && (bracket == authority.npos || colon > bracket)) {
    place.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  place.host = authority;
  const bool digits =
      !place.port.empty() && std::ranges::all_of(place.port, [](char c) { return c >= '0' && c <= '9'; });
  const bool plain = std::ranges::none_of(url, [](char c) { return c <= ' ' || c == 0x7f || c == '@'; });
  if (place.host.empty() || !digits || !plain) return wrong;
  return place;
}

Result<Fetched> fetch(const std::string& url, const Asked& asked) {
  HANAPER_TRY(const Place place, parse_place(url));
  const auto begin = std::chrono::steady_clock::now();
  Connection connection;
  HANAPER_CHECK(connection.open(place, asked));
  std::string request = asked.method + " " + place.path +
                        " HTTP/1.0\r\nHost: " + place.url("").substr(place.tls ? 8 : 7) +
                        "\r\nUser-Agent: hanaper\r\nConnection: close\r\n";
  if (!asked.body.empty())
    request += "Content-Type: " + asked.content_type +
               "\r\nContent-Length: " + std::to_string(asked.body.size()) + "\r\n";
  if (!connection.send(request + "\r\n" + asked.body))
    return unavailable(name_of(place) + ": closes the connection");
  HANAPER_TRY(Fetched fetched, parse_answer(connection.receive_all(), place));
  fetched.chain = connection.chain();
  fetched.took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  return fetched;
}

}  // namespace hanaper::http::outside
