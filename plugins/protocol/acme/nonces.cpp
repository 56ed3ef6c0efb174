#include "nonces.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::acme {
namespace {

constexpr std::size_t random_size = 12;  // beside the time, in shared ones

void put(std::uint8_t* to, std::uint64_t number) {
  for (std::size_t i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
}
std::uint64_t number_of(ByteView octets) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | octets[i];
  return number;
}

}  // namespace

Nonces::Nonces(std::size_t window)
    : window_(window), used_(std::make_unique<std::atomic<std::uint64_t>[]>(window / 64)) {
  crypto::random(key_);
}

std::string Nonces::sealed(ByteView content) const {
  Bytes octets = to_bytes(content);
  const Fingerprint mac = crypto::hmac_sha256(key_, content);
  octets.insert(octets.end(), mac.begin(), mac.begin() + mac_size);
  return base64::encode_url(octets);
}

bool Nonces::authentic(ByteView octets) const {
  const std::size_t content = 8 + (shared_ ? random_size : 0);
  if (octets.size() != content + mac_size) return false;
  const Fingerprint mac = crypto::hmac_sha256(key_, octets.first(content));
  return crypto::equal_constant_time(ByteView(mac).first(mac_size), octets.subspan(content));
}

std::string Nonces::issue(Time now) {
  if (shared_) {
    std::array<std::uint8_t, 8 + random_size> content;
    put(content.data(), static_cast<std::uint64_t>(now.time_since_epoch().count()));
    crypto::random(std::span(content).subspan(8));
    return sealed(content);
  }
  const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
  // The ring comes round: whoever opens a word forgets what was used a whole window ago. Numbers that old are
  // refused by their age, with a margin for those that are issued in the same moment.
  if (number % 64 == 0) used_[number / 64 % (window_ / 64)].store(0, std::memory_order_relaxed);
  std::array<std::uint8_t, 8> content;
  put(content.data(), number);
  return sealed(content);
}

Nonces::Verdict Nonces::check(std::string_view nonce, Time now) const {
  const auto octets = base64::decode_url(nonce);
  if (!octets) return Verdict::not_a_nonce;
  if (!authentic(*octets)) return Verdict::bad;
  const std::uint64_t number = number_of(*octets);
  if (shared_) {
    const Time made{std::chrono::milliseconds{static_cast<std::int64_t>(number)}};
    // The clocks of two nodes are never quite the same.
    const bool fresh = made > now - shared_lifetime && made < now + std::chrono::minutes{5};
    return fresh ? Verdict::good : Verdict::bad;
  }
  const std::uint64_t next = next_.load(std::memory_order_relaxed);
  if (number >= next || next - number > window_ - 4096) return Verdict::bad;
  const std::uint64_t bit = std::uint64_t{1} << number % 64;
  const std::uint64_t used = used_[number / 64 % (window_ / 64)].load(std::memory_order_acquire);
  return used & bit ? Verdict::bad : Verdict::good;
}

bool Nonces::spend(std::string_view nonce) {
  const auto octets = base64::decode_url(nonce);
  if (!octets || octets->size() < 8) return false;
  const std::uint64_t number = number_of(*octets);
  const std::uint64_t bit = std::uint64_t{1} << number % 64;
  return (used_[number / 64 % (window_ / 64)].fetch_or(bit, std::memory_order_acq_rel) & bit) == 0;
}

}  // namespace hanaper::acme
