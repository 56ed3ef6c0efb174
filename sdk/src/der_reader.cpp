#include <hanaper/toolkit/der.hpp>

namespace hanaper::der {

Error Reader::error(std::string_view what) const {
  const std::size_t offset = input_.size() - rest_.size();
  return malformed("der: " + std::string(what) + " at octet " + std::to_string(offset));
}

Result<Element> Reader::next() {
  if (rest_.size() < 2) return error(rest_.empty() ? "element missing" : "truncated header");
  const std::uint8_t tag = rest_[0];
  if ((tag & 0x1f) == 0x1f) return error("high tag number");
  std::size_t header = 2;
  std::size_t length = rest_[1];
  if (length & 0x80) {
    const std::size_t count = length & 0x7f;
    // 4 octets of length reach 4 GiB; no input limit of this project comes near.
    if (count == 0) return error("indefinite length");
    if (count > 4) return error("length of more than 4 octets");
    if (rest_.size() < 2 + count) return error("truncated length");
    length = 0;
    for (std::size_t i = 0; i < count; ++i) length = length << 8 | rest_[2 + i];
    if (length < 0x80 || rest_[2] == 0) return error("length is not minimal");
    header += count;
  }
  if (length > rest_.size() - header) return error("element longer than its container");
  Element element{tag, rest_.subspan(header, length), rest_.first(header + length)};
  rest_ = rest_.subspan(header + length);
  return element;
}

Result<Element> Reader::expect(std::uint8_t tag) {
  if (peek() != tag || at_end()) {
    constexpr char digits[] = "0123456789abcdef";
    const std::string wanted = {digits[tag >> 4], digits[tag & 15]};
    return error("tag " + wanted + " expected");
  }
  return next();
}

Result<Reader> Reader::enter(std::uint8_t tag) {
  HANAPER_TRY(const Element element, expect(tag));
  return Reader(element.content);
}

Result<std::optional<Element>> Reader::maybe(std::uint8_t tag) {
  if (at_end() || peek() != tag) return std::optional<Element>{};
  HANAPER_TRY(Element element, next());
  return std::optional<Element>{element};
}

Result<bool> Reader::read_boolean() {
  HANAPER_TRY(const Element element, expect(boolean));
  if (element.content.size() != 1 || (element.content[0] != 0 && element.content[0] != 0xff))
    return error("boolean is neither 00 nor ff");
  return element.content[0] == 0xff;
}

bool is_integer(ByteView content) noexcept {
  if (content.empty()) return false;
  if (content.size() == 1) return true;
  return !(content[0] == 0 && !(content[1] & 0x80)) && !(content[0] == 0xff && (content[1] & 0x80));
}

bool is_oid(ByteView content) noexcept {
  if (content.empty() || (content.back() & 0x80)) return false;
  bool start = true;
  int groups = 0;
  for (std::uint8_t octet : content) {
    if (start && octet == 0x80) return false;  // a leading zero group
    groups = start ? 1 : groups + 1;
    if (groups > 9) return false;  // arcs beyond 63 bits are nobody's
    start = !(octet & 0x80);
  }
  return true;
}

Result<ByteView> Reader::read_integer() {
  HANAPER_TRY(const Element element, expect(integer));
  if (!is_integer(element.content)) return error("integer is not minimal");
  return element.content;
}

Result<std::uint64_t> Reader::read_unsigned() {
  HANAPER_TRY(const ByteView content, read_integer());
  if (content[0] & 0x80) return error("integer is negative");
  if (content.size() > 8) return error("integer is too large");
  std::uint64_t value = 0;
  for (std::uint8_t octet : content) value = value << 8 | octet;
  return value;
}

Result<ByteView> Reader::read_oid() {
  HANAPER_TRY(const Element element, expect(object_identifier));
  if (!is_oid(element.content)) return error("bad object identifier");
  return element.content;
}

Result<ByteView> Reader::read_octets() {
  HANAPER_TRY(const Element element, expect(octet_string));
  return element.content;
}

Result<ByteView> Reader::read_bits() {
  HANAPER_TRY(const Element element, expect(bit_string));
  if (element.content.empty() || element.content[0] != 0) return error("bit string with unused bits");
  return element.content.subspan(1);
}

Status Reader::read_null() {
  HANAPER_TRY(const Element element, expect(null));
  if (!element.content.empty()) return error("null with content");
  return {};
}

Result<Time> Reader::read_time() {
  if (peek() != utc_time && peek() != generalized_time) return error("time expected");
  HANAPER_TRY(const Element element, next());
  auto time = parse_time(element.tag, element.content);
  if (!time) return error(time.error().detail);
  return time;
}

Status Reader::finish() const {
  if (!at_end()) return error("unexpected octets");
  return {};
}

Result<Element> only(ByteView input, std::uint8_t tag) {
  Reader reader(input);
  HANAPER_TRY(const Element element, reader.expect(tag));
  HANAPER_CHECK(reader.finish());
  return element;
}

Result<Reader> open(ByteView input, std::uint8_t tag) {
  HANAPER_TRY(const Element element, only(input, tag));
  return Reader(element.content);
}

Result<Time> parse_time(std::uint8_t tag, ByteView content) {
  // RFC 5280 4.1.2.5.1: "MUST be expressed in Greenwich Mean Time (Zulu) and MUST include seconds"
  const std::size_t year_digits = tag == utc_time ? 2 : 4;
  if (content.size() != year_digits + 11 || content.back() != 'Z')
    return malformed("time is not in Zulu seconds");
  for (std::uint8_t c : content.first(content.size() - 1))
    if (c < '0' || c > '9') return malformed("time holds something that is no digit");
  const auto number = [&](std::size_t at, std::size_t digits) {
    unsigned value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = value * 10 + (content[at + i] - '0');
    return value;
  };
  int year = static_cast<int>(number(0, year_digits));
  if (tag == utc_time) year += year >= 50 ? 1900 : 2000;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{number(year_digits, 2)},
                                         std::chrono::day{number(year_digits + 2, 2)}};
  const unsigned hour = number(year_digits + 4, 2), minute = number(year_digits + 6, 2),
                 second = number(year_digits + 8, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return malformed("no such date or time of day");
  return Time{std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
              std::chrono::seconds{second}};
}

}  // namespace hanaper::der
