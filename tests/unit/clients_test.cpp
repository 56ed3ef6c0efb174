// Whom connections of trusted proxies are counted for.
#include "http/server.hpp"

#include "services/worker_pool.hpp"
#include "socket_support.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

// Says who asks.
class WhoAsks final : public Endpoint {
 public:
  Response handle(const Request& request, Call&) override {
    return {200, {}, "from " + std::string(request.address) + "\n"};
  }
};

class ClientsTest : public ::testing::Test {
 protected:
  ClientsTest() : port_(sockets::free_port()) {}
  ~ClientsTest() override { server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds{10}); }

  // 127.0.0.1 is a proxy.
  void serve(bool forwarded, std::size_t connections = 20) {
    workers_ = std::make_unique<services::WorkerPool>("test", 2, 8);
    server_ = std::make_unique<Server>(
        ServerOptions{1, std::chrono::seconds{30}, std::size_t{1024} * 1024, 10}, *workers_, log_, metrics_);
    Listener listener;
    listener.config.name = "test";
    listener.config.host = "127.0.0.1";
    listener.config.port = port_;
    listener.config.proxies = {*x509::parse_subtree("127.0.0.1")};
    listener.config.forwarded = forwarded;
    listener.config.max_connections = connections;
    listener.config.connections_per_address = 2;
    listener.config.header_limit = ByteCount{4096};
    listener.config.header_timeout = listener.config.body_timeout = listener.config.idle_timeout =
        std::chrono::seconds{30};
    listener.router.add({"/who", std::make_shared<WhoAsks>()});
    const Status opened = server_->open(std::move(listener));
    ASSERT_TRUE(opened.has_value()) << opened.error().detail;
    server_->start();
  }

  const std::uint16_t port_;
  fakes::RecordingLog log_;
  fakes::FakeMetrics metrics_;
  std::unique_ptr<services::WorkerPool> workers_;
  std::unique_ptr<Server> server_;
};

TEST_F(ClientsTest, RequestsAreFromWhomTheHeaderOfTheirConnectionNames) {
  serve(false);
  const std::string get = "GET /who HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
  const sockets::Client named(port_), local(port_), other(port_, "127.0.0.2");
  named.send("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n" + get + get);
  local.send("PROXY UNKNOWN\r\n" + get);
  other.send(get);
  EXPECT_NE(named.receive("from 192.0.2.7\n", 2), "");
  EXPECT_TRUE(local.receive("from 127.0.0.1\n").ends_with("from 127.0.0.1\n"));
  EXPECT_TRUE(other.receive("from 127.0.0.2\n").ends_with("from 127.0.0.2\n"));
}

TEST_F(ClientsTest, HalfOfTheRoomIsForConnectionsThatHaveNamedNobody) {
  serve(false, 6);
  std::vector<std::unique_ptr<sockets::Client>> open;
  for (int i = 0; i < 3; ++i) open.push_back(std::make_unique<sockets::Client>(port_));
  const sockets::Client other(port_, "127.0.0.2");
  other.send("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(other.receive("from 127.0.0.2\n"), "");
  EXPECT_EQ(sockets::Client(port_).receive_all(), "") << "the fourth";
  for (int i = 0; i < 3; ++i) {
    open[static_cast<std::size_t>(i)]->send("PROXY TCP4 192.0.2." + std::to_string(i) +
                                            " 192.0.2.8 1 2\r\nGET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(open[static_cast<std::size_t>(i)]->receive("from "), "");
  }
  const sockets::Client again(port_);
  again.send("PROXY TCP4 192.0.2.9 192.0.2.8 1 2\r\nGET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(again.receive("from 192.0.2.9\n"), "") << "those that have named their clients are theirs";
}

TEST_F(ClientsTest, BodiesCountForTheClientThatTheirRequestNames) {
  serve(true);
  std::vector<std::unique_ptr<sockets::Client>> stalled;
  const auto stall = [&](const std::string& client) {
    stalled.push_back(std::make_unique<sockets::Client>(port_));
    stalled.back()->send("POST /who HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nX-Forwarded-For: " +
                         client + "\r\n\r\n" + std::string(50'000, 'x'));
    return stalled.back()->receive("\r\n\r\n", 1, std::chrono::milliseconds{300});
  };
  // An eighth is one client's: 128 KiB, one or two such bodies.
  EXPECT_EQ(stall("192.0.2.7"), "");
  std::string refusal;
  for (int i = 0; i < 2 && refusal.empty(); ++i) refusal = stall("192.0.2.7");
  EXPECT_TRUE(refusal.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << refusal;
  for (const char* client : {"192.0.2.8", "192.0.2.9", "192.0.2.10"}) {
    EXPECT_EQ(stall(client), "") << client;
    stalled.back()->send(std::string(10'000, 'x'));
    EXPECT_NE(stalled.back()->receive("from " + std::string(client) + "\n"), "");
  }
}

}  // namespace
}  // namespace hanaper::http
