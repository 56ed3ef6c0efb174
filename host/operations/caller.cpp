#include "caller.hpp"

#include "../http/peer.hpp"

#include <pwd.h>
#include <unistd.h>

#include <charconv>

namespace hanaper::operations {
namespace {

// "uid:1000 (alice)"; without a name when the machine knows none.
std::string user_text(uid_t uid) {
  std::string text = "uid:" + std::to_string(uid);
  char buffer[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr)
    text += " (" + std::string(found->pw_name) + ")";
  return text;
}

}  // namespace

Caller control_caller(std::string_view peer) {
  Caller caller{.name = {}, .permissions = Permissions::all()};
  const auto number_behind = [&](std::string_view label) -> std::optional<uid_t> {
    const std::size_t at = peer.find(label);
    uid_t uid = 0;
    if (at == std::string_view::npos) return {};
    const char* begin = peer.data() + at + label.size();
    if (std::from_chars(begin, peer.data() + peer.size(), uid).ec != std::errc{}) return {};
    return uid;
  };
  const auto uid = number_behind("uid:");
  caller.name = uid ? user_text(*uid) : std::string(peer);
  if (const auto login = number_behind("login:")) caller.name += ", login " + user_text(*login);
  return caller;
}

Caller own_caller() { return control_caller(http::peer_text(::geteuid(), http::login_uid(::getpid()))); }

}  // namespace hanaper::operations
