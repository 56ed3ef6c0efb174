// PKIData of CMC: whatever is taken stays within its limits, and can be answered.
#include "fuzz.hpp"

#include <cmc.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  namespace cmc = est::cmc;
  const auto parsed = cmc::parse_pki_data(ByteView(data, size));
  if (!parsed) {
    fuzz::require(parsed.error().code == Code::malformed);
    return 0;
  }
  fuzz::require(parsed->requests.size() <= 16 && parsed->queries.size() <= 32);
  (void)cmc::is_proven(*parsed, "a secret of sixteen octets");
  cmc::Outcome outcome;
  outcome.of = {0};
  for (const cmc::PkiData::Request& request : parsed->requests) {
    fuzz::require(request.id != 0);
    outcome.of.push_back(request.id);
  }
  const Bytes response = cmc::pki_response({outcome}, *parsed);
  auto reader = fuzz::must(der::open(response, der::sequence));
  for (int i = 0; i < 3; ++i) (void)fuzz::must(reader.expect(der::sequence));
  fuzz::require(reader.at_end());
  return 0;
}
