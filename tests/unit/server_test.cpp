#include "http/server.hpp"

#include "services/worker_pool.hpp"
#include "socket_support.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <sys/mman.h>
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

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : port_(sockets::free_port()) {}
  ~ServerTest() override {
    if (server_) server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds{10});
  }

  void serve(std::shared_ptr<Endpoint> endpoint, std::size_t threads = 2, std::size_t queue = 8) {
    workers_ = std::make_unique<services::WorkerPool>("test", threads, queue);
    server_ =
        std::make_unique<Server>(ServerOptions{1, std::chrono::seconds{30}, request_memory_, threads + queue},
                                 *workers_, log_, metrics_);
    Listener listener;
    listener.config.name = "test";
    listener.config.host = "127.0.0.1";
    listener.config.port = port_;
    listener.config.max_connections = 20;
    listener.config.connections_per_address = connections_per_address_;
    listener.config.header_limit = ByteCount{4096};
    listener.config.header_timeout = listener.config.body_timeout = listener.config.idle_timeout = timeout_;
    listener.router.add({"/echo", std::move(endpoint)});
    const Status opened = server_->open(std::move(listener));
    ASSERT_TRUE(opened.has_value()) << opened.error().detail;
    server_->start();
  }

  const std::uint16_t port_;
  std::size_t connections_per_address_ = 20, request_memory_ = std::size_t{16} * 1024 * 1024;
  std::chrono::milliseconds timeout_{30'000};
  fakes::RecordingLog log_;
  fakes::FakeMetrics metrics_;
  std::unique_ptr<services::WorkerPool> workers_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAPathThatNobodyServes) {
  serve(std::make_shared<Echo>());
  const sockets::Client client(port_);
  client.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive("404 Not Found\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.receive("/echo\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerTest, AnswersAPipelineInItsOrder) {
  serve(std::make_shared<Echo>());
  const sockets::Client client(port_);
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
  const sockets::Client client(port_);
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
  const sockets::Client client(port_);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_NE(answer.find("Content-Length: 100000\r\n"), std::string::npos);
  EXPECT_LT(answer.size(), 2000u);
}

TEST_F(ServerTest, RefusesAndHangsUp) {
  serve(std::make_shared<Echo>());
  const sockets::Client client(port_);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(answer.find("/echo"), std::string::npos);
}

TEST_F(ServerTest, ShedsWhatItsWorkersCannotTake) {
  std::counting_semaphore<> permits(0);
  serve(std::make_shared<Echo>(&permits), 1, 0);  // no queue: nothing is ever accepted
  const sockets::Client client(port_);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.receive("503 Service Unavailable\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_NE(answer.find("Retry-After: 1\r\n"), std::string::npos);
}

TEST_F(ServerTest, AsksForABodyThatWaitsToBeAskedFor) {
  serve(std::make_shared<Echo>());
  const sockets::Client client(port_);
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_TRUE(client.receive("/echo\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

// Whatever a client does, another is served: what it has cost stays within its bound.
TEST_F(ServerTest, TakesOnlySoManyConnectionsOfOneAddress) {
  connections_per_address_ = 3;
  serve(std::make_shared<Echo>());
  std::vector<std::unique_ptr<sockets::Client>> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(std::make_unique<sockets::Client>(port_));
    open.back()->send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(open.back()->receive("/echo\n"), "");
  }
  for (const char* which : {"the fourth", "the fifth"})
    EXPECT_EQ(sockets::Client(port_).receive_all(), "") << which;
  EXPECT_EQ(log_.lines(),
            std::vector<std::string>{"warning connections are closed at once, because there are too "
                                     "many listener=test client=127.0.0.1 open=3"})
      << "one line for both";
  {
    const sockets::Client other(port_, "127.0.0.2");
    other.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(other.receive("/echo\n"), "") << "of another address";
  }
  open.pop_back();
  std::string again;
  while (again.empty()) {  // until the server has seen that one has left
    const sockets::Client client(port_);
    client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", true);
    again = client.receive("/echo\n");
  }
}

TEST_F(ServerTest, LeavesHalfOfItsWorkersToOtherClients) {
  std::counting_semaphore<> permits(0);
  serve(std::make_shared<Echo>(&permits), 2, 2);
  std::vector<std::unique_ptr<sockets::Client>> waiting;
  const auto ask = [&](const char* from) {
    waiting.push_back(std::make_unique<sockets::Client>(port_, from));
    waiting.back()->send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    return waiting.back()->receive("\r\n\r\n", 1, std::chrono::milliseconds{200});
  };
  EXPECT_EQ(ask("127.0.0.2"), "");
  EXPECT_EQ(ask("127.0.0.2"), "");
  EXPECT_TRUE(ask("127.0.0.2").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(ask("127.0.0.3"), "") << "another address";
  permits.release(3);
  for (const std::size_t client : {0, 1, 3}) EXPECT_NE(waiting[client]->receive("/echo\n"), "");
  permits.release();
  const sockets::Client again(port_, "127.0.0.2");
  again.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(again.receive("/echo\n"), "") << "those before are answered";
}

// Each row sends without end, an octet now and then, and is cut off when the phase's time is over.
TEST_F(ServerTest, EndsEachPhaseInItsTimeHoweverSlowlyOctetsCome) {
  timeout_ = std::chrono::milliseconds{600};
  serve(std::make_shared<Echo>());
  const struct {
    const char* name;
    std::string begin, again;
  } table[] = {
      {"a header section", "GET /echo HTTP/1.1\r\nHost: x\r\n", "X: y\r\n"},
      {"a body of known size", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", "x"},
      {"a body in chunks", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
       "1\r\nx\r\n"},
      {"chunks with empty lines in them",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\n\r\n\r\n\r\n"},
      {"a chunk of many octets",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", "\r\n\r\n"},
      {"trailers", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"},
      {"a body that waited to be asked for",
       "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
       "1\r\nx\r\n"},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    const sockets::Client client(port_);
    const auto began = std::chrono::steady_clock::now();
    client.send(row.begin);
    while (client.is_open(std::chrono::milliseconds{50}) &&
           std::chrono::steady_clock::now() < began + std::chrono::seconds{8})
      client.send(row.again, true);
    const auto lasted = std::chrono::steady_clock::now() - began;
    EXPECT_LT(lasted, std::chrono::seconds{4});
    EXPECT_GT(lasted, std::chrono::milliseconds{400});
  }
}

TEST_F(ServerTest, HoldsBodiesOfAllConnectionsInOneBound) {
  request_memory_ = std::size_t{1024} * 1024;
  serve(std::make_shared<Echo>());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
  const std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n";
  for (const std::string& begin : {head, chunked}) {
    std::vector<std::unique_ptr<sockets::Client>> stalled;
    const auto stall = [&](const char* from) {
      stalled.push_back(std::make_unique<sockets::Client>(port_, from));
      stalled.back()->send(begin + std::string(50'000, 'x'));
      return stalled.back()->receive("\r\n\r\n", 1, std::chrono::milliseconds{300});
    };
    // An eighth is one address's: 128 KiB, one or two such bodies.
    EXPECT_EQ(stall("127.0.0.2"), "");
    std::string refusal;
    for (int i = 0; i < 2 && refusal.empty(); ++i) refusal = stall("127.0.0.2");
    EXPECT_TRUE(refusal.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << refusal;
    EXPECT_EQ(stall("127.0.0.3"), "") << "another address";
    // Those that are complete are answered.
    stalled.back()->send(std::string(10'000, 'x') + (begin == chunked ? "\r\n0\r\n\r\n" : ""));
    EXPECT_TRUE(stalled.back()->receive("/echo\n").starts_with("HTTP/1.1 200 OK\r\n"));
    stalled.clear();
    std::string again;
    for (int i = 0; i < 100 && again.empty(); ++i) {
      const sockets::Client client(port_, "127.0.0.2");
      client.send(head + std::string(60'000, 'x'), true);
      again = client.receive("/echo\n");
    }
    EXPECT_TRUE(again.starts_with("HTTP/1.1 200 OK\r\n")) << "what they held is free again: " << again;
  }
}

}  // namespace
}  // namespace hanaper::http
