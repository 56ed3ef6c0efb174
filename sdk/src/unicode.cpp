#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

namespace hanaper::unicode {
namespace {

using Range = std::pair<std::uint32_t, std::uint32_t>;

bool lies_in(std::span<const Range> ranges, std::uint32_t point) noexcept {
  return std::ranges::any_of(
      ranges, [&](const Range& range) { return point >= range.first && point <= range.second; });
}

constexpr Range unseen[] = {
    {0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},   {0x08e2, 0x08e2},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f},   {0x3164, 0x3164},   {0xe000, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff}};

// Forms of ASCII and blanks that are none: wide, mathematical, enclosed, and dots, dashes, slashes.
constexpr Range in_disguise[] = {{0x00a0, 0x00a0},   {0x02d0, 0x02d0},   {0x1680, 0x1680},  {0x2000, 0x200a},
                                 {0x2010, 0x2015},   {0x2024, 0x2024},   {0x202f, 0x202f},  {0x2044, 0x2044},
                                 {0x2052, 0x2053},   {0x205f, 0x205f},   {0x2100, 0x214f},  {0x2160, 0x2188},
                                 {0x2212, 0x2212},   {0x2215, 0x2215},   {0x2236, 0x2236},  {0x2460, 0x24ff},
                                 {0x3000, 0x3000},   {0x3002, 0x3002},   {0xff01, 0xff5e},  {0xff61, 0xff61},
                                 {0x1d400, 0x1d7ff}, {0x1f100, 0x1f1ff}, {0x1fbf0, 0x1fbf9}};

// Scripts with letters that nobody tells from Latin ones: Greek, Cyrillic, Armenian, Cherokee, Lisu, Coptic,
// and the small letters of phonetics.
constexpr Range alike[] = {{0x0250, 0x02af}, {0x0370, 0x03ff},  {0x0400, 0x052f}, {0x0531, 0x058f},
                           {0x13a0, 0x13ff}, {0x1c80, 0x1c8f},  {0x1d00, 0x1dbf}, {0x1f00, 0x1fff},
                           {0x2c80, 0x2cff}, {0x2de0, 0x2dff},  {0xa4d0, 0xa4ff}, {0xa640, 0xa69f},
                           {0xab30, 0xabbf}, {0x10280, 0x1031f}};

bool is_latin(std::uint32_t point) noexcept {
  return (point >= 'A' && point <= 'Z') || (point >= 'a' && point <= 'z') ||
         (point >= 0xc0 && point <= 0x24f);
}

void append_escaped(std::string& text, std::uint32_t point) {
  char digits[8];
  const auto end = std::to_chars(digits, digits + sizeof digits, point, 16).ptr;
  text.append("\\u{").append(digits, end).append("}");
}

}  // namespace

std::optional<Character> first(std::string_view text) {
  const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (text.empty()) return {};
  const std::uint32_t lead = octet(0);
  const std::size_t size = lead < 0x80   ? 1
                           : lead < 0xc2 ? 0
                           : lead < 0xe0 ? 2
                           : lead < 0xf0 ? 3
                           : lead < 0xf5 ? 4
                                         : 0;
  if (size == 0 || size > text.size()) return {};
  std::uint32_t point = size == 1 ? lead : lead & (0x7fu >> size);
  for (std::size_t k = 1; k < size; ++k) {
    if (octet(k) >> 6 != 2) return {};
    point = point << 6 | (octet(k) & 0x3fu);
  }
  const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
  if (overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return {};
  return Character{point, size};
}

bool is_seen(std::uint32_t point) noexcept {
  if (point >= 0x20 && point < 0x7f) return true;
  return !lies_in(unseen, point);
}

bool is_all_seen(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto character = first(text);
    if (!character || !is_seen(character->point)) return false;
    text.remove_prefix(character->size);
  }
  return true;
}

std::string shown(std::string_view text) {
  bool latin = false, plain = true;
  for (std::string_view rest = text; !rest.empty();) {
    const auto character = first(rest);
    latin = latin || (character && is_latin(character->point));
    plain = plain && character && character->point >= 0x20 && character->point < 0x7f;
    rest.remove_prefix(character ? character->size : 1);
  }
  if (plain) return std::string(text);
  std::string result;
  while (!text.empty()) {
    const auto character = first(text);
    if (!character)
      result += "?";
    else if (!is_seen(character->point) || lies_in(in_disguise, character->point) ||
             (latin && lies_in(alike, character->point)))
      append_escaped(result, character->point);
    else
      result.append(text.substr(0, character->size));
    text.remove_prefix(character ? character->size : 1);
  }
  return result;
}

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = ascii_lower(c);
  return lower;
}

}  // namespace hanaper::unicode
