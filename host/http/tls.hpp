// TLS server contexts: certificates in, handshakes out.
#pragma once

#include "../config/model.hpp"
#include "ticket_keys.hpp"

#include <hanaper/keys.hpp>

#include <atomic>
#include <memory>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace hanaper::http {

// A certificate chain, PEM, with its private key: PEM, or one that a provider keeps.
struct TlsIdentity {
  std::string chain;
  Secret key;
  std::shared_ptr<Key> provided;  // then `key` is not looked at
};

// What a listener serves TLS with at the moment; replaced as a whole when its certificate is renewed.
// Thread-safe.
class TlsContext {
 public:
  explicit TlsContext(const config::ListenerConfig& listener) : listener_(listener) {}

  // [main, worker] New connections use it from now on. malformed when chain and key cannot be read or do not
  // belong together; then nothing changes.
  Status install(const TlsIdentity& identity);

  // [any] Session tickets get another key; those of the key before still resume.
  void rotate_tickets() { tickets_.rotate(); }

  // [io] The caller owns the result; null without a certificate.
  SSL* new_connection(int socket) const;

  // Whether a handshake computes what a client chooses, or waits for a key provider: then it is nothing for
  // a network thread.
  bool shakes_hands_elsewhere() const noexcept { return asks_for_certificates() || waits_for_a_key(); }
  bool waits_for_a_key() const noexcept { return !listener_.keys.empty(); }
  bool asks_for_certificates() const noexcept {
    return listener_.client_certificates != config::ClientCertificates::none;
  }

 private:
  const config::ListenerConfig listener_;
  TicketKeys tickets_;
  std::atomic<std::shared_ptr<SSL_CTX>> context_;
};

// The peer of a finished handshake, and the channel binding with it (RFC 9266, RFC 5929).
struct TlsPeerData {
  std::vector<Bytes> chain;
  std::array<std::uint8_t, 64> binding{};
  std::size_t binding_size = 0;
  bool tls13 = false;
};
TlsPeerData peer_of(SSL* ssl);

}  // namespace hanaper::http
