// Clients of ACME for a bench: complete orders over kept TLS connections, all clients in step, so that the
// server always has something to do.
//
//   acme_load PORT CHALLENGE_PORT CLIENTS SECONDS PREFIX
//       orders names PREFIX-0.localhost and so on from https://localhost:PORT/acme, each client with an
//       account of its own, and answers their http-01 challenges; prints how many orders there were, and how
//       many polls beyond one for each
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/jose.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace {

using namespace hanaper;

[[noreturn]] void give_up(const std::string& why) { throw std::runtime_error(why); }

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Answers http-01 for every token that it was told; one connection after the other.
class Responder {
 public:
  explicit Responder(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int one = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const sockaddr_in address = loopback(port);
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket_, 1024) != 0)
      give_up("the challenge port is taken");
    std::thread([this] { run(); }).detach();
  }
  void expect(const std::string& token, const std::string& answer) {
    const std::lock_guard lock(mutex_);
    answers_[token] = answer;
  }

 private:
  void run() {
    for (;;) {
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) continue;
      char buffer[2048];
      const ssize_t size = ::read(connection, buffer, sizeof buffer);
      const std::string_view request(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
      const std::size_t begin = request.find("/acme-challenge/") + 16;
      std::string body;
      if (begin < request.size()) {
        const std::lock_guard lock(mutex_);
        const auto found =
            answers_.find(std::string(request.substr(begin, request.find(' ', begin) - begin)));
        if (found != answers_.end()) body = found->second;
      }
      const std::string answer =
          "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
          "\r\n\r\n" + body;
      if (::write(connection, answer.data(), answer.size()) < 0) std::perror("responder");
      ::close(connection);
    }
  }

  const int socket_;
  std::mutex mutex_;
  std::map<std::string, std::string> answers_;  // guarded by mutex_
};

struct Answer {
  int status = 0;
  std::string head, body;
  json::Value json;

  std::string header(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// One account on one connection.
class Client {
 public:
  Client(SSL_CTX* context, int port) : base_("https://localhost:" + std::to_string(port)) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(port);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      give_up("connect");
    const int one = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, socket);
    if (SSL_connect(ssl_) != 1) give_up("handshake");
    jwk_ = *jose::jwk_of(key_->spki());
    thumbprint = jose::parse_jwk(jwk_)->thumbprint;
    send("HEAD /acme/new-nonce HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(true);
    post(base_ + "/acme/new-account", json::Value(json::Object{{"termsOfServiceAgreed", true}}));
    kid_ = receive().header("Location");
    if (kid_.empty()) give_up("no account");
  }

  // Without payload as POST-as-GET. The answer is for `receive`.
  void post(const std::string& url, const std::optional<json::Value>& payload = {}) {
    json::Object header{{"alg", "ES256"}, {"nonce", nonce_}, {"url", url}};
    if (kid_.empty())
      header.emplace_back("jwk", jwk_);
    else
      header.emplace_back("kid", kid_);
    const std::string encoded = base64::encode_url(as_bytes(json::write(json::Value(std::move(header)))));
    const std::string text = payload ? base64::encode_url(as_bytes(json::write(*payload))) : "";
    const Bytes der = *key_->sign(SignatureScheme::ecdsa_sha256, as_bytes(encoded + "." + text));
    const std::string body = json::write(json::Value(json::Object{
        {"protected", encoded}, {"payload", text}, {"signature", base64::encode_url(raw_signature(der))}}));
    send("POST " + url.substr(base_.size()) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/jose+json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  Answer receive(bool head_only = false) {
    Answer answer;
    std::string all;
    char buffer[16384];
    std::size_t end = std::string::npos, wanted = 0;
    while (end == std::string::npos || all.size() < wanted) {
      const int n = SSL_read(ssl_, buffer, sizeof buffer);
      if (n <= 0) give_up("the connection ended");
      all.append(buffer, static_cast<std::size_t>(n));
      if (end != std::string::npos || (end = all.find("\r\n\r\n")) == std::string::npos) continue;
      answer.head = all.substr(0, end + 2);
      const std::string length = answer.header("Content-Length");
      wanted = end + 4 + (head_only || length.empty() ? 0 : std::stoul(length));
    }
    answer.status = std::stoi(all.substr(9, 3));
    answer.body = all.substr(end + 4);
    if (answer.body.starts_with("{")) answer.json = *json::parse(answer.body);
    if (answer.status >= 400) give_up(answer.body);
    nonce_ = answer.header("Replay-Nonce");
    return answer;
  }

  json::Value finalization() const {
    x509::CsrContent content;
    content.names.push_back({Identifier::Kind::dns, name});
    return json::Value(json::Object{{"csr", base64::encode_url(*x509::build_csr(*csr_key_, content))}});
  }

  std::string thumbprint, name;
  std::string authorization, finalize;  // of the order under way
  bool valid = false;

 private:
  // Raw R and S of a DER ECDSA signature (RFC 7518 3.4).
  static Bytes raw_signature(ByteView der) {
    Bytes raw;
    der::Reader reader = *der::open(der, der::sequence);
    for (int i = 0; i < 2; ++i) {
      ByteView number = *reader.read_integer();
      while (number.size() > 32) number = number.subspan(1);
      raw.insert(raw.end(), 32 - number.size(), 0);
      raw.insert(raw.end(), number.begin(), number.end());
    }
    return raw;
  }
  void send(const std::string& octets) {
    if (SSL_write(ssl_, octets.data(), static_cast<int>(octets.size())) <= 0) give_up("the connection ended");
  }

  const std::string base_;
  const std::shared_ptr<crypto::SoftKey> key_ = *crypto::SoftKey::generate({}),
                                         csr_key_ = *crypto::SoftKey::generate({});
  SSL* ssl_ = nullptr;
  json::Value jwk_;
  std::string kid_, nonce_;
};

using Clients = std::vector<std::unique_ptr<Client>>;

// An order of each, from newOrder to the certificate; how many polls more than one there were.
long orders(Clients& clients, const std::string& base, Responder& responder) {
  for (auto& client : clients)
    client->post(base + "/acme/new-order",
                 json::Value(json::Object{{"identifiers", json::Array{json::Value(json::Object{
                                                              {"type", "dns"}, {"value", client->name}})}}}));
  for (auto& client : clients) {
    const Answer order = client->receive();
    client->authorization = *order.json.find("authorizations")->array()->front().text();
    client->finalize = order.json.text_at("finalize");
    client->post(client->authorization);
  }
  for (auto& client : clients) {
    const Answer authorization = client->receive();
    for (const json::Value& challenge : *authorization.json.find("challenges")->array()) {
      if (challenge.text_at("type") != "http-01") continue;
      const std::string token(challenge.text_at("token"));
      responder.expect(token, token + "." + client->thumbprint);
      client->post(std::string(challenge.text_at("url")), json::Value(json::Object{}));
    }
  }
  for (auto& client : clients) client->receive();
  long polls = 0;
  for (auto& client : clients) client->valid = false;
  for (bool all = false; !all; ++polls) {
    // Real clients wait a second or more; a poll too many would be a seventh request.
    std::this_thread::sleep_for(std::chrono::milliseconds(polls == 0 ? 200 : 50));
    all = true;
    for (auto& client : clients)
      if (!client->valid) client->post(client->authorization);
    for (auto& client : clients) {
      if (client->valid) continue;
      const std::string status(client->receive().json.text_at("status"));
      if (status != "valid" && status != "pending") give_up("an authorization is " + status);
      client->valid = status == "valid";
      all = all && client->valid;
    }
  }
  for (auto& client : clients) client->post(client->finalize, client->finalization());
  for (auto& client : clients) {
    const Answer order = client->receive();
    if (order.json.text_at("status") != "valid") give_up("an order is not valid: " + order.body);
    client->post(std::string(order.json.text_at("certificate")));
  }
  for (auto& client : clients)
    if (client->receive().body.find("BEGIN CERTIFICATE") == std::string::npos) give_up("no certificate");
  return polls - 1;
}

int run(char** words) {
  const int port = std::atoi(words[1]);
  const std::string base = "https://localhost:" + std::to_string(port);
  Responder responder(std::atoi(words[2]));
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  Clients clients;
  for (int i = 0; i < std::atoi(words[3]); ++i) clients.push_back(std::make_unique<Client>(context, port));
  std::printf("ready\n");
  std::fflush(stdout);
  if (std::getchar() == EOF) return 1;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::atof(words[4]));
  long done = 0, polls = 0;
  do {
    for (auto& client : clients)
      client->name = words[5] + std::string("-") + std::to_string(done++) + ".localhost";
    polls += orders(clients, base, responder);
  } while (std::chrono::steady_clock::now() < end);
  std::printf("%ld %ld\n", done, polls);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count != 6) return 2;
  try {
    return run(words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "acme_load: %s\n", error.what());
    return 1;
  }
}
