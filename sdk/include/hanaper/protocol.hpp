// Protocols: how the world asks for certificates and their status.
#pragma once

#include <hanaper/http.hpp>
#include <hanaper/plugin.hpp>

namespace hanaper {

// What travels with one piece of work through every layer: who it is for the logs, and when it must end.
// Belongs to one thread at a time.
struct Call {
  std::string id;     // random, appears in logs, audit and error answers
  Deadline deadline;  // every wait below this call ends by then

  std::chrono::milliseconds remaining() const {
    const auto left = deadline - std::chrono::steady_clock::now();
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds{0});
  }
};

// A service below one path of one listener. The host owns the keys `listener` and `path` of its table.
class Protocol : public Plugin {
 public:
  // [any] The largest request body accepted below the mount; larger ones get 413 before they are read.
  virtual ByteCount body_limit() const { return ByteCount{64 * 1024}; }

  // [worker] Answers one request, whatever it is: presenting errors is the protocol's business.
  virtual Response handle(const Request& request, Call& call) = 0;

  // [io] Answers from memory and returns true, or returns false to decline; then handle() gets it.
  virtual bool answer_fast(const Request& request, FastReply& reply) {
    (void)request, (void)reply;
    return false;
  }
};

}  // namespace hanaper
