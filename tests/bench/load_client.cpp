// What benches need of a client: full TLS handshakes one after the other, and connections that stay idle.
//
//   load_client handshakes PORT SECONDS    prints how many handshakes with one GET each were done
//   load_client idle PORT COUNT            opens them, prints "open", waits for a line on standard input
//   load_client post PORT SECONDS CERTIFICATE KEY REQUEST COUNT
//       sends what the file REQUEST holds over COUNT connections with that client certificate (PEM), again
//       and again, and prints how often the answer was 200
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "load_client: %s: %s", why, errno != 0 ? std::strerror(errno) : "connection ended");
  if (const unsigned long error = ERR_peek_error(); error != 0)
    std::fprintf(stderr, "; %s", ERR_reason_error_string(error));
  std::fprintf(stderr, "\n");
  std::exit(1);
}

// A busy machine may be out of local ports for a moment; they come back as older connections are forgotten.
int connect_to(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0) give_up("socket");
  for (int attempt = 0; ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
       ++attempt) {
    if ((errno != EADDRNOTAVAIL && errno != EINTR) || attempt == 500) give_up("connect");
    ::usleep(10'000);
  }
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

// The status of one answer, read to its end.
int status_of_answer(SSL* ssl) {
  std::string answer;
  char buffer[8192];
  std::size_t end = std::string::npos, wanted = 0;
  while (end == std::string::npos || answer.size() < wanted) {
    const int n = SSL_read(ssl, buffer, sizeof buffer);
    if (n <= 0) give_up("read");
    answer.append(buffer, static_cast<std::size_t>(n));
    if (end != std::string::npos) continue;
    end = answer.find("\r\n\r\n");
    const std::size_t length = answer.find("Content-Length: ");
    if (end != std::string::npos)
      wanted =
          end + 4 + (length < end ? static_cast<std::size_t>(std::atol(answer.c_str() + length + 16)) : 0);
  }
  return std::atoi(answer.c_str() + std::strlen("HTTP/1.1 "));
}

void get(SSL* ssl) {
  constexpr char request[] = "GET /acme/directory HTTP/1.1\r\nHost: localhost\r\n\r\n";
  if (SSL_write(ssl, request, sizeof request - 1) <= 0) give_up("write");
  if (status_of_answer(ssl) != 200) give_up("answer");
}

long post(SSL_CTX* context, int port, double seconds, const std::string& request, int connections) {
  std::vector<SSL*> open;
  for (int i = 0; i < connections; ++i) open.push_back(handshake(context, connect_to(port)));
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  long good = 0;
  while (std::chrono::steady_clock::now() < end) {
    for (SSL* ssl : open)
      if (SSL_write(ssl, request.data(), static_cast<int>(request.size())) <= 0) give_up("write");
    for (SSL* ssl : open)
      if (status_of_answer(ssl) == 200) ++good;
  }
  return good;
}

std::string whole_file(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) give_up(path);
  std::string whole;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) whole.append(buffer, n);
  std::fclose(file);
  return whole;
}

}  // namespace

int main(int count, char** words) {
  const bool posts = count == 8 && std::strcmp(words[1], "post") == 0;
  if (count != 4 && !posts) return 2;
  const int port = std::atoi(words[2]);
  const double amount = std::atof(words[3]);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set1_groups_list(context, "X25519");
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (posts) {
    if (SSL_CTX_use_certificate_file(context, words[4], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, words[5], SSL_FILETYPE_PEM) != 1)
      give_up("certificate");
    std::printf("%ld\n", post(context, port, amount, whole_file(words[6]), std::atoi(words[7])));
    return 0;
  }
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
