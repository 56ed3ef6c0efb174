#include "lint.hpp"

namespace hanaper::lint {

Status Lint::configure(const Settings& settings, Host& host) {
  host_ = &host;
  strict_ = settings.boolean("strict");
  const std::vector<std::string> skip = settings.texts("skip");
  for (const std::string& name : skip) {
    if (find_rule(name) == nullptr)
      return settings.error("skip", "no rule " + in_quotes(name) + "; the nearest is \"" +
                                        std::string(nearest_rule(name)) + "\"");
    if (name == gate)
      return settings.error("skip",
                            in_quotes(name) + " cannot be left out, because all other rules stand on it");
  }
  active_.clear();
  for (const Rule& rule : rules())
    if (std::ranges::find(skip, rule.name) == skip.end()) active_.push_back(&rule);
  return {};
}

Status Lint::validate(const Draft& draft, Call&) {
  const Subject subject = Subject::read(draft.tbs);
  for (const Rule* rule : active_) {
    const Finding finding = rule->check(subject);
    if (!finding) continue;
    if (rule->severity == Severity::error || strict_) {
      count("hanaper_lint_refusals_total", "Certificates refused before signing, by rule", *rule);
      return rejected("lint " + std::string(rule->name) + " (" + std::string(rule->citation) +
                      "): " + *finding);
    }
    warn(draft, *rule, *finding);
  }
  return {};
}

void Lint::warn(const Draft& draft, const Rule& rule, const std::string& what) {
  count("hanaper_lint_warnings_total", "Certificates that a rule warned of, by rule", rule);
  {
    const Lock lock(mutex_);
    if (!logged_.emplace(draft.profile, rule.name).second) return;
  }
  host_->log().warning("a certificate is lawful but unwise; told once for each profile and rule",
                       {{"profile", std::string(draft.profile)},
                        {"rule", std::string(rule.name)},
                        {"citation", std::string(rule.citation)},
                        {"finding", what}});
}

void Lint::count(const char* metric, const char* help, const Rule& rule) {
  host_->metrics().counter(metric, help, {{"rule", std::string(rule.name)}}).add();
}

}  // namespace hanaper::lint
