// Replay-Nonces (RFC 8555 6.5): authenticated, and good once.
#pragma once

#include <hanaper/values.hpp>

#include <atomic>
#include <memory>

namespace hanaper::acme {

// Two ways of knowing which have been used.
//
// Alone: a nonce is a number with a MAC under a key of this process; a ring of bits remembers which numbers
// have been used, and those that have left the ring are as good as used.
//
// Shared by several nodes: a nonce is a time and random octets with a MAC under the key of all nodes; whoever
// stores its name first has used it. Old ones are refused by their time, so that the names need not be kept.
//
// Thread-safe, lock-free.
class Nonces {
 public:
  static constexpr auto shared_lifetime = std::chrono::hours{1};

  // About a million nonces may be out at once.
  explicit Nonces(std::size_t window = 1 << 20);

  // [main] From here on nonces are shared by all who have that key.
  void share(const Fingerprint& key) {
    key_ = key;
    shared_ = true;
  }
  bool shared() const noexcept { return shared_; }

  // [any] base64url.
  std::string issue(Time now);

  enum class Verdict { good, not_a_nonce, bad };
  // [any] Whether it is one of ours and not too old, and, alone, not used yet. Uses nothing up.
  Verdict check(std::string_view nonce, Time now) const;
  // [any] Alone: true once for each nonce that was checked.
  bool spend(std::string_view nonce);

 private:
  static constexpr std::size_t mac_size = 13;
  bool authentic(ByteView octets) const;
  std::string sealed(ByteView content) const;

  const std::size_t window_;
  Fingerprint key_;  // constant after start, as is shared_
  bool shared_ = false;
  std::atomic<std::uint64_t> next_{0};
  std::unique_ptr<std::atomic<std::uint64_t>[]> used_;
};

}  // namespace hanaper::acme
