// Requests on one connection: the reader consumes what it read, and what it decides does not depend on how
// the octets arrive.
#include "http/request_reader.hpp"

#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  using State = http::ReadResult::State;
  std::string_view octets = fuzz::text_of(data, size);
  const http::ReadLimits limits;
  http::ReadRequest request;
  while (!octets.empty()) {
    const http::ReadResult result = http::read_request(octets, limits, request);
    for (std::size_t part : {octets.size() / 2, octets.size() - 1}) {
      http::ReadRequest early;
      const http::ReadResult before = http::read_request(octets.substr(0, part), limits, early);
      // Nothing is complete earlier than it is, and a refusal stays one.
      if (before.state == State::complete)
        fuzz::require(result.state == State::complete && result.consumed == before.consumed);
      if (before.state == State::refused) fuzz::require(result.state == State::refused);
    }
    if (result.state == State::refused) fuzz::require(result.status >= 400 && result.status < 600);
    if (result.state != State::complete) break;
    fuzz::require(result.consumed > 0 && result.consumed <= octets.size());
    octets.remove_prefix(result.consumed);
  }
  return 0;
}
