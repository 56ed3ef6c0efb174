#include "session.hpp"

#include "../services/thread_tag.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/identifiers.hpp>

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
constexpr std::chrono::milliseconds longest_operation = std::chrono::hours{1};

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
  request.tail = http::Router::routed(read.path).substr(mount.path.size());
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

Session::Session(IoThread& thread, std::shared_ptr<ListenerState> listener, int socket, std::string address,
                 bool proxy)
    : thread_(thread),
      listener_(std::move(listener)),
      socket_(thread.context()),
      address_(std::move(address)),
      client_(proxy && listener_->listener.config.forwarded ? ListenerState::proxy_name(address_)
                                                            : x509::client_of(address_)),
      proxy_(proxy ? address_ : std::string()) {
  const net::generic::stream_protocol protocol(listener_->control ? AF_UNIX : AF_INET, 0);
  boost::system::error_code ec;
  socket_.assign(protocol, socket, ec);
  thread_.add(*this);
}

Session::~Session() {
  step_ = Step::none;  // whoever had a step would hold this session
  close();
  if (held_ != 0) thread_.commons().memory.give_back(client_, held_);
  listener_->connections.give_back(proxy_.empty() ? client_ : ListenerState::proxy_name(proxy_), 1);
}

void Session::set_deadline(std::chrono::milliseconds duration) {
  thread_.wheel().set(*this, ticks(duration));
}

void Session::wind_down(bool now) {
  const bool busy =
      phase_ == Phase::working || phase_ == Phase::writing || (phase_ == Phase::reading && !kept_.empty());
  if (now || !busy) return close();
  close_after_write_ = true;
}

void Session::close() {
  if (phase_ == Phase::closed || is_away()) return;
  if (ssl_ != nullptr) {
    if (phase_ != Phase::handshake && phase_ != Phase::shaking) SSL_shutdown(ssl_);
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
  if (phase_ == Phase::announcing) return refuse_proxy("no whole PROXY header came within a second");
  if (phase_ != Phase::working) return close();
  // The worker may still read the request: its octets stay until it lets go of this session.
  abandoned_ = true;
  phase_ = Phase::idle;
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
    case Phase::announcing:
      return hear_proxy();
    case Phase::handshake:
      return handshake();
    case Phase::idle:
    case Phase::reading:
      return read();
    case Phase::writing:
      return flush();
    case Phase::lingering:
      return discard();
    case Phase::shaking:
    case Phase::leaving:
    case Phase::working:
    case Phase::closed:
      return;
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

void Session::hand_to_worker(std::string_view octets, const ReadResult& read,
                             std::shared_ptr<Endpoint> endpoint) {
  request_ = std::make_unique<ReadRequest>(std::move(thread_.request));
  thread_.request = {};
  const char* const from = octets.data();
  if (!read.chunked && from == kept_.data() && read.consumed == kept_.size()) {
    working_ = std::move(kept_);
    kept_.clear();
  } else {
    working_.assign(octets.substr(0, read.chunked ? read.body_at : read.consumed));
    keep(octets.substr(read.consumed));
  }
  request_->move_to(from, working_.data());
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
  // Operations end by themselves when theirs is over; whoever asked for a backup waits until it is made.
  set_deadline(listener_->control ? longest_operation : timeout + std::chrono::seconds{1});
  const bool turn = hold() && (listener_->control || thread_.commons().turns.take(client_, 1));
  if (turn && thread_.workers().submit([self = shared_from_this(), endpoint = std::move(endpoint), deadline] {
        self->work(endpoint, deadline);
      })) {
    listener_->worker.add();
    return;
  }
  if (turn) give_turn_back();
  listener_->shed.add();
  write_response(plain(503), request_->keep_alive, request_->method == Method::head);
  let_go();
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

void Session::give_turn_back() {
  if (!listener_->control) thread_.commons().turns.give_back(client_, 1);
}

void Session::finish(const Response& response) {
  give_turn_back();
  if (abandoned_ || phase_ != Phase::working) return;
  write_response(response, request_->keep_alive && !close_after_write_, request_->method == Method::head);
  let_go();
  flush();
}

void Session::let_go() {
  request_.reset();
  std::string().swap(working_);
  static_cast<void>(hold());
  phase_ = Phase::idle;
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
  std::string().swap(kept_);
  static_cast<void>(hold());
  (status == 503 ? listener_->shed : listener_->refused).add();
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
  constexpr std::size_t scratch = std::size_t{256} * 1024;
  for (std::string* text : {&out, &thread_.request.joined})
    if (text->capacity() > scratch) std::string().swap(*text);
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

// For all of the answer: who takes an octet now and then would have it for ever.
std::chrono::milliseconds Session::time_to_write() const {
  constexpr std::uint64_t slowest = 16;  // octets in a millisecond
  return listener_->listener.config.body_timeout +
         std::chrono::milliseconds{(pending_.size() + file_.size) / slowest};
}

void Session::go_on() {
  // A worker's answer comes with what waits before it.
  if (phase_ == Phase::closed || phase_ == Phase::working) return;
  if (!pending_.empty() || file_.size > 0) {
    if (phase_ != Phase::writing) set_deadline(time_to_write());
    phase_ = Phase::writing;
    return wait_writable();
  }
  if (close_after_write_) return refused_ ? linger() : close();
  if (phase_ == Phase::writing || phase_ == Phase::idle) {
    phase_ = body_begun_ ? Phase::reading : Phase::idle;
    // What came behind the request that a worker had.
    if (!kept_.empty() && !body_begun_) return consume(kept_);
    set_deadline(body_begun_ ? listener_->listener.config.body_timeout
                             : listener_->listener.config.idle_timeout);
  }
  // TLS may hold octets that the socket will not announce again.
  if (ssl_ != nullptr && SSL_has_pending(ssl_)) {
    net::post(thread_.context(), [self = shared_from_this()] { self->on_ready(); });
    return;
  }
  wait_readable();
}

}  // namespace hanaper::http
