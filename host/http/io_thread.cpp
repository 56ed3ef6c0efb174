#include "io_thread.hpp"

#include "../services/clock.hpp"
#include "../services/thread_tag.hpp"
#include "addresses.hpp"
#include "peer.hpp"
#include "session.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <boost/asio/post.hpp>

#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace hanaper::http {

// One listening socket of one thread.
struct IoThread::Listening {
  Listening(net::io_context& context, int handle, std::shared_ptr<ListenerState> state)
      : socket(context, net::generic::stream_protocol(AF_UNSPEC, 0), handle), listener(std::move(state)) {}
  net::basic_stream_socket<net::generic::stream_protocol, net::io_context::executor_type> socket;
  std::shared_ptr<ListenerState> listener;
  bool paused = false;  // out of descriptors: tried again at the next tick
};

ListenerState::ListenerState(Listener from, Metrics& metrics)
    : listener(std::move(from)),
      limits{static_cast<std::size_t>(listener.config.header_limit.value), &listener.router},
      control(listener.config.port == 0),
      connections(listener.config.max_connections, listener.config.connections_per_address),
      accepted(metrics.counter("hanaper_http_connections_total", "Connections accepted.",
                               {{"listener", listener.config.name}})),
      shed(metrics.counter("hanaper_http_shed_total",
                           "Requests and connections turned away for want of room.",
                           {{"listener", listener.config.name}})),
      fast(metrics.counter("hanaper_http_requests_total", "Requests answered.",
                           {{"listener", listener.config.name}, {"way", "fast"}})),
      worker(metrics.counter("hanaper_http_requests_total", "Requests answered.",
                             {{"listener", listener.config.name}, {"way", "worker"}})),
      refused(metrics.counter("hanaper_http_refused_total", "Requests refused before any protocol saw them.",
                              {{"listener", listener.config.name}})) {}

bool ListenerState::let_in(const std::string& peer, bool proxy) {
  if (!proxy) return connections.take(x509::client_of(peer), 1);
  const std::size_t room = connections.all();
  return connections.take(proxy_name(peer), 1, listener.config.forwarded ? room : (room + 1) / 2);
}

IoThread::IoThread(const ServerOptions& options, Commons& commons, services::WorkerPool& workers, Log& log)
    : read_buffer(std::make_unique<char[]>(read_size)),
      options_(options),
      commons_(commons),
      workers_(workers),
      log_(log),
      work_(context_.get_executor()),
      timer_(context_) {}

IoThread::~IoThread() {
  wind_down(true);
  join();
}

void IoThread::listen(int socket, std::shared_ptr<ListenerState> listener) {
  listening_.push_back(std::make_unique<Listening>(context_, socket, std::move(listener)));
}

void IoThread::start() {
  for (const auto& listening : listening_) accept(*listening);
  turn();
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "hanaper-io");
}

void IoThread::run() {
  services::thread_is(services::ThreadKind::io);
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::exception& error) {
      log_.error("exception on a network thread", {{"error", error.what()}});
    }
  }
}

void IoThread::post(std::function<void()> task) { net::post(context_, std::move(task)); }

void IoThread::wind_down(bool now) {
  net::post(context_, [this, now] {
    winding_down_ = true;
    boost::system::error_code ec;
    for (const auto& listening : listening_) listening->socket.close(ec);
    const std::vector<Session*> sessions = sessions_;
    for (Session* session : sessions) {
      const auto alive = session->weak_from_this().lock();
      if (alive) alive->wind_down(now);
    }
    if (now) {
      ended_ = true;  // a turn that is due already is not cancelled any more, and must not begin the next
      timer_.cancel();
      work_.reset();
    }
  });
}

void IoThread::join() {
  if (thread_.joinable()) thread_.join();
}

void IoThread::add(Session& session) {
  session.slot = sessions_.size();
  sessions_.push_back(&session);
  session_count_ = sessions_.size();
}

void IoThread::remove(Session& session) {
  sessions_.back()->slot = session.slot;
  sessions_[session.slot] = sessions_.back();
  sessions_.pop_back();
  session_count_ = sessions_.size();
}

// The heap keeps what many bodies have left, in pieces between what lives longer.
void IoThread::look_at_memory() {
  constexpr std::size_t much = std::size_t{32} * 1024 * 1024;
  commons_.held.set(static_cast<double>(commons_.memory.taken()));
  if (commons_.memory.has_ebbed(much)) static_cast<void>(workers_.submit([] { ::malloc_trim(0); }));
}

void IoThread::turn() {
  date_line_ = "Date: " + http_date(services::SystemClock().now()) + "\r\n";
  timer_.expires_after(tick);
  timer_.async_wait([this](boost::system::error_code ec) {
    if (ec || ended_) return;
    wheel_.advance();
    look_at_memory();
    for (const auto& listening : listening_)
      if (std::exchange(listening->paused, false)) accept(*listening);
    turn();
  });
}

namespace {

ByteView octets_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    return {reinterpret_cast<const std::uint8_t*>(&in), 4};
  }
  if (address.ss_family == AF_INET6)  // an IPv4 client at a dual-stack socket is an IPv4 client
    return plain_address({reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr, 16});
  return {};
}

}  // namespace

void IoThread::accept(Listening& listening) {
  listening.socket.async_wait(net::socket_base::wait_read, [this, &listening](boost::system::error_code ec) {
    if (ec) return;
    for (int taken = 0; taken < 64; ++taken) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int socket = ::accept4(listening.socket.native_handle(), reinterpret_cast<sockaddr*>(&address),
                                   &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket >= 0) {
        take(socket, listening.listener, octets_of(address));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log_.warning(
            "connections cannot be accepted",
            {{"listener", listening.listener->listener.config.name}, {"error", std::strerror(errno)}});
        listening.paused = true;
        return;
      }
      if (errno == ECONNABORTED || errno == EINTR) continue;
      break;
    }
    accept(listening);
  });
}

void IoThread::take(int socket, const std::shared_ptr<ListenerState>& listener, ByteView address) {
  const std::optional<std::string> peer = listener->control ? control_peer(socket) : x509::ip_text(address);
  const bool proxy = in_any(listener->listener.config.proxies, address);
  if (!peer || !listener->let_in(*peer, proxy)) {
    (peer ? listener->shed : listener->refused).add();
    ::close(socket);
    if (peer && listener->want_of_room.may_tell())
      log_.warning("connections are closed at once, because there are too many",
                   {{"listener", listener->listener.config.name},
                    {"client", *peer},
                    {"open", std::to_string(listener->connections.taken())}});
    return;
  }
  listener->accepted.add();
  std::make_shared<Session>(*this, listener, socket, *peer, proxy)->start();
}

}  // namespace hanaper::http
