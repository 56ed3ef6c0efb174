#include "peer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

namespace hanaper::http {
namespace {

bool has_hung_up(int socket) {
  pollfd watched{socket, 0, 0};
  return ::poll(&watched, 1, 0) != 0 && (watched.revents & POLLHUP) != 0;
}

}  // namespace

std::optional<uid_t> login_uid(pid_t process) {
  constexpr uid_t unset = 4294967295;
  const std::string path = "/proc/" + std::to_string(process) + "/loginuid";
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[16];
  const ssize_t size = ::read(file, text, sizeof text);
  ::close(file);
  uid_t uid = unset;
  if (size <= 0 || std::from_chars(text, text + size, uid).ec != std::errc{} || uid == unset) return {};
  return uid;
}

std::string peer_text(uid_t uid, std::optional<uid_t> login) {
  return "uid:" + std::to_string(uid) + (login && *login != uid ? " login:" + std::to_string(*login) : "");
}

std::optional<std::string> control_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  if (peer.uid != 0 && peer.uid != ::geteuid()) return {};
  const std::optional<uid_t> login = login_uid(peer.pid);
  // The process number may be somebody else's by now only if the peer has ended, and then his end is closed.
  if (has_hung_up(socket)) return {};
  return peer_text(peer.uid, login);
}

}  // namespace hanaper::http
