#include <hanaper/toolkit/base64.hpp>

namespace hanaper {
namespace {

constexpr char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

consteval std::array<std::int8_t, 256> reverse(const char* alphabet) {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 64; ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}
constexpr auto from_standard = reverse(standard);
constexpr auto from_url_safe = reverse(url_safe);

std::string encode_with(const char* alphabet, bool pad, ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
    for (int shift : {18, 12, 6, 0}) text.push_back(alphabet[group >> shift & 63]);
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return text;
  const std::uint32_t group = bytes[i] << 16 | (left == 2 ? bytes[i + 1] << 8 : 0);
  text.push_back(alphabet[group >> 18 & 63]);
  text.push_back(alphabet[group >> 12 & 63]);
  if (left == 2) text.push_back(alphabet[group >> 6 & 63]);
  if (pad) text.append(3 - left, '=');
  return text;
}

Result<Bytes> decode_with(const std::array<std::int8_t, 256>& table, std::string_view text) {
  if (text.size() % 4 == 1) return malformed("base64 has an impossible length");
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t group = 0;
  int bits = 0;
  for (unsigned char c : text) {
    if (table[c] < 0) return malformed("base64 holds a character outside its alphabet");
    group = group << 6 | static_cast<std::uint32_t>(table[c]);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(group >> bits));
    }
  }
  if ((group & ((1u << bits) - 1)) != 0) return malformed("base64 ends in stray bits");
  return bytes;
}

}  // namespace

namespace base64 {

std::string encode(ByteView bytes) { return encode_with(standard, true, bytes); }
std::string encode_url(ByteView bytes) { return encode_with(url_safe, false, bytes); }

Result<Bytes> decode(std::string_view text) {
  if (text.size() % 4 != 0) return malformed("base64 is not padded");
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  if ((text.size() + padding) % 4 != 0) return malformed("base64 has wrong padding");
  return decode_with(from_standard, text);
}

Result<Bytes> decode_url(std::string_view text) { return decode_with(from_url_safe, text); }

}  // namespace base64

namespace pem {

std::string encode(std::string_view label, ByteView der) {
  const std::string body = base64::encode(der);
  std::string text = "-----BEGIN " + std::string(label) + "-----\n";
  for (std::size_t i = 0; i < body.size(); i += 64) text.append(body, i, 64).push_back('\n');
  return text + "-----END " + std::string(label) + "-----\n";
}

Result<std::vector<Block>> decode(std::string_view text) {
  if (text.size() > 16 * 1024 * 1024) return malformed("pem: more than 16 MiB");
  constexpr std::string_view begin = "-----BEGIN ", dashes = "-----";
  std::vector<Block> blocks;
  std::size_t at = 0;
  while ((at = text.find(begin, at)) != std::string_view::npos) {
    const std::size_t label_start = at + begin.size();
    const std::size_t label_end = text.find(dashes, label_start);
    if (label_end == std::string_view::npos) return malformed("pem: begin line without end");
    const std::string label(text.substr(label_start, label_end - label_start));
    const std::string closing = "-----END " + label + "-----";
    const std::size_t body_start = label_end + dashes.size();
    const std::size_t body_end = text.find(closing, body_start);
    if (body_end == std::string_view::npos) return malformed("pem: " + label + " without end line");
    std::string body;
    for (char c : text.substr(body_start, body_end - body_start)) {
      if (c == ':') return malformed("pem: " + label + " with encapsulated headers");
      if (c != '\n' && c != '\r' && c != ' ' && c != '\t') body.push_back(c);
    }
    auto der = base64::decode(body);
    if (!der) return std::move(der).error().within("pem: " + label);
    blocks.push_back({label, *std::move(der)});
    at = body_end + closing.size();
  }
  return blocks;
}

}  // namespace pem
}  // namespace hanaper
