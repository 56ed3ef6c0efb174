#include "server.hpp"

#include "io_thread.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <cstring>
#include <thread>

namespace hanaper::http {
namespace {

constexpr int backlog = 4096;
constexpr std::size_t handshakes_at_a_token = 8;
constexpr std::size_t waiting_handshakes = 1024;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address address_of(const config::ListenerConfig& config) {
  Address address;
  auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (inet_pton(AF_INET, config.host.c_str(), &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    in.sin_port = htons(config.port);
    address.size = sizeof in;
  } else if (inet_pton(AF_INET6, config.host.c_str(), &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(config.port);
    address.size = sizeof in6;
  }
  return address;
}

void set_option(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

// `shared` sockets of one address get their part of the connections each; a lone one fails when somebody
// else is there already.
int bind_listener(const config::ListenerConfig& config, bool shared) {
  const Address address = address_of(config);
  const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (shared) set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);  // accepted sockets inherit it
  if (config.freebind) set_option(socket, SOL_IP, IP_FREEBIND, 1);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0 &&
      ::listen(socket, backlog) == 0)
    return socket;
  const int error = errno;
  ::close(socket);
  errno = error;
  return -1;
}

}  // namespace

struct Server::State {
  ServerOptions options;
  services::WorkerPool& workers;
  Log& log;
  Metrics& metrics;
  Commons commons;
  std::vector<std::unique_ptr<IoThread>> threads;
  std::vector<std::unique_ptr<services::WorkerPool>> handshakes;  // of listeners that need it, one each
  std::string control_path;
  std::atomic<std::size_t> posted{0};
};

Server::Server(ServerOptions options, services::WorkerPool& workers, Log& log, Metrics& metrics)
    : state_(new State{options, workers, log, metrics, {options, metrics}, {}, {}, {}}) {
  const std::size_t count =
      options.io_threads != 0 ? options.io_threads : std::max(1u, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < count; ++i)
    state_->threads.push_back(std::make_unique<IoThread>(options, state_->commons, workers, log));
}

Server::~Server() {
  // Nobody submits any more, then nobody posts any more.
  for (const auto& thread : state_->threads) thread->wind_down(true);
  for (const auto& thread : state_->threads) thread->join();
  state_->handshakes.clear();
  state_->threads.clear();
  if (!state_->control_path.empty()) ::unlink(state_->control_path.c_str());
}

Status Server::open(Listener listener) {
  const config::ListenerConfig config = listener.config;
  const auto failed = [&] {
    const std::string hint =
        errno == EADDRNOTAVAIL ? "; set freebind = true for an address that comes later" : "";
    return unavailable("listener." + config.name + ": cannot bind " + config.host + " port " +
                       std::to_string(config.port) + ": " + std::strerror(errno) + hint);
  };
  const bool alone = state_->threads.size() == 1;
  const int probe = bind_listener(config, false);
  if (probe < 0) return failed();
  const auto state = std::make_shared<ListenerState>(std::move(listener), state_->metrics);
  state->handshakes = handshake_threads(*state);
  if (alone) {
    state_->threads.front()->listen(probe, state);
    return {};
  }
  ::close(probe);
  for (const auto& thread : state_->threads) {
    const int socket = bind_listener(config, true);
    if (socket < 0) return failed();
    thread->listen(socket, state);
  }
  return {};
}

// Each listener has its own: one whose key hangs, or whose clients cost much, keeps nobody else waiting.
services::WorkerPool* Server::handshake_threads(const ListenerState& listener) {
  const TlsContext* tls = listener.listener.tls.get();
  if (tls == nullptr || !tls->shakes_hands_elsewhere()) return nullptr;
  const std::size_t threads = tls->waits_for_a_key() ? handshakes_at_a_token : state_->threads.size();
  state_->handshakes.push_back(
      std::make_unique<services::WorkerPool>("hanaper-shake", threads, waiting_handshakes));
  return state_->handshakes.back().get();
}

Status Server::open_control(const std::string& path, std::shared_ptr<Endpoint> endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return unavailable("node.socket: \"" + path + "\" is too long for a unix socket");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return unavailable(path + ": " + std::strerror(errno));
  ::unlink(path.c_str());  // the state folder is locked: whoever left it is gone
  const mode_t before = ::umask(0177);
  const int bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  if (bound != 0 || ::listen(socket, backlog) != 0) {
    const Error error = unavailable("node.socket: cannot bind " + path + ": " + std::strerror(errno));
    ::close(socket);
    return error;
  }
  state_->control_path = path;
  Listener listener;
  listener.config.name = "control";
  listener.config.max_connections = listener.config.connections_per_address = 1024;
  listener.config.header_limit = ByteCount{16 * 1024};
  listener.config.header_timeout = std::chrono::seconds{10};
  listener.config.body_timeout = std::chrono::seconds{60};
  listener.config.idle_timeout = std::chrono::minutes{10};
  listener.router.add({"", std::move(endpoint)});
  state_->threads.front()->listen(socket,
                                  std::make_shared<ListenerState>(std::move(listener), state_->metrics));
  return {};
}

void Server::start() {
  for (const auto& thread : state_->threads) thread->start();
}

void Server::post(std::function<void()> task) {
  const std::size_t turn = state_->posted.fetch_add(1, std::memory_order_relaxed);
  state_->threads[turn % state_->threads.size()]->post(std::move(task));
}

void Server::leave() { state_->commons.leaving = true; }

bool Server::drain(Deadline deadline) {
  for (const auto& thread : state_->threads) thread->wind_down(false);
  const auto left = [&] {
    std::size_t sessions = 0;
    for (const auto& thread : state_->threads) sessions += thread->sessions();
    return sessions;
  };
  std::this_thread::sleep_for(std::chrono::milliseconds{20});  // the posts above come first
  while (left() != 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  bool clean = left() == 0;
  for (const auto& thread : state_->threads) thread->wind_down(true);
  for (const auto& thread : state_->threads) thread->join();
  // A thread that waits for a key provider is not waited for.
  for (const auto& handshakes : state_->handshakes) clean = handshakes->drain(deadline) && clean;
  return clean;
}

}  // namespace hanaper::http
