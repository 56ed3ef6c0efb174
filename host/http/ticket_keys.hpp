// Keys for TLS session tickets, which do not live as long as the process.
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <array>
#include <memory>
#include <optional>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
typedef struct evp_mac_ctx_st EVP_MAC_CTX;

namespace hanaper::http {

// Whoever gets a ticket key reads the early secrets of every session that it sealed. So keys are replaced:
// one seals, the one before it still opens, any older one is gone (RFC 5077 5.5, RFC 8446 2.2). Thread-safe.
class TicketKeys {
 public:
  TicketKeys();

  // [any] A new key seals from now on. Tickets of the key before the last are worth a full handshake.
  void rotate();

  // [main, worker] Tickets of `context` are sealed with these keys. They have to outlive its connections.
  void use_in(SSL_CTX* context);

 private:
  struct Key {
    Key();
    ~Key();
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;

    std::array<std::uint8_t, 16> name;
    std::array<std::uint8_t, 32> cipher;
    std::array<std::uint8_t, 32> mac;
  };
  struct Found {
    std::shared_ptr<const Key> key;
    bool is_current;
  };

  // [io] What OpenSSL asks at each ticket (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
  static int prepare(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac, int seals);
  Found find(const unsigned char* name) const;
  std::shared_ptr<const Key> current() const;

  mutable Mutex mutex_;
  std::shared_ptr<const Key> current_ HANAPER_GUARDED_BY(mutex_);
  std::shared_ptr<const Key> previous_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::http
