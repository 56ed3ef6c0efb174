// What a stranger's HTTP server answers, read with limits; and where its redirects lead.
#pragma once

#include <hanaper/outbound.hpp>

#include <memory>

namespace hanaper::http {

// Takes one response octet by octet as they come; those of 1xx before it are passed over. Belongs to one
// thread.
class AnswerReader {
 public:
  explicit AnswerReader(ByteCount body_limit);
  ~AnswerReader();

  // More of the answer; true once it is complete. malformed when it is none or too large.
  Result<bool> take(std::string_view octets);
  // The peer has closed the connection. malformed when something was still to come.
  Status end();

  int status() const;
  std::string body() const;
  std::vector<Header> fields() const;

 private:
  struct State;
  Result<bool> parse();  // true once what is read at the moment is complete
  Status skip_interim();
  std::unique_ptr<State> state_;
};

// The GET of an http or https URL; its fragment is left out. Nothing for what is no such URL.
std::optional<OutboundRequest> read_url(std::string_view url);

// The request that follows a redirect to `location`; nothing for what is not followed: other schemes, and
// ports but 80, 443 and that of `from` (RFC 8555 10.4).
std::optional<OutboundRequest> redirected(const OutboundRequest& from, std::string_view location);

}  // namespace hanaper::http
