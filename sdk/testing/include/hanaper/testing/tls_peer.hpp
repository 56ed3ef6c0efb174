// A TLS server for tests of whoever shakes hands or asks over https: on loopback, with a certificate of its
// own making.
//
//   fakes::TlsPeer peer({.answer = [](std::string_view) { return fakes::http_answer(200, "ok"); }});
//   client.get("https://localhost:" + std::to_string(peer.port()) + "/", peer.roots());
//   EXPECT_EQ(peer.handshakes().front().server_name, "localhost");
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <functional>
#include <memory>
#include <thread>

namespace hanaper::fakes {

struct TlsPeerOptions {
  std::vector<Identifier> names = {{Identifier::Kind::dns, "localhost"}, {Identifier::Kind::ip, "127.0.0.1"}};
  std::string protocol = {};  // the only one it takes in ALPN; empty: it knows no ALPN
  // The certificate's time, from now on: {-2h, -1h} is one that has expired.
  std::chrono::seconds not_before{-3600}, not_after{3600};
  // From a request's head and body to the whole of the answer; without, the connection is closed after the
  // handshake.
  std::function<std::string(std::string_view request)> answer = {};
  bool breaks_off = false;  // closes the connection instead of shaking hands
};

// What a client did. `finished` is false when it went away in the handshake: it did not like the certificate.
struct TlsHandshake {
  bool finished = false;
  std::string server_name;             // SNI; empty: none
  std::vector<std::string> protocols;  // offered in ALPN
  std::string request;                 // as it was read
};

// Serves one connection after another on a thread of its own, until it dies. Thread-safe.
class TlsPeer {
 public:
  explicit TlsPeer(TlsPeerOptions options = {});
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  const std::string& roots() const noexcept { return roots_; }    // PEM of who certified it
  ByteView certificate() const noexcept { return certificate_; }  // DER
  std::vector<TlsHandshake> handshakes() const;                   // in their order

 private:
  struct Tls;
  void serve();
  void serve_one(int socket);

  const TlsPeerOptions options_;
  std::unique_ptr<Tls> tls_;
  std::string roots_;
  Bytes certificate_;
  int listening_ = -1, wake_[2] = {-1, -1};
  std::uint16_t port_ = 0;
  mutable Mutex mutex_;
  std::vector<TlsHandshake> handshakes_ HANAPER_GUARDED_BY(mutex_);
  std::thread thread_;
};

// A whole HTTP/1.1 answer.
std::string http_answer(int status, std::string_view body, std::string_view more_fields = "");

}  // namespace hanaper::fakes
