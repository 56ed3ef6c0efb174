// Forwarded and X-Forwarded-For, a line each line of the input: whatever a client sends, the address that a
// proxy adds behind it is the one that is found.
#include "http/forwarded.hpp"

#include "fuzz.hpp"

namespace {

using namespace hanaper;

const std::vector<x509::Subtree>& proxies() {
  static const std::vector<x509::Subtree> ranges = {*x509::parse_subtree("10.0.0.0/8"),
                                                    *x509::parse_subtree("2001:db8::/32")};
  return ranges;
}

std::vector<HeaderView> lines_of(std::string_view name, std::string_view text) {
  std::vector<HeaderView> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back({name, text.substr(0, end)});
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

void check(std::string_view name, std::string_view added, std::string_view text) {
  std::vector<HeaderView> lines = lines_of(name, text);
  const auto found = http::forwarded_client(lines, proxies());
  fuzz::require(!found || found->size() == 4 || found->size() == 16);
  const Bytes expected{192, 0, 2, 7};
  lines.push_back({name, added});
  fuzz::require(http::forwarded_client(lines, proxies()) == expected);
  lines.pop_back();
  if (lines.empty()) return;
  const std::string joined = std::string(lines.back().value) + ", " + std::string(added);
  lines.back().value = joined;
  fuzz::require(http::forwarded_client(lines, proxies()) == expected);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check("Forwarded", "for=\"192.0.2.7:80\";host=\"a,b\";proto=https", text);
  check("X-Forwarded-For", "192.0.2.7", text);
  return 0;
}
