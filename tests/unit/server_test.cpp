#include "http/server.hpp"

#include "services/worker_pool.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <semaphore>

namespace hanaper::http {
namespace {

// Says which path was asked; waits for a permit first, when there are permits to wait for.
class Echo final : public Endpoint {
 public:
  explicit Echo(std::counting_semaphore<>* permits = nullptr) : permits_(permits) {}
  Response handle(const Request& request, Call&) override {
    if (permits_ != nullptr) permits_->acquire();
    return {200, {}, std::string(request.path) + "\n"};
  }

 private:
  std::counting_semaphore<>* permits_;
};

// Answers with a file: at once below /echo/fast, else from a worker.
class FromFile final : public Endpoint {
 public:
  explicit FromFile(const std::string& content)
      : descriptor_(new int(::memfd_create("answer", MFD_CLOEXEC)), [](const int* file) {
          ::close(*file);
          delete file;
        }) {
    EXPECT_EQ(::write(*descriptor_, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    size_ = content.size();
  }
  Response handle(const Request&, Call&) override {
    Response response{200, {}, {}};
    response.file = FileRange{descriptor_, 0, size_};
    return response;
  }
  bool answer_fast(const Request& request, FastReply& reply) override {
    if (request.path != "/echo/fast") return false;
    Response response{206, {}, {}};
    response.file = FileRange{descriptor_, 3, size_ - 3};
    reply.send_file(serialise_head(response), *response.file);
    return true;
  }
  int descriptor() const { return *descriptor_; }

 private:
  const std::shared_ptr<const int> descriptor_;
  std::uint64_t size_ = 0;
};

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view octets) const {
    EXPECT_EQ(::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(octets.size()));
  }
  // Everything until `mark` has come `times` times, or the server hangs up.
  std::string receive(std::string_view mark, int times = 1) const {
    std::string text;
    for (std::size_t from = 0; times != 0;) {
      if (const std::size_t found = text.find(mark, from); found != std::string::npos) {
        from = found + mark.size();
        --times;
        continue;
      }
      char chunk[4096];
      const ssize_t n = ::recv(socket_, chunk, sizeof chunk, 0);
      if (n <= 0) break;
      text.append(chunk, static_cast<std::size_t>(n));
    }
    return text;
  }
  std::string receive_all() const { return receive("no answer says this"); }

 private:
  const int socket_;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : port_(free_port()) {}
  ~ServerTest() override {
    if (server_) server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds{10});
  }

  void serve(std::shared_ptr<Endpoint> endpoint, std::size_t threads = 2, std::size_t queue = 8) {
    workers_ = std::make_unique<services::WorkerPool>("test", threads, queue);
    server_ = std::make_unique<Server>(ServerOptions{1, std::chrono::seconds{30}}, *workers_, log_, metrics_);
    Listener listener;
    listener.config.name = "test";
    listener.config.host = "127.0.0.1";
    listener.config.port = port_;
    listener.config.max_connections = 10;
    listener.config.header_limit = ByteCount{4096};
    listener.config.header_timeout = listener.config.body_timeout = listener.config.idle_timeout =
        std::chrono::seconds{30};
    listener.router.add({"/echo", std::move(endpoint)});
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

TEST_F(ServerTest, AnswersAPathThatNobodyServes) {
  serve(std::make_shared<Echo>());
  const Client client(port_);
  client.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive("404 Not Found\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive("/echo\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerTest, AnswersAPipelineInItsOrder) {
  serve(std::make_shared<Echo>());
  const Client client(port_);
  std::string requests;
  for (const char* path : {"/echo/1", "/nothing", "/echo/2", "/echo/3", "/nothing"})
    requests += "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests);
  const std::string answers = client.receive("404 Not Found\n", 2);
  std::size_t from = 0;
  for (const char* body : {"/echo/1\n", "404 Not Found\n", "/echo/2\n", "/echo/3\n", "404 Not Found\n"}) {
    const std::size_t found = answers.find(body, from);
    ASSERT_NE(found, std::string::npos) << body << " in " << answers;
    from = found + 1;
  }
}

TEST_F(ServerTest, SendsFilesWholeAndInTheirOrder) {
  // More than one turn, and more than the socket takes while nobody reads.
  std::string content(5 * 1024 * 1024, 'x');
  for (std::size_t i = 0; i < content.size(); i += 7) content[i] = static_cast<char>('a' + i % 26);
  content += "THE END";
  serve(std::make_shared<FromFile>(content));
  const Client client(port_);
  client.send(
      "HEAD /echo/fast HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /echo/fast HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /echo/slow HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answers = client.receive("404 Not Found\n");
  const std::string length = "Content-Length: ";
  std::size_t at = answers.find("\r\n\r\n") + 4;  // nothing follows the answer to HEAD
  EXPECT_TRUE(answers.substr(at).starts_with("HTTP/1.1 206 Partial Content\r\n"));
  for (const std::string& body : {content.substr(3), content}) {
    EXPECT_EQ(answers.compare(answers.find(length, at) + length.size(), 7, std::to_string(body.size())), 0);
    at = answers.find("\r\n\r\n", at) + 4;
    EXPECT_EQ(answers.compare(at, body.size(), body), 0);
    at += body.size();
  }
  EXPECT_TRUE(answers.substr(at).starts_with("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(ServerTest, HangsUpWhenAFileGotShorter) {
  const auto file = std::make_shared<FromFile>(std::string(100'000, 'x'));
  serve(file);
  ASSERT_EQ(::ftruncate(file->descriptor(), 1000), 0);
  const Client client(port_);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_NE(answer.find("Content-Length: 100000\r\n"), std::string::npos);
  EXPECT_LT(answer.size(), 2000u);
}

TEST_F(ServerTest, RefusesAndHangsUp) {
  serve(std::make_shared<Echo>());
  const Client client(port_);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(answer.find("/echo"), std::string::npos);
}

TEST_F(ServerTest, ShedsWhatItsWorkersCannotTake) {
  std::counting_semaphore<> permits(0);
  serve(std::make_shared<Echo>(&permits), 1, 0);  // no queue: nothing is ever accepted
  const Client client(port_);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.receive("503 Service Unavailable\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_NE(answer.find("Retry-After: 1\r\n"), std::string::npos);
}

TEST_F(ServerTest, AsksForABodyThatWaitsToBeAskedFor) {
  serve(std::make_shared<Echo>());
  const Client client(port_);
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_TRUE(client.receive("/echo\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

}  // namespace
}  // namespace hanaper::http
