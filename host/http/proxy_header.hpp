// Whom a balancer speaks for: the PROXY protocol, versions 1 and 2, as HAProxy's proxy-protocol.txt has it.
#pragma once

#include <hanaper/values.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace hanaper::http {

// A proxy writes a header before the first octet of its client. What is behind the header belongs to TLS or
// HTTP, so that not one octet more may be taken. This class is given octets as they come and says how many
// of them are the header's. Pure; belongs to one thread.
class ProxyHeader {
 public:
  static constexpr std::size_t largest = 536;       // version 2, as the document asks of every receiver
  static constexpr std::size_t largest_text = 107;  // version 1, with its CRLF
  enum class State { incomplete, complete, malformed };

  // Takes the next octets, which may go on behind the header. Returns how many are its own: all of them as
  // long as it is incomplete.
  std::size_t take(std::string_view octets);

  State state() const noexcept { return state_; }
  bool has_begun() const noexcept { return !kept_.empty(); }
  // How many more octets may be its own, at most; as many are worth a look. 0 when it is not incomplete.
  std::size_t wanted() const noexcept;

  // complete: the client's address, 4 or 16 octets; an IPv4-mapped one has 4. Empty where the proxy speaks
  // for itself (LOCAL, UNKNOWN), or for what has no address of TCP.
  ByteView client() const noexcept { return client_; }
  // malformed: why, in one line.
  std::string_view fault() const noexcept { return fault_; }

 private:
  void look();
  void look_at_text();
  void look_at_binary();
  void read_text();
  void read_binary();
  // The values behind the addresses; false when they are wrong.
  bool check_values(std::size_t at);
  void end(ByteView client);
  void fail(std::string_view fault);

  State state_ = State::incomplete;
  std::string kept_;
  std::size_t size_ = 0;  // of all of a header of version 2, once it is known
  Bytes client_;
  std::string_view fault_;
};

}  // namespace hanaper::http
