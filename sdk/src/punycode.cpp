#include <hanaper/toolkit/punycode.hpp>

#include <cstdint>

namespace hanaper::punycode {

// RFC 3492 6.2 with the parameters of its section 5; the code points are only judged, not kept.
bool decodes(std::string_view a_label) noexcept {
  constexpr std::uint32_t base = 36, t_min = 1, t_max = 26, skew = 38, damp = 700;
  std::string_view input = a_label.size() < 4 ? std::string_view{} : a_label.substr(4);
  const std::size_t hyphen = input.rfind('-');
  std::uint32_t length = hyphen == std::string_view::npos ? 0 : static_cast<std::uint32_t>(hyphen);
  if (hyphen != std::string_view::npos) input.remove_prefix(hyphen + 1);
  if (input.empty()) return false;

  std::uint32_t point = 0x80, index = 0, bias = 72;
  while (!input.empty()) {
    const std::uint32_t before = index;
    std::uint32_t weight = 1;
    for (std::uint32_t k = base;; k += base) {
      if (input.empty()) return false;
      const char c = input.front();
      input.remove_prefix(1);
      std::uint32_t digit = base;
      if (c >= 'a' && c <= 'z') digit = static_cast<std::uint32_t>(c - 'a');
      if (c >= 'A' && c <= 'Z') digit = static_cast<std::uint32_t>(c - 'A');
      if (c >= '0' && c <= '9') digit = static_cast<std::uint32_t>(c - '0' + 26);
      if (digit == base) return false;
      if (digit > (0xffffffff - index) / weight) return false;
      index += digit * weight;
      const std::uint32_t threshold = k <= bias ? t_min : k >= bias + t_max ? t_max : k - bias;
      if (digit < threshold) break;
      if (weight > 0xffffffff / (base - threshold)) return false;
      weight *= base - threshold;
    }
    ++length;
    std::uint32_t delta = before == 0 ? (index - before) / damp : (index - before) / 2;
    delta += delta / length;
    std::uint32_t rounds = 0;
    for (; delta > (base - t_min) * t_max / 2; delta /= base - t_min) rounds += base;
    bias = rounds + (base - t_min + 1) * delta / (delta + skew);
    if (index / length > 0x10ffff - point) return false;
    point += index / length;
    if (point >= 0xd800 && point < 0xe000) return false;
    index = index % length + 1;
  }
  return true;
}

}  // namespace hanaper::punycode
