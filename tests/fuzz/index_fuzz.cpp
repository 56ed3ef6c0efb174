// An index.txt from somewhere: what is read of a line is the same when it has been handed over.
#include "operations/foreign.hpp"

#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  std::string_view text = fuzz::text_of(data, size);
  validity::is_index(text);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const auto entry = validity::parse_index_line(text.substr(0, end))) {
      const std::string written = operations::entry_text(*entry);
      fuzz::require(operations::entry_text(fuzz::must(operations::parse_entry(written))) == written);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  static_cast<void>(operations::parse_entry(fuzz::text_of(data, size)));
  return 0;
}
