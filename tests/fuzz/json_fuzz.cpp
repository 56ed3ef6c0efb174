// What is read is written and read again as the same; any octets at all are written as a text that can be
// read.
#include "fuzz.hpp"

#include <hanaper/toolkit/json.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  constexpr json::Limits wide{.octets = 16 * 1024 * 1024};
  const std::string_view octets = fuzz::text_of(data, size);
  fuzz::require(json::parse(json::write(json::Value(std::string(octets))), wide).has_value());
  const auto value = json::parse(octets);
  if (!value) return 0;
  for (const std::string& text : {json::write(*value), json::write_pretty(*value)}) {
    const auto again = json::parse(text, wide);
    fuzz::require(again && *again == *value);
  }
  return 0;
}
