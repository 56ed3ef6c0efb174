// Replay-Nonces (RFC 8555 6.5): authenticated, good once, at the cost of one bit each.
#pragma once

#include <hanaper/values.hpp>

#include <atomic>
#include <memory>

namespace hanaper::acme {

// A nonce is a number with a MAC; a ring of bits remembers which numbers have been used. Numbers that have
// left the ring are as good as used. Thread-safe, lock-free.
class Nonces {
 public:
  // About a million nonces may be out at once.
  explicit Nonces(std::size_t window = 1 << 20);

  // [any] 28 characters of base64url.
  std::string issue();

  enum class Verdict { good, not_a_nonce, spent };
  // [any] good at most once for each nonce.
  Verdict redeem(std::string_view nonce);

 private:
  static constexpr std::size_t mac_size = 13;
  std::array<std::uint8_t, 8 + mac_size> seal(std::uint64_t number) const;

  const std::size_t window_;
  Fingerprint key_;  // constant after construction
  std::atomic<std::uint64_t> next_{0};
  std::unique_ptr<std::atomic<std::uint64_t>[]> used_;
};

}  // namespace hanaper::acme
