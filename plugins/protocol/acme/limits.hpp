// How much one account, name or address may ask (RFC 8555 6.6).
#pragma once

#include <hanaper/toolkit/allowances.hpp>

#include <memory>

namespace hanaper::acme {

// One rule, in memory, for each node by itself. Thread-safe.
class Limit {
 public:
  // "orders-per-account 300/3h"; malformed says what is wrong and names the kinds.
  static Result<std::unique_ptr<Limit>> parse(std::string_view text);

  std::string_view kind() const noexcept { return kind_; }
  const std::string& text() const noexcept { return text_; }

  // [any] Counts one for `key`. rate_limited names the limit and says when to come back.
  Status take(const std::string& key, Time now) { return judge(allowances_->take(key, now)); }
  // [any] The same without counting.
  Status check(const std::string& key, Time now) const { return judge(allowances_->wait(key, now)); }

 private:
  Limit() = default;
  Status judge(std::chrono::milliseconds wait) const;

  // Constant after parse.
  std::string text_;
  std::string kind_;
  std::unique_ptr<Allowances> allowances_;
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
