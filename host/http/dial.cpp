#include "dial.hpp"

#include "answer_reader.hpp"
#include "peer_limits.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hanaper::http {
namespace {

// What OpenSSL calls its level: no SHA-1, no RSA below 2048 bits, whatever the system's configuration says.
constexpr int bits_112 = 2;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socket_address(ByteView address, std::uint16_t port) {
  SocketAddress made;
  if (address.size() == 4) {
    auto& in = reinterpret_cast<sockaddr_in&>(made.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.data(), 4);
    made.size = sizeof in;
    return made;
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(made.storage);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(&in6.sin6_addr, address.data(), 16);
  made.size = sizeof in6;
  return made;
}

}  // namespace

void Dial::Close::operator()(int* fd) const noexcept {
  ::close(*fd);
  delete fd;
}
void Dial::Free::operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
void Dial::Free::operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }

Dial::Dial(int fd, std::string where, Deadline deadline)
    : fd_(new int(fd)), where_(std::move(where)), deadline_(deadline) {}

Error Dial::failed(std::string_view why) const { return unavailable(where_ + ": " + std::string(why)); }

Status Dial::wait_for(short events, std::string_view doing) const {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
    if (left <= 0) return failed("timed out while " + std::string(doing));
    pollfd wait{*fd_, events, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return failed(std::strerror(errno));
  }
}

Result<Dial> Dial::connect(ByteView address, std::uint16_t port, std::string where, Deadline deadline) {
  const SocketAddress target = socket_address(address, port);
  const int fd = ::socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return unavailable(where + ": " + std::strerror(errno));
  Dial dial(fd, std::move(where), deadline);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&target.storage), target.size) == 0) return dial;
  if (errno != EINPROGRESS) return dial.failed(std::strerror(errno));
  HANAPER_CHECK(dial.wait_for(POLLOUT, "connecting"));
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return dial.failed(std::strerror(error));
  return dial;
}

Status Dial::wait_for_tls(int outcome, std::string_view doing) const {
  const int wants = SSL_get_error(ssl_.get(), outcome);
  if (wants == SSL_ERROR_WANT_READ) return wait_for(POLLIN, doing);
  if (wants == SSL_ERROR_WANT_WRITE) return wait_for(POLLOUT, doing);
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  return malformed(where_ + ": tls: " + (reason ? reason : "the peer closed the connection"));
}

Status Dial::start_tls(const std::string& server_name, const std::string& protocol) {
  HANAPER_CHECK(prepare_tls());
  trust_no_chain(context_.get());
  return shake_hands(server_name, protocol);
}

Status Dial::start_trusted_tls(const std::string& host, const std::string& roots) {
  HANAPER_CHECK(prepare_tls());
  HANAPER_CHECK(trust(host, roots));
  Status shaken = shake_hands(x509::ip_octets(host) ? "" : host, {});
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict != X509_V_OK)
    return failed(std::string("its certificate is not good: ") + X509_verify_cert_error_string(verdict));
  return shaken;
}

Status Dial::prepare_tls() {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return internal("tls: no context");
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  // A Diffie-Hellman exchange without curves costs as much as the server likes.
  SSL_CTX_set_cipher_list(context_.get(), "DEFAULT:!kDHE");
  SSL_CTX_set1_groups_list(context_.get(), "X25519:P-256:P-384:P-521:X448");
  limit_peer_certificates(context_.get());
  // Many a web server just closes: what was cut off does not equal what is expected.
  SSL_CTX_set_options(context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  ssl_.reset(SSL_new(context_.get()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), *fd_) != 1) return internal("tls: no connection");
  return {};
}

Status Dial::trust(const std::string& host, const std::string& roots) {
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  if (roots.empty()) {
    SSL_CTX_set_default_verify_paths(context_.get());
  } else {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> in(
        BIO_new_mem_buf(roots.data(), static_cast<int>(roots.size())), &BIO_free_all);
    while (X509* root = in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr) {
      X509_STORE_add_cert(store, root);
      X509_free(root);
    }
    ERR_clear_error();
  }
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl_.get());
  const int named = x509::ip_octets(host) ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str())
                                          : X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size());
  if (named != 1) return malformed(where_ + ": tls: \"" + host + "\" is no name for a certificate");
  SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
  SSL_set_security_level(ssl_.get(), bits_112);
  return {};
}

Status Dial::shake_hands(const std::string& server_name, const std::string& protocol) {
  // What the macro of OpenSSL says, without its cast.
  std::string sni = server_name;
  if (!sni.empty() &&
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni.data()) != 1)
    return malformed(where_ + ": tls: \"" + server_name + "\" is no server name");
  if (!protocol.empty()) {
    const std::string offered = static_cast<char>(protocol.size()) + protocol;
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                        static_cast<unsigned>(offered.size()));
  }
  for (;;) {
    ERR_clear_error();
    const int outcome = SSL_connect(ssl_.get());
    if (outcome == 1) return {};
    HANAPER_CHECK(wait_for_tls(outcome, "shaking hands"));
  }
}

std::vector<Bytes> Dial::peer_chain() const {
  std::vector<Bytes> chain;
  const STACK_OF(X509)* sent = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    const X509* certificate = sk_X509_value(sent, i);
    Bytes der(static_cast<std::size_t>(std::max(0, i2d_X509(certificate, nullptr))));
    unsigned char* out = der.data();
    i2d_X509(certificate, &out);
    chain.push_back(std::move(der));
  }
  return chain;
}

std::string Dial::peer_protocol() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
  return std::string(reinterpret_cast<const char*>(chosen), size);
}

Status Dial::send(std::string_view octets) {
  while (!octets.empty()) {
    if (ssl_) {
      ERR_clear_error();
      const int n = SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
      if (n > 0)
        octets.remove_prefix(static_cast<std::size_t>(n));
      else
        HANAPER_CHECK(wait_for_tls(n, "sending"));
      continue;
    }
    const ssize_t n = ::send(*fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n > 0)
      octets.remove_prefix(static_cast<std::size_t>(n));
    else if (errno != EAGAIN && errno != EINTR)
      return failed(std::strerror(errno));
    else
      HANAPER_CHECK(wait_for(POLLOUT, "sending"));
  }
  return {};
}

Result<std::size_t> Dial::receive(char* into, std::size_t size) {
  for (;;) {
    if (ssl_) {
      ERR_clear_error();
      const int n = SSL_read(ssl_.get(), into, static_cast<int>(size));
      if (n > 0) return static_cast<std::size_t>(n);
      const int wants = SSL_get_error(ssl_.get(), n);
      if (wants == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
      HANAPER_CHECK(wait_for_tls(n, "waiting for the answer"));
      continue;
    }
    const ssize_t n = ::recv(*fd_, into, size, 0);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EAGAIN && errno != EINTR) return failed(std::strerror(errno));
    HANAPER_CHECK(wait_for(POLLIN, "waiting for the answer"));
  }
}

Result<OutboundAnswer> Dial::receive_answer(ByteCount body_limit) {
  AnswerReader reader(body_limit);
  const auto within = [&](Error error) { return std::move(error).within(where_); };
  char chunk[8192];
  for (bool done = false; !done;) {
    HANAPER_TRY(const std::size_t n, receive(chunk, sizeof chunk));
    if (n == 0) {
      if (Status ended = reader.end(); !ended) return within(ended.error());
      break;
    }
    auto taken = reader.take({chunk, n});
    if (!taken) return within(taken.error());
    done = *taken;
  }
  return OutboundAnswer{reader.status(), reader.body(), where_, reader.fields()};
}

}  // namespace hanaper::http
