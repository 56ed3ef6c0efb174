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

  // What is at an address of the daemon, below /health, within that time.
  Result<json::Value> get(std::string_view path, std::chrono::milliseconds within);

 private:
  // Sends the request and gives the body of the answer.
  Result<std::string> exchange(const std::string& request);

  explicit ControlClient(int socket) : socket_(socket) {}
  int socket_;
};

}  // namespace hanaper::cli
