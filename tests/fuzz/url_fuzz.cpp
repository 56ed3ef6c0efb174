// What is read as a URL or a query is written and read again as the same; a reference leads to a URL of the
// kind.
#include "fuzz.hpp"

#include <hanaper/toolkit/url.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto url = url::parse(text)) fuzz::require(fuzz::must(url::parse(url->text())) == *url);
  const url::Url base{true, "example.test", 443, "/a/b?c"};
  if (const auto url = url::resolve(base, text)) {
    const auto again = url::parse(url->text());
    fuzz::require((again && *again == *url) || url->text().size() > 2048);
  }
  fuzz::require(fuzz::must(url::decode(url::encode(text))) == text);
  if (const auto query = url::Query::parse(text, {.octets = 1024 * 1024, .parameters = 10'000})) {
    const std::string written = url::write_query(query->parameters());
    const auto again = url::Query::parse(written, {.octets = written.size(), .parameters = 10'000});
    fuzz::require(again && again->parameters() == query->parameters());
  }
  return 0;
}
