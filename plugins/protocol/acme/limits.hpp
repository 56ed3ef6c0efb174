// How much one account, name or address may ask (RFC 8555 6.6).
#pragma once

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/values.hpp>

#include <memory>
#include <unordered_map>

namespace hanaper::acme {

// One rule: at most `count` in any `window`, spread evenly once the first `count` are gone. Counts in memory,
// for each node by itself, for at most a hundred thousand keys at once. Thread-safe.
class Limit {
 public:
  // "orders-per-account 300/3h"; malformed says what is wrong and names the kinds.
  static Result<std::unique_ptr<Limit>> parse(std::string_view text);

  std::string_view kind() const noexcept { return kind_; }
  const std::string& text() const noexcept { return text_; }

  // [any] Counts one for `key`. rate_limited names the limit and says when to come back.
  Status take(const std::string& key, Time now);
  // [any] The same without counting.
  Status check(const std::string& key, Time now);

 private:
  Limit() = default;
  Status judge(Time full_at, Time now) const;
  static constexpr std::size_t most_keys = 100'000;

  // Constant after parse.
  std::string text_;
  std::string kind_;
  std::int64_t count_ = 0;
  std::chrono::milliseconds window_{};

  Mutex mutex_;
  // When the key's allowance is whole again: one number for each, whatever its count.
  std::unordered_map<std::string, Time> full_at_ HANAPER_GUARDED_BY(mutex_);
};

class Limits {
 public:
  static Result<Limits> parse(const std::vector<std::string>& texts);
  // [any] Asks every rule of that kind.
  Status take(std::string_view kind, const std::string& key, Time now) const;
  Status check(std::string_view kind, const std::string& key, Time now) const;

 private:
  std::vector<std::unique_ptr<Limit>> limits_;
};

}  // namespace hanaper::acme
