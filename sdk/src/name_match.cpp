#include <hanaper/toolkit/name_match.hpp>

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>

namespace hanaper::x509 {
namespace {

constexpr std::size_t max_attributes = 32;  // as parse_name has it

// A type and a value that is compared octet by octet.
using Attribute = std::pair<std::string, std::string>;
// Relative distinguished names: sets, whose attributes have no order.
using Parts = std::vector<std::vector<Attribute>>;

// RFC 4518 2.6.1, as far as RFC 5280 7.1 asks for it: no blanks around, one where there are several.
std::string folded(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == ' ' && (made.empty() || made.back() == ' ')) continue;
    made.push_back(unicode::ascii_lower(c));
  }
  if (!made.empty() && made.back() == ' ') made.pop_back();
  return made;
}

std::string comparable(ByteView type, const der::Element& value) {
  const bool folds = value.tag == der::utf8_string || value.tag == der::printable_string ||
                     (value.tag == der::ia5_string && equal(type, oid::domain_component));
  if (folds) return folded(as_text(value.content));
  return std::string(as_text(value.whole));
}

Result<Parts> parts_of(ByteView der) {
  HANAPER_TRY(der::Reader sequence, der::open(der, der::sequence));
  Parts parts;
  std::size_t count = 0;
  while (!sequence.at_end()) {
    HANAPER_TRY(der::Reader set, sequence.enter(der::set));
    std::vector<Attribute>& part = parts.emplace_back();
    while (!set.at_end()) {
      if (++count > max_attributes) return malformed("name: more than 32 attributes");
      HANAPER_TRY(der::Reader pair, set.enter(der::sequence));
      HANAPER_TRY(const ByteView type, pair.read_oid());
      HANAPER_TRY(const der::Element value, pair.next());
      HANAPER_CHECK(pair.finish());
      part.emplace_back(der::oid_to_text(type), comparable(type, value));
    }
    std::ranges::sort(part);
  }
  return parts;
}

Parts parts_of(const Name& name) {
  Parts parts;
  for (const NameAttribute& attribute : name) {
    if (!attribute.joined || parts.empty()) parts.emplace_back();
    parts.back().emplace_back(attribute.oid, folded(attribute.value));
  }
  for (std::vector<Attribute>& part : parts) std::ranges::sort(part);
  return parts;
}

}  // namespace

bool same_name(ByteView a, ByteView b) {
  if (equal(a, b)) return true;
  const auto first = parts_of(a), second = parts_of(b);
  return first && second && *first == *second;
}

bool is_name_of(const Name& text, ByteView der) {
  const auto name = parse_name(der);
  return name && parts_of(*name) == parts_of(text);
}

}  // namespace hanaper::x509
