// Bodies of EST: whatever is decoded is the same when it is encoded again.
#include "fuzz.hpp"

#include <body.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const ByteView octets(data, size);
  (void)est::is_media_type(as_text(octets), "application/pkcs10");
  for (const bool lines : {false, true})
    if (size > 0)
      fuzz::require(equal(fuzz::must(est::decode_body(as_bytes(est::encode_body(octets, lines)))), octets));
  if (const auto decoded = est::decode_body(octets))
    fuzz::require(*decoded == fuzz::must(est::decode_body(as_bytes(est::encode_body(*decoded, true)))));
  return 0;
}
