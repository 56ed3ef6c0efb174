// A network thread: one event loop, its connections, its deadlines, its scratch memory. Internal to
// host/http.
#pragma once

#include "../services/once_a_minute.hpp"
#include "request_reader.hpp"
#include "server.hpp"
#include "shares.hpp"
#include "wheel.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/wait_traits.hpp>

#include <atomic>
#include <thread>

namespace hanaper::http {

namespace net = boost::asio;

inline constexpr auto tick = std::chrono::milliseconds{250};

inline std::uint64_t ticks(std::chrono::milliseconds duration) {
  return static_cast<std::uint64_t>((duration + tick - std::chrono::milliseconds{1}) / tick);
}

class Session;

// What every connection of a listener shares. Immutable but for counters and when it was told of last.
struct ListenerState {
  ListenerState(Listener from, Metrics& metrics);

  const Listener listener;
  const ReadLimits limits;
  const bool control;                          // a unix socket: asks the kernel who is there
  services::WorkerPool* handshakes = nullptr;  // the server's; null: network threads shake hands themselves
  Shares connections;
  Counter& accepted;
  Counter& shed;
  Counter& fast;
  Counter& worker;
  Counter& refused;

  services::OnceAMinute want_of_room, wrong_proxies;

  // Under which name a trusted proxy holds what is nobody else's; no client has one like it.
  static std::string proxy_name(const std::string& address) { return "proxy " + address; }

  // [io] Counts one more connection; false when there is no room for it. A proxy stands for many clients:
  // where requests name them, all of the room may be its own. Where its connections do, it has half of the
  // room for those that are its own or have named nobody yet, and each counts for a client as soon as it has
  // named him.
  bool let_in(const std::string& peer, bool proxy);
};

// What all clients share: the memory of their requests, and the workers' attention.
struct Commons {
  Commons(const ServerOptions& options, Metrics& metrics)
      : memory(options.request_memory, options.request_memory / 8),
        turns(options.turns, (options.turns + 1) / 2),
        held(metrics.gauge("hanaper_http_request_memory_bytes",
                           "Memory that requests hold, being read or being answered.")) {}
  Shares memory, turns;
  std::atomic<bool> leaving{false};  // connections are told to close with their next answer
  Gauge& held;
};

class IoThread {
 public:
  IoThread(const ServerOptions& options, Commons& commons, services::WorkerPool& workers, Log& log);
  ~IoThread();

  // [main] Before start.
  void listen(int socket, std::shared_ptr<ListenerState> listener);
  void start();

  // [any]
  void post(std::function<void()> task);

  // [main] Posts: stop listening and close what is idle; then, when `now` is set, close everything.
  void wind_down(bool now);
  void join();
  std::size_t sessions() const noexcept { return session_count_; }

  // The thread's own.
  net::io_context& context() noexcept { return context_; }
  Wheel& wheel() noexcept { return wheel_; }
  services::WorkerPool& workers() noexcept { return workers_; }
  const ServerOptions& options() const noexcept { return options_; }
  Commons& commons() noexcept { return commons_; }
  bool winding_down() const noexcept { return winding_down_; }
  std::string_view date_line() const noexcept { return date_line_; }
  Log& log() noexcept { return log_; }

  // Scratch memory between two events: nobody keeps views into it.
  static constexpr std::size_t read_size = 64 * 1024;
  std::unique_ptr<char[]> read_buffer;
  std::string out;
  ReadRequest request;

  void add(Session& session);
  void remove(Session& session);

 private:
  struct Listening;
  void accept(Listening& listening);
  void take(int socket, const std::shared_ptr<ListenerState>& listener, ByteView address);
  void turn();
  void look_at_memory();
  void run();

  const ServerOptions options_;
  Commons& commons_;
  services::WorkerPool& workers_;
  Log& log_;
  // Before the context: its last handlers hold the last sessions, and those leave wheel and list when they
  // go.
  Wheel wheel_;
  std::vector<Session*> sessions_;
  std::atomic<std::size_t> session_count_{0};
  bool winding_down_ = false;
  bool ended_ = false;
  std::string date_line_;
  net::io_context context_{1};
  net::executor_work_guard<net::io_context::executor_type> work_;
  // asio::steady_timer carries any_io_executor; this one knows its executor.
  net::basic_waitable_timer<std::chrono::steady_clock, net::wait_traits<std::chrono::steady_clock>,
                            net::io_context::executor_type>
      timer_;
  std::vector<std::unique_ptr<Listening>> listening_;
  std::thread thread_;
};

}  // namespace hanaper::http
