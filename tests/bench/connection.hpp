// TLS connections of clients that benches use: blocking, to this machine, ended by the first failure.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace hanaper::bench {

[[noreturn]] inline void give_up(const std::string& why) {
  std::fprintf(stderr, "client: %s\n", why.c_str());
  std::exit(1);
}

// The same, with what the system and OpenSSL say of it.
[[noreturn]] inline void cut_off(const std::string& doing) {
  std::string why = doing + ": " + (errno != 0 ? std::strerror(errno) : "connection ended");
  if (const unsigned long error = ERR_peek_error(); error != 0)
    if (const char* reason = ERR_reason_error_string(error)) why += std::string("; ") + reason;
  give_up(why);
}

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A busy machine may be out of local ports for a moment; they come back as older connections are forgotten.
inline int connect_to(int port) {
  const sockaddr_in address = loopback(port);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0) cut_off("socket");
  for (int attempt = 0; ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
       ++attempt) {
    if ((errno != EADDRNOTAVAIL && errno != EINTR) || attempt == 500) cut_off("connect");
    ::usleep(10'000);
  }
  const int one = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return socket;
}

inline SSL* handshake(SSL_CTX* context, int socket) {
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, socket);
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>("localhost"));
  if (SSL_connect(ssl) != 1) cut_off("handshake");
  return ssl;
}

inline void send(SSL* ssl, const std::string& octets) {
  if (SSL_write(ssl, octets.data(), static_cast<int>(octets.size())) <= 0) cut_off("write");
}

struct Answer {
  int status = 0;
  std::string head, body;  // the head ends with the last field's CRLF

  std::string header(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// One answer, read to its end; that of HEAD has no body.
inline Answer receive(SSL* ssl, bool head_only = false) {
  Answer answer;
  std::string all;
  char buffer[16384];
  std::size_t end = std::string::npos, wanted = 0;
  while (end == std::string::npos || all.size() < wanted) {
    const int n = SSL_read(ssl, buffer, sizeof buffer);
    if (n <= 0) cut_off("read");
    all.append(buffer, static_cast<std::size_t>(n));
    if (end != std::string::npos || (end = all.find("\r\n\r\n")) == std::string::npos) continue;
    answer.head = all.substr(0, end + 2);
    const std::string length = answer.header("Content-Length");
    wanted = end + 4 + (head_only || length.empty() ? 0 : std::stoul(length));
  }
  answer.status = std::atoi(all.c_str() + std::strlen("HTTP/1.1 "));
  answer.body = all.substr(end + 4);
  return answer;
}

}  // namespace hanaper::bench
