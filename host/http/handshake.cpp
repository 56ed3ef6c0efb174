// The beginning of a connection: until its TLS handshake is done.
#include "session.hpp"

#include "../services/thread_tag.hpp"

#include <boost/asio/post.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sys/socket.h>

namespace hanaper::http {

void Session::start() {
  if (proxy_.empty() || listener_->listener.config.forwarded) return begin();
  announced_ = std::make_unique<ProxyHeader>();
  phase_ = Phase::announcing;
  // The wheel may turn at once.
  set_deadline(std::chrono::seconds{1} + tick);
  wait_readable();
}

void Session::begin() {
  phase_ = Phase::idle;
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

Session::Handshake Session::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return Handshake::done;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Handshake::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Handshake::wants_write;
    default:
      ERR_clear_error();
      return Handshake::failed;
  }
}

void Session::handshake() {
  if (listener_->handshakes != nullptr) return hand_off();
  after(shake_hands());
}

void Session::hand_off() {
  phase_ = Phase::shaking;
  step_ = Step::waiting;
  const bool taken = listener_->handshakes->submit([self = shared_from_this()] {
    HANAPER_ON(worker);
    Step waiting = Step::waiting;
    if (!self->step_.compare_exchange_strong(waiting, Step::running)) return;
    const Handshake step = self->shake_hands();
    net::post(self->thread_.context(), [self, step] {
      self->step_ = Step::none;
      self->after(step);
    });
  });
  if (taken) return;
  step_ = Step::none;
  listener_->shed.add();
  close();
}

void Session::after(Handshake step) {
  if (phase_ == Phase::closed) return;
  const bool leaving = phase_ == Phase::leaving;
  phase_ = Phase::handshake;
  if (leaving || step == Handshake::failed) return close();
  if (step == Handshake::wants_read) return wait_readable();
  if (step == Handshake::wants_write) return wait_writable();
  phase_ = Phase::idle;
  read();
}

bool Session::is_away() {
  if (phase_ != Phase::shaking && phase_ != Phase::leaving) return false;
  Step waiting = Step::waiting;
  if (step_.compare_exchange_strong(waiting, Step::taken_back) || waiting != Step::running) return false;
  // The peer hears at once; the descriptor stays this connection's until the other thread lets go.
  ::shutdown(socket_.native_handle(), SHUT_RDWR);
  phase_ = Phase::leaving;
  return true;
}

}  // namespace hanaper::http
