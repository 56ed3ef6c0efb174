// Every value that the reader accepts is written again as the same octets.
#include "fuzz.hpp"

#include <hanaper/toolkit/der.hpp>

namespace hanaper::fuzz {
namespace {

// Rebuilds what `reader` holds; false when it does not hold DER.
bool rewrite(der::Reader reader, der::Writer& out, int depth) {
  std::vector<der::Element> elements;
  while (!reader.at_end()) {
    auto element = reader.next();
    if (!element) return false;
    elements.push_back(*element);
  }
  for (auto element = elements.rbegin(); element != elements.rend(); ++element) {
    const std::size_t before = out.size();
    const bool deeper = (element->tag & 0x20) != 0 && depth < 64;
    if (deeper) {
      if (!rewrite(der::Reader(element->content), out, depth + 1)) return false;
      out.header(element->tag, out.size() - before);
    } else {
      out.primitive(element->tag, element->content);
    }
  }
  return true;
}

void read_as_everything(ByteView input) {
  (void)der::Reader(input).read_boolean();
  (void)der::Reader(input).read_integer();
  (void)der::Reader(input).read_octets();
  (void)der::Reader(input).read_bits();
  (void)der::Reader(input).read_null();
  if (const auto number = der::Reader(input).read_unsigned()) {
    der::Writer writer;
    writer.integer(*number);
    require(equal(writer.view(), input.first(writer.size())));
  }
  if (const auto oid = der::Reader(input).read_oid()) {
    const std::string text = der::oid_to_text(*oid);
    if (const auto again = der::oid_from_text(text)) require(equal(*again, *oid));
  }
  if (const auto time = der::Reader(input).read_time()) {
    der::Writer writer;
    writer.time(*time);
    require(must(der::Reader(writer.view()).read_time()) == *time);
  }
}

}  // namespace
}  // namespace hanaper::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const ByteView input(data, size);
  fuzz::read_as_everything(input);
  der::Writer writer;
  if (fuzz::rewrite(der::Reader(input), writer, 0)) fuzz::require(equal(writer.view(), input));
  return 0;
}
