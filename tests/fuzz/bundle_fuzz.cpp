// A file of certificates from somewhere: every form that it may have.
#include <hanaper/toolkit/bundle.hpp>

#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const auto bundle = x509::read_bundle(ByteView(data, size), Secret(std::string("pin")));
  if (!bundle) return 0;
  for (const Bytes& certificate : bundle->certificates) fuzz::require(certificate.size() <= size);
  return 0;
}
