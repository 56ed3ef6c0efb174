// Replay-Nonces (RFC 8555 6.5): authenticated, and good once.
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <atomic>
#include <map>
#include <memory>

namespace hanaper::acme {

// What is in a nonce says whether it is ours and how old it is, so that drawing one costs no memory and takes
// nothing from those that are out already. Two ways of knowing which have been used:
//
// Alone: a nonce is a time and a number with a MAC under a key of this process; who has used which number is
// remembered for as long as a nonce lives. When more are used than there is memory for, the oldest numbers
// are given up: their nonces are as good as used.
//
// Shared by several nodes: a nonce is a time and random octets with a MAC under the key of all nodes; whoever
// stores its name first has used it. Old ones are refused by their time, so that the names need not be kept.
//
// Thread-safe.
class Nonces {
 public:
  static constexpr auto lifetime = std::chrono::hours{1};

  // Memory for that many runs of numbers in which one has been used: a hundred octets each, and a run has
  // 256.
  explicit Nonces(std::size_t runs = 1 << 19);

  // [any] From here on nonces are shared by all who have that key: those that were given out before are bad.
  // Called once.
  void share(const Fingerprint& key) {
    shared_key_ = key;
    shared_ = true;
  }
  bool shared() const noexcept { return shared_; }

  // [any] base64url.
  std::string issue(Time now);

  enum class Verdict { good, not_a_nonce, bad };
  // [any] Whether it is one of ours and not too old, and, alone, not used yet. Uses nothing up.
  Verdict check(std::string_view nonce, Time now) const;
  // [any] Alone: true once for each nonce that was checked.
  bool spend(std::string_view nonce, Time now);

 private:
  static constexpr std::size_t mac_size = 13;
  static constexpr std::uint64_t run_size = 256;
  struct Run {
    std::array<std::uint64_t, run_size / 64> used{};
    Time latest{};  // when the youngest of those that are used was made
  };
  // Those runs that are used at the same time lie in different parts.
  struct Part {
    mutable Mutex mutex;
    std::map<std::uint64_t, Run> runs HANAPER_GUARDED_BY(mutex);  // by their place in the order of numbers
    std::uint64_t given_up HANAPER_GUARDED_BY(mutex) = 0;         // runs before this one
  };
  bool authentic(ByteView octets, bool shared) const;
  std::string sealed(ByteView content, bool shared) const;
  Part& part_of(std::uint64_t run) const { return (*parts_)[run % parts_->size()]; }

  const std::unique_ptr<std::array<Part, 16>> parts_ = std::make_unique<std::array<Part, 16>>();
  const std::size_t runs_in_part_;  // the constructor reads parts_ for it: keep that order
  Fingerprint key_;                 // of this process
  Fingerprint shared_key_{};        // constant once shared_ is set
  std::atomic<bool> shared_{false};
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace hanaper::acme
