// Who is at the other end of the control socket, by the word of the kernel.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace hanaper::http {

// [any] The user who logged in and whose session that process belongs to, also after sudo or su; none when
// there was no login or the kernel does not say.
std::optional<uid_t> login_uid(pid_t process);

// "uid:0", and " login:1000" where that is somebody else.
std::string peer_text(uid_t uid, std::optional<uid_t> login);

// [io] That text for the peer of a connected unix socket; none when the peer is gone already, or may not use
// the control socket: only root and this process's user may.
std::optional<std::string> control_peer(int socket);

}  // namespace hanaper::http
