// A PROXY header: what it says does not depend on how its octets arrive, and it never takes one too many.
#include "http/proxy_header.hpp"

#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  using State = http::ProxyHeader::State;
  const std::string_view octets = fuzz::text_of(data, size);
  http::ProxyHeader whole, single;
  const std::size_t taken = whole.take(octets);
  fuzz::require(taken <= size && taken <= http::ProxyHeader::largest);
  std::size_t steps = 0;
  for (char c : octets) {
    if (single.state() != State::incomplete) break;
    const std::size_t wanted = single.wanted();
    fuzz::require(wanted > 0 && steps + wanted <= http::ProxyHeader::largest);
    fuzz::require(single.take({&c, 1}) == 1);
    ++steps;
  }
  fuzz::require(steps == taken && single.state() == whole.state());
  fuzz::require(equal(single.client(), whole.client()) && single.fault() == whole.fault());
  fuzz::require((whole.state() == State::malformed) != whole.fault().empty());
  const std::size_t client = whole.client().size();
  fuzz::require(client == 0 || (whole.state() == State::complete && (client == 4 || client == 16)));
  if (whole.state() == State::incomplete) fuzz::require(taken == size);
  return 0;
}
