#include "cbor.hpp"

namespace hanaper::acme::cbor {
namespace {

enum Major : unsigned {
  unsigned_integer,
  negative_integer,
  octet_string,
  text_string,
  array_of,
  map_of,
  tagged,
  simple,
};

}  // namespace

Result<Reader::Head> Reader::head() {
  if (rest_.empty()) return malformed("cbor: cut off");
  const unsigned first = rest_[0];
  rest_ = rest_.subspan(1);
  const unsigned major = first >> 5, information = first & 31;
  if (information < 24) return Head{major, information};
  if (information > 27) return malformed("cbor: a length that is not definite");
  const std::size_t size = std::size_t{1} << (information - 24);
  HANAPER_TRY(const ByteView octets, take(size));
  std::uint64_t argument = 0;
  for (std::uint8_t octet : octets) argument = argument << 8 | octet;
  constexpr std::uint64_t least[] = {24, 1u << 8, 1u << 16, std::uint64_t{1} << 32};
  if (argument < least[information - 24]) return malformed("cbor: a number longer than needed");
  return Head{major, argument};
}

Result<ByteView> Reader::take(std::uint64_t size) {
  if (size > rest_.size()) return malformed("cbor: cut off");
  const ByteView taken = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

Result<std::uint64_t> Reader::expect(unsigned major, std::string_view what) {
  HANAPER_TRY(const Head found, head());
  if (found.major != major) return malformed("cbor: " + std::string(what) + " is expected");
  return found.argument;
}

Result<std::int64_t> Reader::integer() {
  HANAPER_TRY(const Head found, head());
  if (found.major > negative_integer || found.argument > INT64_MAX)
    return malformed("cbor: an integer is expected");
  const auto value = static_cast<std::int64_t>(found.argument);
  return found.major == negative_integer ? -1 - value : value;
}

Result<ByteView> Reader::octets() {
  HANAPER_TRY(const std::uint64_t size, expect(octet_string, "a byte string"));
  return take(size);
}

Result<std::string_view> Reader::text() {
  HANAPER_TRY(const std::uint64_t size, expect(text_string, "a text string"));
  HANAPER_TRY(const ByteView octets, take(size));
  return as_text(octets);
}

// Whatever is counted takes an octet at least.
Result<std::size_t> Reader::count(unsigned major, std::string_view what) {
  HANAPER_TRY(const std::uint64_t items, expect(major, what));
  if (items > rest_.size()) return malformed("cbor: cut off");
  return static_cast<std::size_t>(items);
}

Result<std::size_t> Reader::array() { return count(array_of, "an array"); }
Result<std::size_t> Reader::map() { return count(map_of, "a map"); }

Status Reader::skip(int depth) {
  if (depth == 0) return malformed("cbor: nested too deeply");
  HANAPER_TRY(const Head found, head());
  std::uint64_t items = 0;
  switch (found.major) {
    case octet_string:
    case text_string:
      if (auto taken = take(found.argument); !taken) return taken.error();
      break;
    case array_of:
      items = found.argument;
      break;
    case map_of:
      if (found.argument > rest_.size()) return malformed("cbor: cut off");
      items = 2 * found.argument;
      break;
    case tagged:
      items = 1;
      break;
    case simple:
      // false, true, null, undefined
      if (found.argument < 20 || found.argument > 23)
        return malformed("cbor: a value that is not allowed here");
      break;
    default:
      break;
  }
  for (; items > 0; --items) HANAPER_CHECK(skip(depth - 1));
  return {};
}

Status Reader::finish() const {
  return rest_.empty() ? Status() : Status(malformed("cbor: octets behind the end"));
}

}  // namespace hanaper::acme::cbor
