// What is read is written and read again as the same.
#include "fuzz.hpp"

#include <hanaper/toolkit/json.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const auto value = json::parse(fuzz::text_of(data, size));
  if (!value) return 0;
  for (const std::string& text : {json::write(*value), json::write_pretty(*value)}) {
    const auto again = json::parse(text, {.octets = 16 * 1024 * 1024});
    fuzz::require(again && *again == *value);
  }
  return 0;
}
