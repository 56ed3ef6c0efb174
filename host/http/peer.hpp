// Who is at the other end of the control socket, by the word of the kernel.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace hanaper::http {

// [any] As whom somebody logged in from whom that process comes, whatever it has become since (sudo); none
// when nobody did or the kernel does not say.
std::optional<uid_t> login_uid(pid_t process);

// "uid:0", and " login:1000" where that is somebody else.
std::string peer_text(uid_t uid, std::optional<uid_t> login);

// [io] The same of the peer of a connected unix socket; none when he may not use the control socket, which
// only root and this process's user may, or is gone already.
std::optional<std::string> control_peer(int socket);

}  // namespace hanaper::http
