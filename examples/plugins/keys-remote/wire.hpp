// What plugin and signer say to each other: one JSON object a line, a question and its answer. Octets are
// base64.
//
//   {"do":"sign","label":"root","scheme":"ecdsa-sha256","octets":"..."}   {"octets":"..."}
//   {"do":"find","label":"roof"}                                          {"code":"not_found","error":"no key
//   \"roof\""}
#pragma once

#include <hanaper/toolkit/json.hpp>

namespace wire {

inline constexpr std::size_t max_line = 1 << 20;

// One end of a connected stream socket; closed with the object. Belongs to one thread at a time.
class Line {
 public:
  explicit Line(int socket) : socket_(socket) {}
  ~Line();
  Line(Line&& other) noexcept : socket_(other.socket_), ahead_(std::move(other.ahead_)) {
    other.socket_ = -1;
  }
  Line& operator=(Line&& other) = delete;

  // unavailable when the other end is gone or, where a timeout is set, silent.
  hanaper::Status send(const hanaper::json::Value& value);
  hanaper::Result<hanaper::json::Value> receive();
  void set_timeout(std::chrono::milliseconds timeout);

  // Whether the other end has closed it, or said something that nobody asked for.
  bool stale() const;

 private:
  int socket_;
  std::string ahead_;  // received, not yet consumed
};

// A socket address of that path; malformed when the path is too long for one.
hanaper::Result<int> connect(const std::string& path);
hanaper::Result<int> listen(const std::string& path);
// Blocks; -1 when it is over.
int accept(int listener);

// A failure as the other end reads it, and back.
hanaper::json::Value to_answer(const hanaper::Error& error);
hanaper::Error to_error(const hanaper::json::Value& answer);

}  // namespace wire
