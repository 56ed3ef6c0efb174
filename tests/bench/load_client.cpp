// What benches need of a client: full TLS handshakes one after the other, and connections that stay idle.
//
//   load_client handshakes PORT SECONDS    prints how many handshakes with one GET each were done
//   load_client idle PORT COUNT            opens them, prints "open", waits for a line on standard input
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

[[noreturn]] void give_up(const char* why) {
  std::perror(why);
  std::exit(1);
}

int connect_to(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0 || ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give_up("connect");
  const int one = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return socket;
}

SSL* handshake(SSL_CTX* context, int socket) {
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, socket);
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>("localhost"));
  if (SSL_connect(ssl) != 1) give_up("handshake");
  return ssl;
}

void get(SSL* ssl) {
  constexpr char request[] = "GET /acme/directory HTTP/1.1\r\nHost: localhost\r\n\r\n";
  if (SSL_write(ssl, request, sizeof request - 1) <= 0) give_up("write");
  std::string answer;
  char buffer[4096];
  while (answer.find("revoke-cert\"}") == std::string::npos) {
    const int n = SSL_read(ssl, buffer, sizeof buffer);
    if (n <= 0) give_up("read");
    answer.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  const int port = std::atoi(words[2]);
  const double amount = std::atof(words[3]);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set1_groups_list(context, "X25519");
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (std::strcmp(words[1], "handshakes") == 0) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(amount);
    long done = 0;
    while (std::chrono::steady_clock::now() < end) {
      const int socket = connect_to(port);
      SSL* ssl = handshake(context, socket);
      get(ssl);
      SSL_free(ssl);
      ::close(socket);
      ++done;
    }
    std::printf("%ld\n", done);
    return 0;
  }
  const rlimit limit{100'000, 100'000};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  for (int i = 0; i < static_cast<int>(amount); ++i) get(handshake(context, connect_to(port)));
  std::printf("open\n");
  std::fflush(stdout);
  return std::getchar() == EOF ? 0 : 0;
}
