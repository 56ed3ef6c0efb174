// The command line's end of the control socket.
#pragma once

#include <hanaper/toolkit/json.hpp>

#include <optional>

namespace hanaper::cli {

// A kept connection to the running daemon. Not thread-safe.
class ControlClient {
 public:
  // Nothing when no daemon answers there; forbidden when it does and we may not talk to it.
  static Result<std::optional<ControlClient>> connect(const std::string& path);
  ControlClient(ControlClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  ControlClient& operator=(ControlClient&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~ControlClient();

  // What the operation answers, or its error.
  Result<json::Value> run(std::string_view operation, const json::Value& arguments);

 private:
  explicit ControlClient(int socket) : socket_(socket) {}
  int socket_;
};

}  // namespace hanaper::cli
