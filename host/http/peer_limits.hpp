// What a peer's certificates may cost in a TLS handshake.
#pragma once

typedef struct ssl_ctx_st SSL_CTX;

namespace hanaper::http {

// Judges the certificates that a peer sends by their number, size and keys before OpenSSL reads them; those
// beyond x509::check_chain_cost end the handshake with an alert. To be called once for each context, of a
// server or of a client.
void limit_peer_certificates(SSL_CTX* context);

// The same, and no signature below the peer's own is verified: whom to trust is for somebody else.
void trust_no_chain(SSL_CTX* context);

}  // namespace hanaper::http
