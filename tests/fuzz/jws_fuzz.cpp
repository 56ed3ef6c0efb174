// A signed request of an ACME client, up to its signature.
#include "fuzz.hpp"

#include <hanaper/toolkit/jose.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto jws = jose::parse_jws(text)) {
    fuzz::require(!(jws->jwk && !jws->kid.empty()));
    if (jws->jwk) (void)jose::verify(*jws, jws->jwk->spki);
    (void)jose::verify_mac(*jws, jws->payload);
  }
  const auto value = json::parse(text);
  if (!value) return 0;
  if (const auto jwk = jose::parse_jwk(*value)) {
    const auto again = jose::jwk_of(jwk->spki);
    fuzz::require(again && fuzz::must(jose::parse_jwk(*again)).thumbprint == jwk->thumbprint);
  }
  return 0;
}
