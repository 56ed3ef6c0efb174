#include "peer_limits.hpp"

#include <hanaper/toolkit/public_key.hpp>

#include <openssl/ssl.h>

#include <cstring>
#include <optional>

namespace hanaper::http {
namespace {

constexpr std::size_t largest_message = std::size_t{64} * 1024;
constexpr std::size_t header_size = 4;

// The vectors of a TLS message (RFC 8446 3.4); none when one is longer than what is there.
class Vectors {
 public:
  explicit Vectors(ByteView octets) : rest_(octets) {}
  bool at_end() const { return rest_.empty(); }
  std::optional<ByteView> take(std::size_t size_octets) {
    std::size_t size = 0;
    if (rest_.size() < size_octets) return {};
    for (std::size_t i = 0; i < size_octets; ++i) size = size << 8 | rest_[i];
    if (rest_.size() - size_octets < size) return {};
    const ByteView content = rest_.subspan(size_octets, size);
    rest_ = rest_.subspan(size_octets + size);
    return content;
  }

 private:
  ByteView rest_;
};

// The content of a Certificate message (RFC 8446 4.4.2, RFC 5246 7.4.2). What is none is for OpenSSL to
// refuse.
Status check_message(ByteView message, bool tls13) {
  Vectors outer(message);
  if (tls13 && !outer.take(1)) return {};
  const auto list = outer.take(3);
  if (!list) return {};
  std::vector<ByteView> chain;
  for (Vectors entries(*list); !entries.at_end();) {
    const auto certificate = entries.take(3);
    if (!certificate || (tls13 && !entries.take(2))) return {};
    chain.push_back(*certificate);
    if (chain.size() > x509::longest_chain) break;
  }
  return x509::check_chain_cost(chain);
}

// OpenSSL shows each message before it reads it, and takes no answer: one that must not be read is made
// unreadable, so that the handshake ends with the alert decode_error.
void look_at(int sent, int version, int content_type, const void* octets, std::size_t size, SSL*, void*) {
  auto* message = static_cast<std::uint8_t*>(const_cast<void*>(octets));
  if (sent != 0 || content_type != SSL3_RT_HANDSHAKE || size <= header_size ||
      message[0] != SSL3_MT_CERTIFICATE)
    return;
  if (!check_message({message + header_size, size - header_size}, version == TLS1_3_VERSION))
    std::memset(message + header_size, 0xff, size - header_size);
}

int leave_the_chain(X509_STORE_CTX*, void*) { return 1; }

}  // namespace

void limit_peer_certificates(SSL_CTX* context) {
  SSL_CTX_set_max_cert_list(context, largest_message);
  SSL_CTX_set_msg_callback(context, look_at);
}

void trust_no_chain(SSL_CTX* context) {
  limit_peer_certificates(context);
  SSL_CTX_set_cert_verify_callback(context, leave_the_chain, nullptr);
}

}  // namespace hanaper::http
