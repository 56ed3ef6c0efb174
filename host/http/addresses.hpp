// Addresses of peers: one form each, and the ranges they are in.
#pragma once

#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/identifiers.hpp>

#include <algorithm>
#include <span>

namespace hanaper::http {

// The address of IPv4 that an IPv4-mapped address of IPv6 stands for (RFC 4291 2.5.5.2); others as they are.
inline ByteView plain_address(ByteView octets) {
  constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return octets.size() == 16 && equal(octets.first(12), mapped) ? octets.subspan(12) : octets;
}

// The plain address that a text gives; nothing when it gives none.
inline std::optional<Bytes> read_address(std::string_view text) {
  const Result<Bytes> octets = x509::ip_octets(text);
  if (!octets) return std::nullopt;
  return to_bytes(plain_address(*octets));
}

// Whether one of the ranges has the address; both in the plain form.
inline bool in_any(std::span<const x509::Subtree> ranges, ByteView address) {
  return std::ranges::any_of(ranges, [&](const x509::Subtree& range) {
    if (range.base.size() != 2 * address.size()) return false;
    for (std::size_t i = 0; i < address.size(); ++i)
      if ((address[i] & range.base[address.size() + i]) != range.base[i]) return false;
    return true;
  });
}

}  // namespace hanaper::http
