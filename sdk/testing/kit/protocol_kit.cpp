// What every protocol must do: answer whatever comes, and never with an exception.
#include "subject.hpp"

#include <hanaper/status_urls.hpp>

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace hanaper::kit {
namespace {

class KeptReply final : public FastReply {
 public:
  void send(std::string_view head, ByteView body) override {
    ++sent;
    text = std::string(head) + std::string(as_text(body));
  }
  void send_file(std::string_view head, FileRange body) override {
    send(head, {});
    EXPECT_TRUE(body.descriptor);
  }
  int sent = 0;
  std::string text;
};

class ProtocolKit : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(subject.status()) << subject.status().error().detail; }
  Protocol& protocol() { return dynamic_cast<Protocol&>(subject.plugin()); }

  // Asks as the host would: first the fast handler, then the other.
  void ask(Method method, const std::string& tail, const std::vector<HeaderView>& headers, ByteView body) {
    const std::string path = "/plugin" + tail.substr(0, tail.find('?'));
    const std::string target = "/plugin" + tail;
    Request request;
    request.method = method;
    request.target = target;
    request.path = path;
    request.tail = std::string_view(path).substr(7);
    request.query = tail.find('?') == std::string::npos
                        ? std::string_view{}
                        : std::string_view(target).substr(7 + tail.find('?') + 1);
    request.headers = headers;
    request.body = body;
    request.address = "192.0.2.1";
    KeptReply reply;
    if (protocol().answer_fast(request, reply)) {
      EXPECT_EQ(reply.sent, 1);
      EXPECT_TRUE(reply.text.starts_with("HTTP/1.1 ")) << reply.text;
      return;
    }
    EXPECT_EQ(reply.sent, 0) << "declined, and answered all the same";
    Call call = fakes::test_call();
    const Response response = protocol().handle(request, call);
    EXPECT_GE(response.status, 200);
    EXPECT_LT(response.status, 600);
    EXPECT_NE(response.status, 500) << to_string(method) << " " << tail;
    for (const Header& header : response.headers) {
      EXPECT_EQ(header.name.find_first_of("\r\n: "), std::string::npos) << header.name;
      EXPECT_EQ(header.value.find_first_of("\r\n"), std::string::npos) << header.name;
      EXPECT_FALSE(Request::same_name(header.name, "Content-Length") ||
                   Request::same_name(header.name, "Connection"))
          << "the host's own";
    }
  }

  Subject subject;
};

constexpr Method methods[] = {Method::get,   Method::head, Method::post,    Method::put,
                              Method::patch, Method::del,  Method::options, Method::other};

TEST_F(ProtocolKit, AnswersEveryMethodAtStrangePaths) {
  for (Method method : methods)
    for (const char* tail : {"", "/", "//", "/directory", "/../../etc/passwd", "/%00", "/%", "/%zz",
                             "/a/b/c/d/e/f", "/?", "/?a=%", "/\xff"})
      ask(method, tail, {}, {});
}

TEST_F(ProtocolKit, AnswersBodiesThatAreNothing) {
  const std::string bodies[] = {"",
                                "{}",
                                "[]",
                                "null",
                                "{\"protected\":1}",
                                std::string(1000, '{'),
                                std::string(1000, '\0'),
                                std::string("\x30\x80\x00\x00", 4),
                                "-----BEGIN CERTIFICATE-----"};
  for (const char* type : {"", "application/jose+json", "application/pkcs10", "application/ocsp-request",
                           "application/x-pki-message", "text/plain; charset=\xff"})
    for (const std::string& body : bodies)
      for (const char* tail : {"", "/new-account", "/simpleenroll", "/x"})
        ask(Method::post, tail, {{"Content-Type", type}}, as_bytes(body));
}

TEST_F(ProtocolKit, AnswersRandomOctets) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 500; ++round) {
    Bytes body(random() % 300);
    for (std::uint8_t& octet : body) octet = static_cast<std::uint8_t>(random());
    std::string tail = "/";
    for (std::uint32_t i = random() % 40; i > 0; --i) tail.push_back(static_cast<char>(0x21 + random() % 94));
    ask(methods[random() % std::size(methods)], tail, {{"Content-Type", "application/jose+json"}, {"X", "y"}},
        body);
  }
}

TEST_F(ProtocolKit, AnswersManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i)
        ask(i % 2 == 0 ? Method::get : Method::post, "/" + std::to_string(i), {}, {});
    });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ProtocolKit, AnswersWhereItSaysTheStatusIsFound) {
  const auto* service = ability_of<StatusService>(subject.plugin());
  if (service == nullptr) GTEST_SKIP() << "it serves no status of certificates";
  const std::string own = subject.host().public_url() + "/";
  for (const char* authority : {"one", "two", "another"})
    for (const std::uint32_t shard : {0u, 1u, authority_shard}) {
      const StatusUrls urls = service->status_urls(authority, shard);
      for (const auto list :
           {&StatusUrls::issuer, &StatusUrls::crl, &StatusUrls::delta_crl, &StatusUrls::ocsp})
        for (const std::string& url : urls.*list) {
          EXPECT_NE(url.find("://"), std::string::npos) << url << " is no absolute URL";
          if (url.starts_with(own)) ask(Method::get, url.substr(own.size() - 1), {}, {});
        }
    }
  EXPECT_FALSE(service->crl_plan("another")) << "a plan for an authority that the settings do not name";
}

TEST_F(ProtocolKit, NamesALimitForBodies) {
  EXPECT_GT(protocol().body_limit().value, 0u);
  EXPECT_LE(protocol().body_limit().value, 64u * 1024 * 1024);
}

}  // namespace
}  // namespace hanaper::kit
