// A certification request, from its octets to the names it asks for and the proof it carries.
#include "fuzz.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/name.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const auto csr = x509::parse_csr(ByteView(data, size));
  if (!csr) return 0;
  fuzz::require(csr->der.size() == size);
  if (const auto name = x509::parse_name(csr->subject)) (void)x509::name_text(*name);
  for (const auto& extension : csr->extensions) {
    const auto names = x509::parse_general_names(extension.value);
    if (!names) continue;
    for (const Identifier& name : names->names) (void)x509::search_key(name);
  }
  (void)x509::verify_csr(*csr);
  return 0;
}
