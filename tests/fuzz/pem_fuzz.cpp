// Base64 and PEM: one spelling each, so that what is read is written the same.
#include "fuzz.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/time_text.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto octets = base64::decode(text)) fuzz::require(base64::encode(*octets) == text);
  if (const auto octets = base64::decode_url(text)) fuzz::require(base64::encode_url(*octets) == text);
  if (const auto blocks = pem::decode(text))
    for (const pem::Block& block : *blocks) {
      const auto again = pem::decode(pem::encode(block.label, block.der));
      fuzz::require(again && again->size() == 1 && again->front().der == block.der);
    }
  return 0;
}
