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
  return client()->send(message, call);
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

struct Asked {
  const char* method;
  const char* body;
  const char* head;  // null: there is no such method
};

TEST(TlsPeers, AreAskedByAnyMethodThatCarriesData) {
  const Asked table[] = {
      {"GET", "", "GET / HTTP/1.1\r\nHost: H\r\nUser-Agent: hanaper\r\nConnection: close\r\nX-A: b\r\n\r\n"},
      {"DELETE", "",
       "DELETE / HTTP/1.1\r\nHost: H\r\nUser-Agent: hanaper\r\nConnection: close\r\nX-A: b\r\n\r\n"},
      {"PUT", "it",
       "PUT / HTTP/1.1\r\nHost: H\r\nUser-Agent: hanaper\r\nConnection: close\r\nContent-Type: text/plain\r\n"
       "Content-Length: 2\r\nX-A: b\r\n\r\nit"},
      {"PATCH", "it",
       "PATCH / HTTP/1.1\r\nHost: H\r\nUser-Agent: hanaper\r\nConnection: close\r\nContent-Type: "
       "text/plain\r\n"
       "Content-Length: 2\r\nX-A: b\r\n\r\nit"},
      {"POST", "",
       "POST / HTTP/1.1\r\nHost: H\r\nUser-Agent: hanaper\r\nConnection: close\r\nContent-Length: 0\r\nX-A: "
       "b\r\n\r\n"},
      {"CONNECT", "", nullptr},
      {"get", "", nullptr},
      {"", "", nullptr},
      {"GET / HTTP/1.1\r\nX: y\r\n", "", nullptr},
  };
  const TlsPeer peer({.answer = [](std::string_view) { return fakes::http_answer(200, "done"); }});
  const std::string host = "127.0.0.1:" + std::to_string(peer.port());
  for (const Asked& row : table) {
    Call call = fakes::test_call();
    OutboundMessage message;
    message.url = "https://" + host + "/";
    message.method = row.method;
    message.body = row.body;
    if (*row.body != 0) message.content_type = "text/plain";
    message.roots = peer.roots();
    message.fields = {{"X-A", "b"}};
    const auto answer = client()->send(message, call);
    ASSERT_EQ(answer.has_value(), row.head != nullptr) << row.method;
    if (!answer) {
      EXPECT_EQ(answer.error().code, Code::malformed) << row.method;
      continue;
    }
    EXPECT_EQ(answer->body, "done");
    std::string head = row.head;
    head.replace(head.find(": H\r"), 3, ": " + host);
    EXPECT_EQ(peer.handshakes().back().request, head);
  }
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

TEST(TlsPeers, AreNotConnectedWhereWhoeverAsksSaysNo) {
  const TlsPeer peer(
      {.answer = [](std::string_view) { return fakes::http_answer(302, "", "Location: /again\r\n"); }});
  std::vector<std::string> targets;
  const MayConnect first_alone = [&](const std::string& target) -> Status {
    targets.push_back(target);
    if (targets.size() == 1) return {};
    return Error{Code::rate_limited, "not now"};
  };
  Call call = fakes::test_call();
  OutboundRequest request{.host = "127.0.0.1", .port = peer.port(), .redirects = 5, .tls = true};
  request.may_connect = first_alone;
  EXPECT_EQ(client()->get(request, call).error().code, Code::rate_limited) << "where it is redirected";
  request.host = "::1";
  EXPECT_EQ(client()->get(request, call).error().code, Code::rate_limited);
  EXPECT_EQ(client()->handshake({"127.0.0.1", peer.port(), "", "", first_alone}, call).error().code,
            Code::rate_limited);
  EXPECT_EQ(targets, (std::vector<std::string>{"127.0.0.1", "127.0.0.1", "::/64", "127.0.0.1"}));
  EXPECT_EQ(peer.handshakes().size(), 1u);
}

TEST(TlsPeers, MayBreakOff) {
  const TlsPeer peer({.breaks_off = true});
  Call call = fakes::test_call();
  EXPECT_FALSE(client()->handshake({"127.0.0.1", peer.port(), "", ""}, call));
}

}  // namespace
}  // namespace hanaper::http
