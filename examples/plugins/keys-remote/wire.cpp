#include "wire.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace wire {

using hanaper::Code;
using hanaper::Error;
using hanaper::Result;
using hanaper::Status;
using hanaper::json::Object;
using hanaper::json::Value;

Line::~Line() {
  if (socket_ >= 0) ::close(socket_);
}

Status Line::send(const Value& value) {
  const std::string text = hanaper::json::write(value) + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t size = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0)
      return hanaper::unavailable(std::string("the signer does not listen: ") + std::strerror(errno));
    sent += static_cast<std::size_t>(size);
  }
  return {};
}

Result<Value> Line::receive() {
  for (;;) {
    if (const std::size_t end = ahead_.find('\n'); end != std::string::npos) {
      const std::string line = ahead_.substr(0, end);
      ahead_.erase(0, end + 1);
      return hanaper::json::parse(line, {.octets = max_line, .depth = 4, .values = 10'000});
    }
    if (ahead_.size() > max_line) return hanaper::malformed("a line of more than 1 MiB");
    char buffer[4096];
    const ssize_t size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0)
      return hanaper::unavailable(std::string("the signer does not answer: ") + std::strerror(errno));
    if (size == 0) return hanaper::unavailable("the signer has hung up");
    ahead_.append(buffer, static_cast<std::size_t>(size));
  }
}

void Line::set_timeout(std::chrono::milliseconds timeout) {
  timeval value{};
  value.tv_sec = timeout.count() / 1000;
  value.tv_usec = timeout.count() % 1000 * 1000;
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
}

bool Line::stale() const {
  pollfd state{socket_, POLLIN, 0};
  return !ahead_.empty() || ::poll(&state, 1, 0) != 0;
}

namespace {

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return hanaper::malformed(path + ": a socket's path has 1 to 107 octets");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<int> opened(const std::string& path, int (*use)(int, const sockaddr*, socklen_t)) {
  HANAPER_TRY(const sockaddr_un address, address_of(path));
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || use(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const Error error = hanaper::unavailable(path + ": " + std::strerror(errno));
    if (socket >= 0) ::close(socket);
    return error;
  }
  return socket;
}

}  // namespace

Result<int> connect(const std::string& path) { return opened(path, ::connect); }

Result<int> listen(const std::string& path) {
  const mode_t before = ::umask(0077);  // its owner's alone: who can connect can sign
  auto socket = opened(path, ::bind);
  ::umask(before);
  if (socket && ::listen(*socket, 64) != 0) return hanaper::unavailable(path + ": " + std::strerror(errno));
  return socket;
}

int accept(int listener) {
  for (;;) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0 || (errno != EINTR && errno != ECONNABORTED)) return socket;
  }
}

Value to_answer(const Error& error) {
  return Object{{"code", hanaper::to_string(error.code)}, {"error", error.detail}};
}

Error to_error(const Value& answer) {
  for (int code = 0; code <= static_cast<int>(Code::internal); ++code)
    if (hanaper::to_string(static_cast<Code>(code)) == answer.text_at("code"))
      return {static_cast<Code>(code), std::string(answer.text_at("error")), {}};
  return hanaper::internal("the signer failed with an unknown code");
}

}  // namespace wire
