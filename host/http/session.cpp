#include "session.hpp"

#include "../services/thread_tag.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <boost/asio/post.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace hanaper::http {
namespace {

// How much of a file a connection sends before the thread's others have their turn.
constexpr std::uint64_t file_turn = 1024 * 1024;

// The answer of a fast handler, written where the network thread collects its output.
class Reply final : public FastReply {
 public:
  Reply(std::string& out, FileRange& file, std::string_view date_line, bool keep_alive, bool head_only)
      : out_(out), file_(file), date_line_(date_line), keep_alive_(keep_alive), head_only_(head_only) {}

  void send(std::string_view head, ByteView body) override {
    out_.append(head).append(date_line_);
    if (!keep_alive_) out_ += "Connection: close\r\n";
    out_ += "\r\n";
    if (!head_only_) out_ += as_text(body);
  }
  void send_file(std::string_view head, FileRange body) override {
    send(head, {});
    if (!head_only_) file_ = std::move(body);
  }

 private:
  std::string& out_;
  FileRange& file_;
  const std::string_view date_line_;
  const bool keep_alive_, head_only_;
};

Request view_of(const ReadRequest& read, const Mount& mount, std::string_view address) {
  Request request;
  request.method = read.method;
  request.target = read.target;
  request.path = read.path;
  request.tail = read.path.substr(mount.path.size());
  request.query = read.query;
  request.headers = read.headers;
  request.body = read.body;
  request.address = address;
  return request;
}

Response plain(int status) {
  Response response{status,
                    {{"Content-Type", "text/plain"}},
                    std::to_string(status) + " " + std::string(reason_phrase(status)) + "\n"};
  if (status == 503) response.with("Retry-After", "1");
  return response;
}

}  // namespace

Session::Session(IoThread& thread, std::shared_ptr<ListenerState> listener, int socket, std::string address)
    : thread_(thread),
      listener_(std::move(listener)),
      socket_(thread.context()),
      address_(std::move(address)) {
  const net::generic::stream_protocol protocol(listener_->control ? AF_UNIX : AF_INET, 0);
  boost::system::error_code ec;
  socket_.assign(protocol, socket, ec);
  ++listener_->connections;
  thread_.add(*this);
}

Session::~Session() {
  close();
  --listener_->connections;
}

void Session::set_deadline(std::chrono::milliseconds duration) {
  thread_.wheel().set(*this, ticks(duration));
}

void Session::start() {
  if (!listener_->listener.tls) {
    set_deadline(listener_->listener.config.header_timeout);
    return wait_readable();
  }
  ssl_ = listener_->listener.tls->new_connection(socket_.native_handle());
  if (ssl_ == nullptr) return close();
  phase_ = Phase::handshake;
  set_deadline(listener_->listener.config.header_timeout);
  wait_readable();  // the client speaks first
}

void Session::wind_down(bool now) {
  const bool busy =
      phase_ == Phase::working || phase_ == Phase::writing || (phase_ == Phase::reading && !kept_.empty());
  if (now || !busy) return close();
  close_after_write_ = true;
}

void Session::close() {
  if (phase_ == Phase::closed) return;
  if (ssl_ != nullptr) {
    if (phase_ != Phase::handshake) SSL_shutdown(ssl_);
    ERR_clear_error();
    SSL_free(ssl_);
    ssl_ = nullptr;
  }
  phase_ = Phase::closed;
  thread_.wheel().remove(*this);
  thread_.remove(*this);
  boost::system::error_code ec;
  socket_.close(ec);
}

void Session::expired() {
  if (phase_ != Phase::working) return close();
  // The worker may still read the request: its octets stay until it lets go of this session.
  abandoned_ = true;
  phase_ = Phase::writing;
  listener_->shed.add();
  write_response(plain(503), false, request_->method == Method::head);
  flush();
}

void Session::wait_readable() {
  socket_.async_wait(net::socket_base::wait_read, [self = shared_from_this()](boost::system::error_code ec) {
    if (!ec) self->on_ready();
  });
}

void Session::wait_writable() {
  socket_.async_wait(net::socket_base::wait_write, [self = shared_from_this()](boost::system::error_code ec) {
    if (!ec) self->on_ready();
  });
}

void Session::on_ready() {
  switch (phase_) {
    case Phase::handshake:
      return handshake();
    case Phase::idle:
    case Phase::reading:
      return read();
    case Phase::writing:
      return flush();
    case Phase::lingering:
      return discard();
    case Phase::working:
    case Phase::closed:
      return;
  }
}

void Session::handshake() {
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    phase_ = Phase::idle;
    return read();
  }
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return wait_readable();
    case SSL_ERROR_WANT_WRITE:
      return wait_writable();
    default:
      ERR_clear_error();
      return close();
  }
}

long Session::receive(char* into, std::size_t size) {
  if (ssl_ == nullptr) {
    const ssize_t n = ::recv(socket_.native_handle(), into, size, 0);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? would_block : broken;
  }
  wants_write_ = false;
  const int n = SSL_read(ssl_, into, static_cast<int>(size));
  if (n > 0) return n;
  switch (SSL_get_error(ssl_, n)) {
    case SSL_ERROR_WANT_READ:
      return would_block;
    case SSL_ERROR_WANT_WRITE:
      wants_write_ = true;
      return would_block;
    default:
      ERR_clear_error();
      return broken;
  }
}

long Session::transmit(std::string_view octets) {
  if (ssl_ == nullptr) {
    const ssize_t n = ::send(socket_.native_handle(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? would_block : broken;
  }
  const int n =
      SSL_write(ssl_, octets.data(), static_cast<int>(std::min<std::size_t>(octets.size(), 1 << 20)));
  if (n > 0) return n;
  const int error = SSL_get_error(ssl_, n);
  if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) return would_block;
  ERR_clear_error();
  return broken;
}

long Session::transmit_file() {
  off_t offset = static_cast<off_t>(file_.offset);
  long n = 0;
  if (ssl_ == nullptr) {
    n = ::sendfile(socket_.native_handle(), *file_.descriptor, &offset,
                   static_cast<std::size_t>(std::min(file_.size, file_turn)));
    if (n < 0) return errno == EAGAIN || errno == EINTR ? would_block : broken;
  } else {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(file_.size, IoThread::read_size));
    const ssize_t got = ::pread(*file_.descriptor, thread_.read_buffer.get(), size, offset);
    if (got <= 0) return broken;
    n = transmit({thread_.read_buffer.get(), static_cast<std::size_t>(got)});
  }
  return n == 0 ? broken : n;
}

void Session::read() {
  const long n = receive(thread_.read_buffer.get(), IoThread::read_size);
  if (n == would_block) return wants_write_ ? wait_writable() : wait_readable();
  if (n <= 0) return close();
  const std::string_view fresh(thread_.read_buffer.get(), static_cast<std::size_t>(n));
  if (kept_.empty()) return consume(fresh);
  // A request that cannot be complete yet is not read again.
  const std::size_t seam = kept_.size() < 3 ? 0 : kept_.size() - 3;
  kept_ += fresh;
  const bool maybe_complete = wanted_ != 0
                                  ? kept_.size() >= wanted_
                                  : kept_.find("\r\n\r\n", seam) != std::string::npos ||
                                        kept_.size() > listener_->limits.header + IoThread::read_size;
  if (maybe_complete) return consume(kept_);
  return go_on();
}

void Session::consume(std::string_view octets) {
  while (!octets.empty()) {
    const ReadResult result = read_request(octets, listener_->limits, thread_.request);
    if (result.state == ReadResult::State::refused) {
      keep({});
      return refuse(result.status);
    }
    if (result.state == ReadResult::State::incomplete) {
      wanted_ = result.wanted;
      const bool fresh = phase_ != Phase::reading;
      phase_ = Phase::reading;
      if (fresh || result.header_complete)
        set_deadline(result.header_complete ? listener_->listener.config.body_timeout
                                            : listener_->listener.config.header_timeout);
      if (result.header_complete && thread_.request.expects_continue && !continue_sent_) {
        continue_sent_ = true;
        thread_.out += "HTTP/1.1 100 Continue\r\n\r\n";
      }
      break;
    }
    continue_sent_ = false;
    wanted_ = 0;
    if (close_after_write_) thread_.request.keep_alive = false;  // winding down
    const Mount* mount = listener_->listener.router.find(thread_.request.path);
    if (!answer(mount)) {
      hand_to_worker(octets, result.consumed, mount->endpoint);
      return flush();
    }
    octets.remove_prefix(result.consumed);
    phase_ = Phase::idle;
    if (close_after_write_) octets = {};
    // A file is sent before the next request is read.
    if (close_after_write_ || file_.size > 0) break;
  }
  keep(octets);
  flush();
}

void Session::keep(std::string_view octets) {
  if (octets.empty()) {
    std::string().swap(kept_);
  } else if (octets.data() >= kept_.data() && octets.data() < kept_.data() + kept_.size()) {
    kept_.erase(0, static_cast<std::size_t>(octets.data() - kept_.data()));
  } else {
    kept_ = octets;
  }
}

bool Session::answer(const Mount* mount) {
  HANAPER_ON(io);
  const ReadRequest& read = thread_.request;
  if (mount == nullptr) {
    listener_->refused.add();
    write_response(plain(404), read.keep_alive, read.method == Method::head);
    return true;
  }
  Reply reply(thread_.out, file_, thread_.date_line(), read.keep_alive, read.method == Method::head);
  if (!mount->endpoint->answer_fast(view_of(read, *mount, address_), reply)) return false;
  listener_->fast.add();
  close_after_write_ = close_after_write_ || !read.keep_alive;
  return true;
}

void Session::hand_to_worker(std::string_view octets, std::size_t consumed,
                             std::shared_ptr<Endpoint> endpoint) {
  request_ = std::make_unique<ReadRequest>(std::move(thread_.request));
  thread_.request = {};
  working_.assign(octets.substr(0, consumed));
  request_->move_to(octets.data(), working_.data());
  keep(octets.substr(consumed));
  if (ssl_ != nullptr && !peer_) {
    peer_data_ = std::make_unique<TlsPeerData>(peer_of(ssl_));
    peer_ = std::make_unique<TlsPeer>();
    peer_->tls13 = peer_data_->tls13;
    peer_->channel_binding = ByteView(peer_data_->binding).first(peer_data_->binding_size);
    peer_->chain.assign(peer_data_->chain.begin(), peer_data_->chain.end());
  }
  phase_ = Phase::working;
  const auto timeout = thread_.options().request_timeout;
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  set_deadline(timeout + std::chrono::seconds{1});
  if (thread_.workers().submit([self = shared_from_this(), endpoint = std::move(endpoint), deadline] {
        self->work(endpoint, deadline);
      })) {
    listener_->worker.add();
    return;
  }
  listener_->shed.add();
  write_response(plain(503), request_->keep_alive, request_->method == Method::head);
  phase_ = Phase::idle;
}

// On a worker thread: touches nothing but what hand_to_worker left for it.
void Session::work(const std::shared_ptr<Endpoint>& endpoint, Deadline deadline) {
  HANAPER_ON(worker);
  const Mount* mount = listener_->listener.router.find(request_->path);
  Request request = view_of(*request_, *mount, address_);
  request.tls = peer_.get();
  Call call{crypto::random_name(9), deadline};
  auto response = std::make_shared<Response>(endpoint->handle(request, call));
  net::post(thread_.context(), [self = shared_from_this(), response] { self->finish(*response); });
}

void Session::finish(const Response& response) {
  if (abandoned_ || phase_ != Phase::working) return;
  write_response(response, request_->keep_alive && !close_after_write_, request_->method == Method::head);
  request_.reset();
  std::string().swap(working_);
  phase_ = Phase::idle;
  flush();
}

void Session::write_response(const Response& response, bool keep_alive, bool head) {
  Reply reply(thread_.out, file_, thread_.date_line(), keep_alive, head);
  if (response.file)
    reply.send_file(serialise_head(response), *response.file);
  else
    reply.send(serialise_head(response), as_bytes(response.body));
  close_after_write_ = close_after_write_ || !keep_alive;
}

// Octets that are still under way would reset the connection and take the answer with them.
void Session::linger() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  ::shutdown(socket_.native_handle(), SHUT_WR);
  phase_ = Phase::lingering;
  set_deadline(std::chrono::seconds{2});
  wait_readable();
}

void Session::discard() {
  std::size_t budget = 16;  // a connection that keeps talking is cut off
  for (;;) {
    const ssize_t n = ::recv(socket_.native_handle(), thread_.read_buffer.get(), IoThread::read_size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return wait_readable();
    if (n <= 0 || --budget == 0) return close();
  }
}

void Session::refuse(int status) {
  refused_ = true;
  listener_->refused.add();
  write_response(plain(status), false, false);
  phase_ = Phase::idle;
  flush();
}

void Session::flush() {
  std::string& out = thread_.out;
  std::string_view octets = out;
  if (!pending_.empty()) {
    pending_ += out;
    octets = pending_;
  }
  std::size_t sent = 0;
  bool blocked = false;
  while (sent < octets.size() && !blocked) {
    const long n = transmit(octets.substr(sent));
    if (n == broken) {
      out.clear();
      return close();
    }
    blocked = n == would_block;
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
  if (sent == octets.size())
    std::string().swap(pending_);
  else if (pending_.empty())
    pending_ = octets.substr(sent);
  else
    pending_.erase(0, sent);
  out.clear();
  if (out.capacity() > 256 * 1024) std::string().swap(out);
  if (pending_.empty() && file_.size > 0 && !send_file()) return;
  go_on();
}

bool Session::send_file() {
  const std::uint64_t until = file_.size - std::min(file_.size, file_turn);
  while (file_.size > until) {
    const long n = transmit_file();
    if (n == would_block) return true;
    if (n == broken) {
      close();
      return false;
    }
    file_.offset += static_cast<std::uint64_t>(n);
    file_.size -= static_cast<std::uint64_t>(n);
  }
  if (file_.size == 0) file_ = {};
  return true;
}

void Session::go_on() {
  // A worker's answer comes with what waits before it.
  if (phase_ == Phase::closed || phase_ == Phase::working) return;
  if (!pending_.empty() || file_.size > 0) {
    phase_ = Phase::writing;
    set_deadline(listener_->listener.config.body_timeout);
    return wait_writable();
  }
  if (close_after_write_) return refused_ ? linger() : close();
  if (phase_ == Phase::writing || phase_ == Phase::idle) {
    phase_ = Phase::idle;
    // What came behind the request that a worker had.
    if (!kept_.empty() && wanted_ == 0) return consume(kept_);
    set_deadline(listener_->listener.config.idle_timeout);
  }
  // TLS may hold octets that the socket will not announce again.
  if (ssl_ != nullptr && SSL_has_pending(ssl_)) {
    net::post(thread_.context(), [self = shared_from_this()] { self->on_ready(); });
    return;
  }
  wait_readable();
}

}  // namespace hanaper::http
