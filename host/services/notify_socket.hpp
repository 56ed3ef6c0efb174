// What systemd wants to hear (sd_notify(3)), without its library.
#pragma once

#include <string_view>

namespace hanaper::services {

// Sends "READY=1", "STOPPING=1", "STATUS=..."; nothing happens without NOTIFY_SOCKET.
void notify_manager(std::string_view message);

}  // namespace hanaper::services
