// The linter: the last reader of a certificate before it is signed.
#pragma once

#include "rules.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <set>

namespace hanaper::lint {

inline constexpr SettingKey keys[] = {
    {"strict", SettingType::boolean, "false", nullptr, "refuse what rules only warn of, too"},
    {"skip", SettingType::texts, "[]", nullptr, "names of rules to leave out"},
};

// Reads what would be signed and refuses it by the first rule it breaks. Warnings are counted, and logged
// once for each profile and rule; `strict` makes them refusals. Thread-safe once it is configured.
class Lint final : public Validator {
 public:
  // [main] malformed for names in `skip` that no rule has.
  Status configure(const Settings& settings, Host& host) override;

  // [worker] rejected: "lint <rule> (<citation>): <what is wrong>".
  Status validate(const Draft& draft, Call& call) override;

 private:
  void warn(const Draft& draft, const Rule& rule, const std::string& what);
  void count(const char* metric, const char* help, const Rule& rule);

  // Constant after configure.
  Host* host_ = nullptr;
  bool strict_ = false;
  std::vector<const Rule*> active_;

  // Which warnings were logged, by profile and rule. Bounded by the configuration.
  Mutex mutex_;
  std::set<std::pair<std::string, std::string_view>, std::less<>> logged_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::lint
