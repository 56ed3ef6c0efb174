#include "tls.hpp"

#include "key_bridge.hpp"
#include "peer_limits.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstring>

namespace hanaper::http {
namespace {

struct Free {
  void operator()(X509* object) const { X509_free(object); }
  void operator()(EVP_PKEY* object) const { EVP_PKEY_free(object); }
  void operator()(BIO* object) const { BIO_free(object); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> memory(std::string_view text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Status use_chain(SSL_CTX* context, const std::string& chain) {
  const Owned<BIO> bio = memory(chain);
  const Owned<X509> leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return malformed("no certificate that OpenSSL can read");
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    SSL_CTX_add0_chain_cert(context, next);
  ERR_clear_error();
  return {};
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                unsigned int length, void*) {
  static constexpr unsigned char http[] = "\x08http/1.1\x08http/1.0";
  unsigned char* chosen = nullptr;
  // RFC 7301 3.2: "In the event that the server supports no protocols that the client advertises, then the
  // server SHALL respond with a fatal "no_application_protocol" alert."
  if (SSL_select_next_proto(&chosen, size, http, sizeof http - 1, in, length) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void ask_for_certificates(SSL_CTX* context, config::ClientCertificates wanted) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (wanted == config::ClientCertificates::none) {
    SSL_CTX_set_num_tickets(context, 1);  // 45 us each
    return;
  }
  // A resumed session has no chain and no fresh verification; and a ticket that carries one costs as much as
  // a full handshake.
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  const int mode = SSL_VERIFY_PEER |
                   (wanted == config::ClientCertificates::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
  // Whom to trust is for the service behind the listener: a certificate here only proves its key.
  SSL_CTX_set_verify(context, mode, nullptr);
  trust_no_chain(context);
}

Result<Owned<EVP_PKEY>> private_key(const TlsIdentity& identity) {
  if (identity.provided != nullptr) {
    HANAPER_TRY(EVP_PKEY* const bridged, bridge(identity.provided));
    return Owned<EVP_PKEY>(bridged);
  }
  const Owned<BIO> bio = memory(identity.key.reveal());
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key) return malformed("no private key that OpenSSL can read");
  return key;
}

}  // namespace

Status TlsContext::install(const TlsIdentity& identity) {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return internal("openssl: no TLS context");
  SSL_CTX_set_min_proto_version(context.get(), listener_.tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set1_groups_list(context.get(), "X25519:P-256:P-384");
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, nullptr);
  const unsigned char id[] = "hanaper";
  SSL_CTX_set_session_id_context(context.get(), id, sizeof id - 1);
  ask_for_certificates(context.get(), listener_.client_certificates);
  tickets_.use_in(context.get());

  HANAPER_CHECK(use_chain(context.get(), identity.chain));
  HANAPER_TRY(const Owned<EVP_PKEY> key, private_key(identity));
  if (SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    ERR_clear_error();
    return malformed("the private key does not belong to the certificate");
  }
  context_ = context;
  return {};
}

SSL* TlsContext::new_connection(int socket) const {
  const std::shared_ptr<SSL_CTX> context = context_.load();
  SSL* ssl = context ? SSL_new(context.get()) : nullptr;
  if (ssl == nullptr) return nullptr;
  SSL_set_fd(ssl, socket);
  SSL_set_accept_state(ssl);
  return ssl;
}

TlsPeerData peer_of(SSL* ssl) {
  TlsPeerData peer;
  peer.tls13 = SSL_version(ssl) == TLS1_3_VERSION;
  const auto add = [&](X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    if (size > 0) peer.chain.emplace_back(der, der + size);
    OPENSSL_free(der);
  };
  if (const Owned<X509> leaf(SSL_get1_peer_certificate(ssl)); leaf) {
    add(leaf.get());
    // On the server's side the chain comes without the leaf.
    const STACK_OF(X509)* above = SSL_get_peer_cert_chain(ssl);
    for (int i = 0; above != nullptr && i < sk_X509_num(above); ++i) add(sk_X509_value(above, i));
  }
  if (peer.tls13) {
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    if (SSL_export_keying_material(ssl, peer.binding.data(), 32, label.data(), label.size(), nullptr, 0, 1) ==
        1)
      peer.binding_size = 32;
  } else if (SSL_get_extms_support(ssl) == 1) {
    // tls-unique is the first Finished message: the client's of a full handshake, the server's of a resumed
    // one. Without the extended master secret somebody in between can make two of them equal (RFC 9266 1).
    peer.binding_size = SSL_session_reused(ssl)
                            ? SSL_get_finished(ssl, peer.binding.data(), peer.binding.size())
                            : SSL_get_peer_finished(ssl, peer.binding.data(), peer.binding.size());
  }
  ERR_clear_error();
  return peer;
}

}  // namespace hanaper::http
