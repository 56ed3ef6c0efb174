// From octets to a request, strictly.
//
// Beast's parser is lenient where a host behind proxies must not be: what it lets through and RFC 9112 does
// not is refused here, because two readers that disagree about where a request ends are how requests are
// smuggled.
#pragma once

#include "router.hpp"

#include <functional>

namespace hanaper::http {

struct ReadLimits {
  std::size_t header = 16 * 1024;
  // The largest body for a path; called once the header section is complete.
  const Router* router = nullptr;
};

// What one request turned out to be. Views point into the octets it was read from, or into `joined` for a
// body that came in chunks.
struct ReadRequest {
  Method method = Method::get;
  std::string_view target, path, query;
  std::vector<HeaderView> headers;
  ByteView body;
  std::string joined;
  bool keep_alive = true;
  bool http10 = false;
  bool expects_continue = false;

  // Lets the views point to the same octets at another place.
  void move_to(const char* from, const char* to) noexcept;
  void clear() noexcept;
};

struct ReadResult {
  enum class State { complete, incomplete, refused } state = State::incomplete;
  std::size_t consumed = 0;      // complete: octets of this request
  int status = 0;                // refused: what to answer before closing
  bool header_complete = false;  // incomplete: the rest of the body is missing
  std::size_t wanted = 0;        // incomplete: total octets needed, when known
  bool chunked = false;          // the body, which begins at `body_at`, comes in chunks
  std::size_t body_at = 0;       // complete, or incomplete with a complete header section
  std::uint64_t body_limit = 0;
};

// Reads the request at the beginning of `octets` into `request`, whose memory is reused.
ReadResult read_request(std::string_view octets, const ReadLimits& limits, ReadRequest& request);

}  // namespace hanaper::http
