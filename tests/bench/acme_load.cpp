// Clients of ACME for a bench: complete orders over kept TLS connections, all clients in step, so that the
// server always has something to do.
//
//   acme_load PORT CHALLENGE_PORT CLIENTS SECONDS PREFIX
//       orders names PREFIX-0.localhost and so on from https://localhost:PORT/acme, each client with an
//       account of its own, and answers their http-01 challenges; prints how many orders there were, and how
//       many polls beyond one for each
#include "connection.hpp"

#include <hanaper/testing/jws.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/jose.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <map>
#include <mutex>
#include <thread>

namespace {

using namespace hanaper;
using bench::give_up;

// Answers http-01 for every token that it was told; one connection after the other.
class Responder {
 public:
  explicit Responder(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int one = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const sockaddr_in address = bench::loopback(port);
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

struct Answer : bench::Answer {
  json::Value json;
};

// One account on one connection.
class Client {
 public:
  Client(SSL_CTX* context, int port) : base_("https://localhost:" + std::to_string(port)) {
    ssl_ = bench::handshake(context, bench::connect_to(port));
    jwk_ = *jose::jwk_of(key_->spki());
    thumbprint = jose::parse_jwk(jwk_)->thumbprint;
    bench::send(ssl_, "HEAD /acme/new-nonce HTTP/1.1\r\nHost: localhost\r\n\r\n");
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
    const std::string body = fakes::make_jws(*key_, std::move(header), payload);
    bench::send(
        ssl_, "POST " + url.substr(base_.size()) +
                  " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/jose+json\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  Answer receive(bool head_only = false) {
    Answer answer{bench::receive(ssl_, head_only), {}};
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

int main(int count, char** words) { return count == 6 ? run(words) : 2; }
