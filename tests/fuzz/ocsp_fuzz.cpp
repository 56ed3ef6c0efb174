// OCSP requests, from octets and from the path of a GET: what the short way reads, the long way reads as
// well.
#include "fuzz.hpp"

#include <request.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const ByteView octets(data, size);
  const auto plain = ocsp::parse_plain_request(octets);
  const auto whole = ocsp::parse_request(octets, true);
  if (plain) {
    fuzz::require(whole.has_value());
    fuzz::require(whole->ids.size() == 1 && equal(whole->ids.front().whole, plain->whole));
  }
  if (whole) {
    fuzz::require(!whole->ids.empty() && whole->ids.size() <= ocsp::id_limit);
    fuzz::require(!whole->nonce || (!whole->nonce->empty() && whole->nonce->size() <= 128));
    fuzz::require(ocsp::parse_request(octets, false).has_value());
  }
  if (const auto decoded = ocsp::decode_path(as_text(octets))) {
    fuzz::require(!decoded->empty() && decoded->size() <= size);
    (void)ocsp::parse_request(*decoded, true);
  }
  return 0;
}
