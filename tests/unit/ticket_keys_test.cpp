// Which tickets of which age resume a session.
#include "http/ticket_keys.hpp"

#include "freed.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freed<SSL_free>>;
using Ticket = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION_free>>;

Context server_context(TicketKeys& keys) {
  Context context(SSL_CTX_new(TLS_server_method()));
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Freed<X509_free>> certificate(X509_new());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  SSL_CTX_use_certificate(context.get(), certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), key.get());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  keys.use_in(context.get());
  return context;
}

// One connection; what the client can resume it by afterwards, and whether it was resumed itself.
struct Visit {
  Ticket session;
  bool is_resumed = false;
};
Visit visit(SSL_CTX* server, int version, SSL_SESSION* with = nullptr) {
  const Context context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  Visit seen;
  // What a context keeps itself cannot be resumed after its end.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context.get(), &seen);
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL* ssl, SSL_SESSION* session) {
    static_cast<Visit*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session.reset(session);
    return 1;
  });
  const Connection here(SSL_new(context.get())), there(SSL_new(server));
  BIO *left = nullptr, *right = nullptr;
  BIO_new_bio_pair(&left, 0, &right, 0);
  SSL_set_bio(here.get(), left, left);
  SSL_set_bio(there.get(), right, right);
  if (with != nullptr) SSL_set_session(here.get(), with);
  SSL_set_connect_state(here.get());
  SSL_set_accept_state(there.get());
  char octet = 0;
  for (int round = 0; round < 20; ++round) {
    SSL_do_handshake(here.get());
    SSL_do_handshake(there.get());
    SSL_read(here.get(), &octet, 1);  // takes TLS 1.3's ticket
  }
  EXPECT_TRUE(SSL_is_init_finished(here.get()) == 1 && SSL_is_init_finished(there.get()) == 1);
  seen.is_resumed = SSL_session_reused(there.get()) == 1;
  // Nobody is told of the new ticket of a session of TLS 1.2 that was resumed.
  if (seen.session == nullptr) seen.session.reset(SSL_get1_session(here.get()));
  // Nor what ends without a word.
  SSL_shutdown(here.get());
  return seen;
}

struct Age {
  const char* name;
  int rotations;
  bool is_resumed;
};
class TicketKeysTest : public ::testing::TestWithParam<std::tuple<Age, int>> {};

TEST_P(TicketKeysTest, OpensWhatTheLastTwoKeysHaveSealed) {
  const auto& [row, version] = GetParam();
  TicketKeys keys;
  const Context server = server_context(keys);
  const Visit first = visit(server.get(), version);
  ASSERT_NE(first.session, nullptr);
  EXPECT_FALSE(first.is_resumed);
  for (int i = 0; i < row.rotations; ++i) keys.rotate();
  EXPECT_EQ(visit(server.get(), version, first.session.get()).is_resumed, row.is_resumed);
}

INSTANTIATE_TEST_SUITE_P(Ages, TicketKeysTest,
                         ::testing::Combine(::testing::Values(Age{"AtOnce", 0, true},
                                                              Age{"AfterOneRotation", 1, true},
                                                              Age{"AfterTwoRotations", 2, false}),
                                            ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) +
                                  (std::get<1>(test.param) == TLS1_3_VERSION ? "Tls13" : "Tls12");
                         });

TEST(TicketKeys, GiveANewTicketForOneOfTheKeyBefore) {
  TicketKeys keys;
  const Context server = server_context(keys);
  const Visit first = visit(server.get(), TLS1_2_VERSION);
  keys.rotate();
  const Visit second = visit(server.get(), TLS1_2_VERSION, first.session.get());
  ASSERT_NE(second.session, nullptr);
  keys.rotate();
  EXPECT_TRUE(visit(server.get(), TLS1_2_VERSION, second.session.get()).is_resumed);
}

TEST(TicketKeys, DoNotOpenTheTicketsOfOthers) {
  TicketKeys keys, others;
  const Context server = server_context(keys), other = server_context(others);
  const Visit first = visit(other.get(), TLS1_3_VERSION);
  EXPECT_FALSE(visit(server.get(), TLS1_3_VERSION, first.session.get()).is_resumed);
}

TEST(TicketKeys, OutliveACertificateThatIsReplaced) {
  TicketKeys keys;
  const Context before = server_context(keys), after = server_context(keys);
  const Visit first = visit(before.get(), TLS1_3_VERSION);
  EXPECT_TRUE(visit(after.get(), TLS1_3_VERSION, first.session.get()).is_resumed);
}

}  // namespace
}  // namespace hanaper::http
