#include "limits.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <charconv>

namespace hanaper::acme {
namespace {

constexpr std::string_view kinds[] = {"orders-per-account", "orders-per-name", "accounts-per-address",
                                      "failures-per-account"};

std::string known_kinds() {
  std::string list;
  for (std::string_view kind : kinds) list += (list.empty() ? "" : ", ") + std::string(kind);
  return list;
}

}  // namespace

Result<std::unique_ptr<Limit>> Limit::parse(std::string_view text) {
  const Error form = malformed("\"" + std::string(text) +
                               "\" is no limit; write a kind, a count and a duration, as in "
                               "\"orders-per-account 300/3h\"");
  const std::size_t space = text.find(' '), slash = text.find('/');
  if (space == std::string_view::npos || slash == std::string_view::npos || slash < space) return form;
  std::unique_ptr<Limit> limit(new Limit);
  limit->text_ = text;
  limit->kind_ = text.substr(0, space);
  if (std::ranges::find(kinds, limit->kind_) == std::end(kinds))
    return malformed("\"" + limit->kind_ + "\" is no kind of limit; there are " + known_kinds());
  const std::string_view count = text.substr(space + 1, slash - space - 1);
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), limit->count_);
  if (error != std::errc{} || end != count.data() + count.size() || limit->count_ < 1 ||
      limit->count_ > 1'000'000'000)
    return form;
  const auto window = parse_duration(text.substr(slash + 1));
  if (!window || window->count() < limit->count_) return form;
  limit->window_ = *window;
  return limit;
}

// Each one moves the time when the allowance is whole again; it may not be further away than the window.
Status Limit::judge(Time full_at, Time now) const {
  const std::chrono::milliseconds each = window_ / count_;
  const auto over = std::max(full_at, now) + each - now - each * count_;
  if (over.count() <= 0) return {};
  const auto wait = std::chrono::ceil<std::chrono::seconds>(over);
  return Error{
      Code::rate_limited,
      "the limit " + text_ + " is reached; try again in " + std::to_string(wait.count()) + " seconds", wait};
}

Status Limit::take(const std::string& key, Time now) {
  const Lock lock(mutex_);
  if (full_at_.size() >= most_keys) {
    std::erase_if(full_at_, [&](const auto& entry) { return entry.second <= now; });
    // So many at work at once: forgetting favours clients, refusing would stop everybody.
    if (full_at_.size() >= most_keys) full_at_.clear();
  }
  Time& full_at = full_at_[key];
  HANAPER_CHECK(judge(full_at, now));
  full_at = std::max(full_at, now) + window_ / count_;
  return {};
}

Status Limit::check(const std::string& key, Time now) {
  const Lock lock(mutex_);
  const auto found = full_at_.find(key);
  return found == full_at_.end() ? Status() : judge(found->second, now);
}

Result<Limits> Limits::parse(const std::vector<std::string>& texts) {
  Limits limits;
  for (const std::string& text : texts) {
    HANAPER_TRY(std::unique_ptr<Limit> limit, Limit::parse(text));
    limits.limits_.push_back(std::move(limit));
  }
  return limits;
}

Status Limits::take(std::string_view kind, const std::string& key, Time now) const {
  for (const auto& limit : limits_)
    if (limit->kind() == kind) HANAPER_CHECK(limit->take(key, now));
  return {};
}

Status Limits::check(std::string_view kind, const std::string& key, Time now) const {
  for (const auto& limit : limits_)
    if (limit->kind() == kind) HANAPER_CHECK(limit->check(key, now));
  return {};
}

}  // namespace hanaper::acme
