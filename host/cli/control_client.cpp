#include "control_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace hanaper::cli {
namespace {

constexpr std::size_t max_answer = 256 * 1024 * 1024;

Code code_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i)
    if (to_string(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  return Code::internal;
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
  const auto lost = [] { return unavailable("the daemon closed the connection; its log says why"); };
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
  const std::string_view text = std::string_view(answer).substr(head);
  auto parsed = json::parse(text, {max_answer, 32, 10'000'000});
  if (!parsed) return unavailable("the daemon answered: " + std::string(text.substr(0, 200)));
  if (const json::Value* error = parsed->find("error"))
    return Error{code_of(error->text_at("code")), std::string(error->text_at("detail")), {}};
  if (const json::Value* result = parsed->find("result")) return *result;
  return lost();
}

}  // namespace hanaper::cli
