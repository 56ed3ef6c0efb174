#include "control_client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace hanaper::cli {
namespace {

constexpr std::size_t max_answer = 256 * 1024 * 1024;

Error lost() {  // nobody knows whether it was done
  return internal(
      "the daemon closed the connection, as it does when it stops or has too many; its log "
      "says why; end commands that wait, then try again");
}

}  // namespace

Result<std::optional<ControlClient>> ControlClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::optional<ControlClient>{};
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return unavailable(path + ": " + std::strerror(errno));
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return std::optional(ControlClient(socket));
  const int error = errno;
  ::close(socket);
  if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR) return std::optional<ControlClient>{};
  if (error == EACCES) return forbidden(path + ": only root and the daemon's user may use it");
  return unavailable(path + ": " + std::strerror(error));
}

ControlClient::~ControlClient() {
  if (socket_ >= 0) ::close(socket_);
}

// The daemon answers with Content-Length and keeps the connection: that much HTTP is enough.
Result<json::Value> ControlClient::run(std::string_view operation, const json::Value& arguments) {
  const std::string body =
      json::write(json::Value(json::Object{{"operation", operation}, {"arguments", arguments}}));
  const std::string request =
      "POST / HTTP/1.1\r\nHost: control\r\nContent-Type: application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  HANAPER_TRY(const std::string text, exchange(request));
  auto parsed = json::parse(text, {max_answer, 32, 10'000'000});
  if (!parsed) return internal("the daemon answered: " + text.substr(0, 200));
  if (const json::Value* error = parsed->find("error"))
    return Error{code_named(error->text_at("code")), std::string(error->text_at("detail")), {}};
  if (const json::Value* result = parsed->find("result")) return *result;
  return lost();
}

Result<json::Value> ControlClient::get(std::string_view path, std::chrono::milliseconds within) {
  const timeval patience{within.count() / 1000, within.count() % 1000 * 1000};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const auto text = exchange("GET " + std::string(path) + " HTTP/1.1\r\nHost: control\r\n\r\n");
  if (!text) return unavailable("the daemon does not answer");
  return json::parse(*text);
}

Result<std::string> ControlClient::exchange(const std::string& request) {
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t n = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return lost();
    sent += static_cast<std::size_t>(n);
  }
  std::string answer;
  std::size_t head = std::string::npos, length = 0;
  char buffer[65536];
  while (head == std::string::npos || answer.size() < head + length) {
    const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return lost();
    answer.append(buffer, static_cast<std::size_t>(n));
    if (answer.size() > max_answer) return unavailable("the daemon's answer is larger than 256 MiB");
    if (head != std::string::npos || (head = answer.find("\r\n\r\n")) == std::string::npos) continue;
    head += 4;
    constexpr std::string_view field = "Content-Length: ";
    const std::size_t at = answer.find(field);
    if (at == std::string::npos || at > head) return lost();
    std::from_chars(answer.data() + at + field.size(), answer.data() + head, length);
  }
  return answer.substr(head);
}

}  // namespace hanaper::cli
