// One connection to the outside: a socket, maybe TLS over it, and a deadline on every wait.
#pragma once

#include <hanaper/outbound.hpp>

#include <memory>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace hanaper::http {

// Belongs to one thread. Errors begin with `where`, which says what was connected.
class Dial {
 public:
  // [worker] `address` is 4 or 16 octets. unavailable.
  static Result<Dial> connect(ByteView address, std::uint16_t port, std::string where, Deadline deadline);
  Dial(Dial&&) noexcept = default;
  Dial& operator=(Dial&&) noexcept = default;

  // [worker] TLS 1.2 or later with whoever answers. `server_name` goes into SNI, `protocol` into ALPN;
  // neither when empty. malformed when the peer does not do that.
  Status start_tls(const std::string& server_name, const std::string& protocol);
  // [worker] The same with whoever has a certificate for `host`, a DNS name or an address, below one of
  // `roots`: PEM; empty: the system's. unavailable when it is not good.
  Status start_trusted_tls(const std::string& host, const std::string& roots);
  // DER of what certificates the peer sent, its own first, and the protocol it chose. Behind start_tls.
  std::vector<Bytes> peer_chain() const;
  std::string peer_protocol() const;

  // [worker] unavailable.
  Status send(std::string_view octets);
  // [worker] 0 at the end. unavailable.
  Result<std::size_t> receive(char* into, std::size_t size);
  // [worker] The whole of one HTTP answer (AnswerReader). unavailable; malformed when it is none, or too
  // large.
  Result<OutboundAnswer> receive_answer(ByteCount body_limit);

  // From here on every wait ends by `deadline`.
  void until(Deadline deadline) noexcept { deadline_ = deadline; }
  const std::string& where() const noexcept { return where_; }

 private:
  struct Close {
    void operator()(int* fd) const noexcept;
  };
  struct Free {
    void operator()(SSL* ssl) const noexcept;
    void operator()(SSL_CTX* context) const noexcept;
  };
  Dial(int fd, std::string where, Deadline deadline);
  Status wait_for(short events, std::string_view doing) const;
  // Waits for what OpenSSL wants after `outcome`; an error when it wants nothing.
  Status wait_for_tls(int outcome, std::string_view doing) const;
  Error failed(std::string_view why) const;
  Status prepare_tls();
  Status trust(const std::string& host, const std::string& roots);
  Status shake_hands(const std::string& server_name, const std::string& protocol);

  std::unique_ptr<int, Close> fd_;
  std::string where_;
  Deadline deadline_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace hanaper::http
