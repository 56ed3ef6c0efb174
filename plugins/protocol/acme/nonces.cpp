#include "nonces.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::acme {

Nonces::Nonces(std::size_t window)
    : window_(window), used_(std::make_unique<std::atomic<std::uint64_t>[]>(window / 64)) {
  crypto::random(key_);
}

std::array<std::uint8_t, 8 + Nonces::mac_size> Nonces::seal(std::uint64_t number) const {
  std::array<std::uint8_t, 8 + mac_size> sealed;
  for (std::size_t i = 0; i < 8; ++i) sealed[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  const Fingerprint mac = crypto::hmac_sha256(key_, ByteView(sealed).first(8));
  std::copy_n(mac.begin(), mac_size, sealed.begin() + 8);
  return sealed;
}

std::string Nonces::issue() {
  const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
  // The ring comes round: whoever opens a word forgets what was used a whole window ago. Numbers that old are
  // refused by their age, with a margin for those that are issued in the same moment.
  if (number % 64 == 0) used_[number / 64 % (window_ / 64)].store(0, std::memory_order_relaxed);
  return base64::encode_url(seal(number));
}

Nonces::Verdict Nonces::redeem(std::string_view nonce) {
  const auto octets = base64::decode_url(nonce);
  if (!octets) return Verdict::not_a_nonce;
  if (octets->size() != 8 + mac_size) return Verdict::spent;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | (*octets)[i];
  if (!crypto::equal_constant_time(seal(number), *octets)) return Verdict::spent;
  const std::uint64_t next = next_.load(std::memory_order_relaxed);
  if (number >= next || next - number > window_ - 4096) return Verdict::spent;
  const std::uint64_t bit = std::uint64_t{1} << number % 64;
  const std::uint64_t before = used_[number / 64 % (window_ / 64)].fetch_or(bit, std::memory_order_acq_rel);
  return before & bit ? Verdict::spent : Verdict::good;
}

}  // namespace hanaper::acme
