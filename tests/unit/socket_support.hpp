// Sockets on the loopback interface, for tests that speak to a server or are one.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <string>

namespace hanaper::sockets {

// OpenSSL writes to peers that have gone, as in the daemon, which ignores the signal too.
inline const bool broken_pipes_are_ignored = std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;

inline std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

class Client {
 public:
  explicit Client(std::uint16_t port, const char* from = "127.0.0.1")
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, from, &address.sin_addr);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // `anyhow`: also to somebody who has hung up.
  void send(std::string_view octets, bool anyhow = false) const {
    if (anyhow) return static_cast<void>(::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL));
    EXPECT_EQ(::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(octets.size()));
  }
  // Everything until `mark` has come `times` times, or the server hangs up.
  std::string receive(std::string_view mark, int times = 1,
                      std::chrono::milliseconds patience = std::chrono::seconds{10}) const {
    std::string text;
    for (std::size_t from = 0; times != 0;) {
      if (const std::size_t found = text.find(mark, from); found != std::string::npos) {
        from = found + mark.size();
        --times;
        continue;
      }
      pollfd wait{socket_, POLLIN, 0};
      if (::poll(&wait, 1, static_cast<int>(patience.count())) <= 0) break;
      char chunk[4096];
      const ssize_t n = ::recv(socket_, chunk, sizeof chunk, 0);
      if (n <= 0) break;
      text.append(chunk, static_cast<std::size_t>(n));
    }
    return text;
  }
  // Whether nobody hangs up for that long; what comes meanwhile is thrown away.
  bool is_open(std::chrono::milliseconds patience) const {
    pollfd wait{socket_, POLLIN, 0};
    char chunk[4096];
    return ::poll(&wait, 1, static_cast<int>(patience.count())) == 0 ||
           ::recv(socket_, chunk, sizeof chunk, 0) > 0;
  }
  int handle() const { return socket_; }
  std::string receive_all() const { return receive("no answer says this"); }

 private:
  const int socket_;
};

// A server that takes one connection.
class Listening {
 public:
  Listening() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listening() { ::close(socket_); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  std::uint16_t port() const { return port_; }
  int accept() const { return ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC); }

 private:
  const int socket_;
  std::uint16_t port_ = 0;
};

}  // namespace hanaper::sockets
