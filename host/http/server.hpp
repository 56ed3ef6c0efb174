// The HTTP front: listeners, connections, deadlines. No network type shows here.
#pragma once

#include "../config/model.hpp"
#include "../services/worker_pool.hpp"
#include "router.hpp"
#include "tls.hpp"

#include <hanaper/services.hpp>

#include <functional>
#include <memory>

namespace hanaper::http {

struct ListenerState;

struct Listener {
  config::ListenerConfig config;
  Router router;
  std::shared_ptr<TlsContext> tls;  // null: plain HTTP
};

struct ServerOptions {
  std::size_t io_threads = 0;  // 0: one for each core
  std::chrono::milliseconds request_timeout{30'000};
  // What the requests of all connections may hold together; one client an eighth of it.
  std::size_t request_memory = std::size_t{128} * 1024 * 1024;
  // Requests at workers or waiting for one; one client has half of them.
  std::size_t turns = 1024;
};

// Serves any number of listeners on a few network threads; answers from memory on them, everything else on
// the worker pool. When the pool is full it answers 503 with Retry-After: it sheds.
class Server {
 public:
  Server(ServerOptions options, services::WorkerPool& workers, Log& log, Metrics& metrics);
  ~Server();

  // [main] Binds; connections are taken from start on. unavailable, naming the listener, when the address
  // cannot be bound.
  Status open(Listener listener);

  // [main] The command line's unix socket: mode 0600; only root and the user of this process are let in.
  // Replaces a socket file that nobody answers at.
  Status open_control(const std::string& path, std::shared_ptr<Endpoint> endpoint);

  // [main]
  void start();

  // [any] Runs `task`, which blocks nowhere, on one of the network threads. From start until drain.
  void post(std::function<void()> task);

  // [main] Takes no more connections, closes idle ones, lets running requests end until the deadline, then
  // closes what is left. False when something had to be cut off.
  bool drain(Deadline deadline);
  // [main] Before that: goes on serving, and tells connections to close with their next answer.
  void leave();

 private:
  services::WorkerPool* handshake_threads(const ListenerState& listener);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hanaper::http
