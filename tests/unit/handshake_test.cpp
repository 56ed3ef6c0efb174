// What a stranger's handshake may cost, and whom it may keep waiting.
#include "http/dial.hpp"
#include "http/server.hpp"

#include "freed.hpp"
#include "services/worker_pool.hpp"
#include "socket_support.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <gtest/gtest.h>

#include <semaphore>
#include <thread>

namespace hanaper::http {
namespace {

using Pkey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freed<SSL_free>>;

Pkey ec_key() { return Pkey(EVP_EC_gen("P-256")); }

Pkey explicit_curve() {
  Pkey key = ec_key();
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
  return key;
}

// A key of that form; nobody has its private half.
Pkey rsa_key(int bits, int exponent_bits) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> n(BN_new()), e(BN_new());
  BN_rand(n.get(), bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
  BN_rand(e.get(), exponent_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
  const std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  const std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>> parameters(
      OSSL_PARAM_BLD_to_param(builder.get()));
  const std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* made = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get());
  return Pkey(made);
}

// Certified by somebody: its signature is good for nothing.
Certificate certificate(EVP_PKEY* key, std::size_t padding = 0) {
  static const Pkey somebody = ec_key();
  Certificate made(X509_new());
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  const std::string name = "x" + std::string(padding % 60, 'x');
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(made.get(), key);
  X509_sign(made.get(), somebody.get(), EVP_sha256());
  return made;
}

std::string pem_of(X509* certificate) {
  const std::unique_ptr<BIO, Freed<BIO_free>> out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(EVP_PKEY* key) {
  const std::unique_ptr<BIO, Freed<BIO_free>> out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// What a peer sends: a certificate of its own, and others behind it.
struct Peer {
  const char* name;
  std::vector<Pkey> keys;  // the first is its own
  bool good;
};

std::vector<Peer> peers() {
  const auto with = [](auto... keys) {
    std::vector<Pkey> list;
    list.push_back(ec_key());
    (list.push_back(std::move(keys)), ...);
    return list;
  };
  const auto many = [](std::size_t count) {
    std::vector<Pkey> list;
    while (list.size() < count) list.push_back(ec_key());
    return list;
  };
  std::vector<Peer> list;
  list.push_back({"a certificate alone", with(), true});
  list.push_back({"a chain with RSA keys", with(rsa_key(2048, 17), rsa_key(4096, 17)), true});
  list.push_back({"the largest RSA key", with(rsa_key(8192, 64)), true});
  list.push_back({"as many as may be", many(10), true});
  list.push_back({"one more", many(11), false});
  list.push_back({"a hundred", many(100), false});
  list.push_back({"RSA-16384", with(rsa_key(16384, 17)), false});
  list.push_back({"RSA-3072 with an exponent as long", with(rsa_key(3072, 3071)), false});
  list.push_back({"an exponent of 65 bits", with(rsa_key(2048, 65)), false});
  list.push_back({"a dear key behind good ones", with(ec_key(), ec_key(), rsa_key(8200, 17)), false});
  list.push_back({"a curve that is written out", with(explicit_curve()), false});
  std::vector<Pkey> own;
  own.push_back(explicit_curve());
  list.push_back({"an own curve that is written out", std::move(own), false});
  return list;
}

void present(SSL_CTX* context, const Peer& peer) {
  SSL_CTX_set_security_level(context, 0);
  const Certificate own = certificate(peer.keys.front().get());
  ASSERT_EQ(SSL_CTX_use_certificate(context, own.get()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, peer.keys.front().get()), 1);
  for (std::size_t i = 1; i < peer.keys.size(); ++i)
    SSL_CTX_add0_chain_cert(context, certificate(peer.keys[i].get()).release());
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
}

class Hello final : public Endpoint {
 public:
  Response handle(const Request& request, Call&) override {
    return {200, {}, std::to_string(request.tls ? request.tls->chain.size() : 0) + " certificates\n"};
  }
};

// A private key elsewhere, which answers when it is let.
class FarKey final : public Key {
 public:
  FarKey() : key_(*crypto::SoftKey::generate({KeyType::ec_p256, 0})) {}
  KeySpec spec() const noexcept override { return key_->spec(); }
  ByteView spki() const noexcept override { return key_->spki(); }
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override {
    wait();
    return key_->sign(scheme, message);
  }
  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) override {
    wait();
    return key_->sign_digest(scheme, digest);
  }
  Result<Secret> decrypt(ByteView ciphertext) override { return key_->decrypt(ciphertext); }

  void hang() { hangs_ = true; }
  void go_on() {
    hangs_ = false;
    hangs_.notify_all();
  }
  int asked() const { return asked_; }

 private:
  void wait() {
    ++asked_;
    hangs_.wait(true);
  }
  const std::shared_ptr<crypto::SoftKey> key_;
  std::atomic<bool> hangs_{false};
  std::atomic<int> asked_{0};
};

class HandshakeTest : public ::testing::Test {
 protected:
  ~HandshakeTest() override {
    if (server_) server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds{10});
  }

  // On one network thread, so that whoever keeps it is noticed.
  void make_server() {
    workers_ = std::make_unique<services::WorkerPool>("test", 2, 8);
    server_ = std::make_unique<Server>(ServerOptions{1, std::chrono::seconds{30}}, *workers_, log_, metrics_);
  }
  std::uint16_t listen(config::ListenerConfig config, const TlsIdentity* identity) {
    Listener listener;
    config.host = "127.0.0.1";
    config.port = sockets::free_port();
    config.max_connections = 100;
    config.header_limit = ByteCount{4096};
    if (config.header_timeout.count() == 0) config.header_timeout = std::chrono::seconds{30};
    config.body_timeout = config.idle_timeout = std::chrono::seconds{30};
    listener.config = config;
    listener.router.add({"", std::make_shared<Hello>()});
    if (identity != nullptr) {
      listener.tls = std::make_shared<TlsContext>(config);
      const Status installed = listener.tls->install(*identity);
      EXPECT_TRUE(installed.has_value()) << installed.error().detail;
    }
    const Status opened = server_->open(std::move(listener));
    EXPECT_TRUE(opened.has_value()) << opened.error().detail;
    return config.port;
  }
  // The answer of a TLS listener, "" when there is none.
  static std::string ask(std::uint16_t port, SSL_CTX* context) {
    const sockets::Client client(port);
    const Connection ssl(SSL_new(context));
    SSL_set_fd(ssl.get(), client.handle());
    constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    std::string answer;
    char chunk[1024];
    if (SSL_connect(ssl.get()) == 1 &&
        SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())) > 0)
      for (int n = 0; (n = SSL_read(ssl.get(), chunk, sizeof chunk)) > 0;)
        answer.append(chunk, static_cast<std::size_t>(n));
    ERR_clear_error();
    return answer;
  }

  fakes::RecordingLog log_;
  fakes::FakeMetrics metrics_;
  std::unique_ptr<services::WorkerPool> workers_;
  std::unique_ptr<Server> server_;
};

TEST_F(HandshakeTest, OfAClientComputesNothingThatItsChainAsksFor) {
  make_server();
  const Pkey key = ec_key();
  const TlsIdentity identity{pem_of(certificate(key.get()).get()), Secret(pem_of(key.get())), {}};
  config::ListenerConfig config;
  config.name = "asking";
  config.client_certificates = config::ClientCertificates::optional;
  const std::uint16_t port = listen(config, &identity);
  server_->start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (const Peer& peer : peers()) {
      SCOPED_TRACE(peer.name + (version == TLS1_2_VERSION ? std::string(", TLS 1.2") : ""));
      const Context context(SSL_CTX_new(TLS_client_method()));
      SSL_CTX_set_max_proto_version(context.get(), version);
      present(context.get(), peer);
      const std::string answer = ask(port, context.get());
      const std::string end = peer.good ? "\r\n" + std::to_string(peer.keys.size()) + " certificates\n" : "";
      EXPECT_TRUE(answer.ends_with(end)) << answer;
      EXPECT_EQ(answer.empty(), !peer.good);
    }
}

// A server somewhere, for one handshake.
class Somebody {
 public:
  Somebody(const Peer& peer, int version) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    present(context_.get(), peer);
    thread_ = std::thread([this] {
      const int socket = listener_.accept();
      const Connection ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), socket);
      if (SSL_accept(ssl.get()) == 1) SSL_shutdown(ssl.get());
      ERR_clear_error();
      ::close(socket);
    });
  }
  ~Somebody() { thread_.join(); }
  std::uint16_t port() const { return listener_.port(); }

 private:
  sockets::Listening listener_;
  const Context context_;
  std::thread thread_;
};

TEST(Dials, ComputeNothingThatTheServersChainAsksFor) {
  constexpr std::uint8_t loopback[] = {127, 0, 0, 1};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (const Peer& peer : peers()) {
      SCOPED_TRACE(peer.name + (version == TLS1_2_VERSION ? std::string(", TLS 1.2") : ""));
      const Somebody server(peer, version);
      auto dial = Dial::connect(loopback, server.port(), "there",
                                std::chrono::steady_clock::now() + std::chrono::seconds{20});
      ASSERT_TRUE(dial.has_value()) << dial.error().detail;
      const Status shaken = dial->start_tls("x.test", "");
      EXPECT_EQ(shaken.has_value(), peer.good) << (shaken ? "" : shaken.error().detail);
    }
}

TEST_F(HandshakeTest, WithAKeyThatHangsKeepsNobodyElseWaiting) {
  make_server();
  const auto far = std::make_shared<FarKey>();
  const unsigned char* at = far->spki().data();
  const Pkey half(d2i_PUBKEY(nullptr, &at, static_cast<long>(far->spki().size())));
  const TlsIdentity identity{pem_of(certificate(half.get()).get()), {}, far};
  config::ListenerConfig at_a_token;
  at_a_token.name = "token";
  at_a_token.keys = "hsm";
  at_a_token.header_timeout = std::chrono::milliseconds{1500};
  const std::uint16_t port = listen(at_a_token, &identity);
  config::ListenerConfig plain;
  plain.name = "plain";
  const std::uint16_t other = listen(plain, nullptr);
  server_->start();
  const Context context(SSL_CTX_new(TLS_client_method()));
  EXPECT_NE(ask(port, context.get()), "");

  far->hang();
  std::vector<std::thread> waiting;
  std::atomic<int> unanswered{0};
  for (int i = 0; i < 20; ++i)
    waiting.emplace_back([&] {
      if (ask(port, context.get()).empty()) ++unanswered;
    });
  while (far->asked() < 2) std::this_thread::yield();
  {
    const sockets::Client client(other);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.receive("certificates\n").starts_with("HTTP/1.1 200 OK\r\n"));
  }
  // Their time ends although the key never answers.
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(unanswered, 20);
  far->go_on();
  EXPECT_NE(ask(port, context.get()), "");
}

TEST_F(HandshakeTest, AgreesOnHttpOrEndsWithAnAlert) {
  make_server();
  const Pkey key = ec_key();
  const TlsIdentity identity{pem_of(certificate(key.get()).get()), Secret(pem_of(key.get())), {}};
  config::ListenerConfig config;
  config.name = "public";
  const std::uint16_t port = listen(config, &identity);
  server_->start();
  const struct {
    const char* name;
    std::string offered;
    bool good;
  } table[] = {{"nothing offered", "", true},
               {"HTTP/1.1", "\x08http/1.1", true},
               {"HTTP/1.1 behind others",
                std::string("\x02h2\x03"
                            "ftp\x08http/1.1"),
                true},
               {"FTP",
                std::string("\x03"
                            "ftp"),
                false},
               {"HTTP/2 alone", "\x02h2", false},
               {"a prefix of ours", "\x04http", false},
               {"the protocol of a validation",
                std::string("\x0a"
                            "acme-tls/1"),
                false}};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (const auto& row : table) {
      SCOPED_TRACE(row.name);
      const Context context(SSL_CTX_new(TLS_client_method()));
      SSL_CTX_set_max_proto_version(context.get(), version);
      if (!row.offered.empty())
        SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(row.offered.data()),
                                static_cast<unsigned>(row.offered.size()));
      int alert = 0;
      SSL_CTX_set_ex_data(context.get(), 0, &alert);
      SSL_CTX_set_info_callback(context.get(), [](const SSL* ssl, int where, int value) {
        if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
          *static_cast<int*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0)) = value & 0xff;
      });
      EXPECT_EQ(!ask(port, context.get()).empty(), row.good);
      // RFC 7301 3.2: no_application_protocol(120)
      EXPECT_EQ(alert == 120, !row.good) << alert;
    }
}

}  // namespace
}  // namespace hanaper::http
