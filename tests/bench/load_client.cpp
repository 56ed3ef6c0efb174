// What benches need of a client: full TLS handshakes one after the other, and connections that stay idle.
//
//   load_client handshakes PORT SECONDS    prints how many handshakes with one GET each were done
//   load_client idle PORT COUNT            opens them, prints "open", waits for a line on standard input
//   load_client post PORT SECONDS CERTIFICATE KEY REQUEST COUNT
//       sends what the file REQUEST holds over COUNT connections with that client certificate (PEM), again
//       and again, and prints how often the answer was 200
#include "connection.hpp"

#include <sys/resource.h>

#include <chrono>
#include <vector>

namespace {

using namespace hanaper::bench;

void get(SSL* ssl) {
  send(ssl, "GET /acme/directory HTTP/1.1\r\nHost: localhost\r\n\r\n");
  if (receive(ssl).status != 200) give_up("no directory");
}

long post(SSL_CTX* context, int port, double seconds, const std::string& request, int connections) {
  std::vector<SSL*> open;
  for (int i = 0; i < connections; ++i) open.push_back(handshake(context, connect_to(port)));
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  long good = 0;
  while (std::chrono::steady_clock::now() < end) {
    for (SSL* ssl : open) send(ssl, request);
    for (SSL* ssl : open)
      if (receive(ssl).status == 200) ++good;
  }
  return good;
}

std::string whole_file(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) cut_off(path);
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
      cut_off("certificate");
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
