// The TLS server that plugin authors test against, asked by the host's own way out.
#include "http/outbound.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/testing/tls_peer.hpp>
#include <hanaper/toolkit/identifiers.hpp>

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

using fakes::TlsPeer;

std::unique_ptr<OutboundClient> client() {
  config::OutboundConfig config;
  config.timeout = std::chrono::seconds{10};
  config.permit = {*x509::parse_subtree("127.0.0.0/8"), *x509::parse_subtree("::1/128")};
  auto made = OutboundClient::open(config);
  EXPECT_TRUE(made) << made.error().detail;
  return *std::move(made);
}

Result<OutboundAnswer> ask(const TlsPeer& peer, const std::string& host = "127.0.0.1", bool trusted = true) {
  Call call = fakes::test_call();
  OutboundMessage message;
  message.url = "https://" + host + ":" + std::to_string(peer.port()) + "/hook?x=1";
  message.content_type = "text/plain";
  message.body = "told";
  message.roots = trusted ? peer.roots() : TlsPeer().roots();
  return client()->post(message, call);
}

TEST(TlsPeers, AreAskedOverHttps) {
  const TlsPeer peer(
      {.answer = [](std::string_view) { return fakes::http_answer(201, "heard", "X-A: b\r\n"); }});
  const auto answer = ask(peer);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "heard");
  EXPECT_EQ(answer->field("x-a"), "b");
  ASSERT_EQ(peer.handshakes().size(), 1u);
  const std::string request = peer.handshakes().front().request;
  EXPECT_TRUE(request.starts_with("POST /hook?x=1 HTTP/1.1\r\n")) << request;
  EXPECT_TRUE(request.ends_with("\r\n\r\ntold")) << request;
}

TEST(TlsPeers, MayHaveACertificateThatIsNotGood) {
  const auto answer = [](std::string_view) { return fakes::http_answer(200, ""); };
  const TlsPeer good({.answer = answer});
  EXPECT_FALSE(ask(good, "127.0.0.1", false)) << "certified by somebody else";
  const TlsPeer expired(
      {.not_before = std::chrono::hours{-2}, .not_after = std::chrono::hours{-1}, .answer = answer});
  EXPECT_FALSE(ask(expired));
  const TlsPeer other({.names = {{Identifier::Kind::dns, "other.example.test"}}, .answer = answer});
  EXPECT_FALSE(ask(other));
  for (const TlsPeer* peer : {&expired, &other})
    for (const fakes::TlsHandshake& handshake : peer->handshakes()) EXPECT_EQ(handshake.request, "");
}

TEST(TlsPeers, SeeWhatAHandshakeOffers) {
  const TlsPeer peer({.protocol = "acme-tls/1"});
  Call call = fakes::test_call();
  OutboundHandshake wanted{"127.0.0.1", peer.port(), "name.example.test", "acme-tls/1"};
  const auto answer = client()->handshake(wanted, call);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->certificate, to_bytes(peer.certificate()));
  EXPECT_EQ(answer->protocol, "acme-tls/1");
  wanted.protocol = "h2";
  EXPECT_FALSE(client()->handshake(wanted, call));
  const auto seen = peer.handshakes();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_TRUE(seen[0].finished);
  EXPECT_EQ(seen[0].server_name, "name.example.test");
  EXPECT_EQ(seen[0].protocols, std::vector<std::string>{"acme-tls/1"});
  EXPECT_FALSE(seen[1].finished);
  EXPECT_EQ(seen[1].protocols, std::vector<std::string>{"h2"});
}

TEST(TlsPeers, MayBreakOff) {
  const TlsPeer peer({.breaks_off = true});
  Call call = fakes::test_call();
  EXPECT_FALSE(client()->handshake({"127.0.0.1", peer.port(), "", ""}, call));
}

}  // namespace
}  // namespace hanaper::http
