// The door of policy/names: which names may stand in certificates.
#include <hanaper/host.hpp>
#include <hanaper/toolkit/name_pattern.hpp>

#include <algorithm>

namespace hanaper::names {
namespace {

constexpr SettingKey keys[] = {
    {"permit", SettingType::texts, "[]", nullptr,
     "names, and attributes of the subject, to permit; with none, all that are not excluded"},
    {"exclude", SettingType::texts, "[]", nullptr,
     "names, and attributes of the subject, to refuse, whatever is permitted"},
};

using x509::NamePattern;

class Names final : public Policy {
 public:
  Status configure(const Settings& settings, Host&) override {
    for (auto [key, patterns] : {std::pair{"permit", &permit_}, {"exclude", &exclude_}}) {
      for (const std::string& text : settings.texts(key)) {
        auto pattern = NamePattern::parse(text);
        if (!pattern) return settings.error(key, pattern.error().detail);
        patterns->push_back(*std::move(pattern));
      }
    }
    permits_subjects_ = std::ranges::any_of(permit_, &NamePattern::is_of_subject);
    permits_names_ = !std::ranges::all_of(permit_, &NamePattern::is_of_subject);
    return {};
  }

  Status decide(Draft& draft, Call&) override {
    for (const Identifier& name : draft.names) {
      for (const NamePattern& pattern : exclude_)
        if (pattern.covers(name) || pattern.hit_by_wildcard(name))
          return rejected("\"" + name.value + "\" is excluded by \"" + pattern.text() + "\"");
      if (permits_names_ && !is_permitted(name))
        return rejected("\"" + name.value + "\" is not among the permitted names");
    }
    for (const NameAttribute& attribute : draft.subject) HANAPER_CHECK(decide(attribute, draft.names));
    return {};
  }

 private:
  template <class T>
  bool is_permitted(const T& thing) const {
    return std::ranges::any_of(permit_, [&](const NamePattern& pattern) { return pattern.covers(thing); });
  }

  Status decide(const NameAttribute& attribute, const std::vector<Identifier>& names) const {
    for (const NamePattern& pattern : exclude_)
      if (pattern.covers(attribute))
        return rejected("\"" + x509::name_text({attribute}) + "\" is excluded by \"" + pattern.text() + "\"");
    if (!permits_subjects_ || is_permitted(attribute)) return {};
    // What is one of the names has been judged as that.
    const std::vector<Identifier> own = x509::subject_names({attribute}, true).names;
    if (!own.empty() && std::ranges::find(names, own.front()) != names.end()) return {};
    return rejected("\"" + x509::name_text({attribute}) + "\" is not among the permitted attributes");
  }

  // Constant after configure.
  std::vector<NamePattern> permit_, exclude_;
  bool permits_names_ = false, permits_subjects_ = false;  // whether `permit` says anything of them
};

}  // namespace
}  // namespace hanaper::names

HANAPER_PLUGIN(.kind = "policy", .name = "names", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "permits and excludes names by name, suffix, wildcard and address range",
               .keys = hanaper::names::keys, .key_count = std::size(hanaper::names::keys),
               .create = hanaper::create_plugin<hanaper::names::Names>);
