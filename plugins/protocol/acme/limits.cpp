#include "limits.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <charconv>

namespace hanaper::acme {
namespace {

constexpr std::string_view kinds[] = {"orders-per-account", "orders-per-name", "names-per-account",
                                      "accounts-per-address", "failures-per-account"};

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
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), number);
  if (error != std::errc{} || end != count.data() + count.size() || number < 1 || number > 1'000'000'000)
    return form;
  const auto window = parse_duration(text.substr(slash + 1));
  if (!window || window->count() < number) return form;
  limit->allowances_ = std::make_unique<Allowances>(number, *window);
  return limit;
}

Status Limit::judge(std::chrono::milliseconds wait) const {
  if (wait.count() == 0) return {};
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
  return Error{
      Code::rate_limited,
      "the limit " + text_ + " is reached; try again in " + std::to_string(seconds.count()) + " seconds",
      seconds};
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
