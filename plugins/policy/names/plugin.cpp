// The door of policy/names: which names may stand in certificates.
#include <hanaper/host.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name.hpp>

#include <algorithm>
#include <optional>

namespace hanaper::names {
namespace {

constexpr SettingKey keys[] = {
    {"permit", SettingType::texts, "[]", nullptr,
     "names, and attributes of the subject, to permit; with none, all that are not excluded"},
    {"exclude", SettingType::texts, "[]", nullptr,
     "names, and attributes of the subject, to refuse, whatever is permitted"},
};

// RFC 5280 7.1 compares attributes without regard to case.
std::string folded(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lower;
}

// One pattern of the configuration.
//   host.example.test   that name
//   *                   every name of a single label
//   *.example.test      every name one label below, and the wildcard name itself
//   .example.test       every name below, at any depth, wildcard names among them
//   192.0.2.0/24        addresses of that range
//   @example.test       mail addresses of that host
//   permanent-identifier:C02XK1   that device; likewise hardware-module:
//   permanent-identifier:C02*     devices whose names begin so
//   O=Example, OU=Lab*  that attribute of the subject, or those that begin so
class Pattern {
 public:
  static Result<Pattern> parse(std::string_view text) {
    Pattern pattern;
    pattern.text_ = text;
    if (text.find('=') != std::string_view::npos) {
      HANAPER_TRY(const x509::Name parts, x509::parse_name_text(text));
      if (parts.size() != 1) return malformed("\"" + pattern.text_ + "\" is more than one attribute");
      pattern.attribute_ = parts.front().oid;
      pattern.base_ = folded(parts.front().value);
      return pattern;
    }
    for (const auto kind : identifier_kinds) {
      const std::string prefix = std::string(to_string(kind)) + ":";
      if (!names_device(kind) || !text.starts_with(prefix)) continue;
      pattern.device_ = kind;
      pattern.base_ = text.substr(prefix.size());
      if (pattern.base_.empty()) return malformed("\"" + pattern.text_ + "\" names no device");
      return pattern;
    }
    if (text.find('/') != std::string_view::npos || text.find('@') != std::string_view::npos ||
        x509::ip_octets(text)) {
      HANAPER_TRY(pattern.subtree_, x509::parse_subtree(text));
      return pattern;
    }
    std::string_view name = text;
    if (name == "*") {
      pattern.depth_ = Depth::single;
      return pattern;
    }
    if (name.starts_with("*.")) {
      pattern.depth_ = Depth::one;
      name.remove_prefix(2);
    } else if (name.starts_with('.')) {
      pattern.depth_ = Depth::any;
      name.remove_prefix(1);
    }
    // A suffix may be a single label: ".test".
    HANAPER_TRY(pattern.base_, x509::normal_dns_name(name, false));
    return pattern;
  }

  bool covers(const Identifier& name) const {
    if (subtree_) return subtree_->kind == name.kind && x509::allows({{*subtree_}, {}}, name);
    if (device_)
      return name.kind == device_ &&
             (base_.ends_with('*') ? name.value.starts_with(base_.substr(0, base_.size() - 1))
                                   : name.value == base_);
    if (name.kind != Identifier::Kind::dns || attribute_) return false;
    if (depth_ == Depth::single) return name.value.find('.') == std::string::npos;
    if (depth_ == Depth::none) return name.value == base_;
    const std::string_view value = name.value;
    if (value.size() <= base_.size() + 1 || !value.ends_with(base_) ||
        value[value.size() - base_.size() - 1] != '.')
      return false;
    const std::string_view below = value.substr(0, value.size() - base_.size() - 1);
    return depth_ == Depth::any || below.find('.') == std::string_view::npos;
  }

  bool is_of_subject() const noexcept { return attribute_.has_value(); }
  bool covers(const NameAttribute& attribute) const {
    if (attribute_ != attribute.oid) return false;
    const std::string value = folded(attribute.value);
    return base_.ends_with('*') ? value.starts_with(base_.substr(0, base_.size() - 1)) : value == base_;
  }

  // A wildcard name stands for names that an exact exclusion forbids.
  bool hit_by_wildcard(const Identifier& name) const {
    if (subtree_ || device_ || attribute_ || depth_ != Depth::none || name.kind != Identifier::Kind::dns ||
        !name.value.starts_with("*."))
      return false;
    const std::size_t dot = base_.find('.');
    return dot != std::string::npos &&
           std::string_view(base_).substr(dot + 1) == std::string_view(name.value).substr(2);
  }

  const std::string& text() const noexcept { return text_; }

 private:
  enum class Depth { none, single, one, any };
  std::string text_;
  std::string base_;
  Depth depth_ = Depth::none;
  std::optional<x509::Subtree> subtree_;
  std::optional<Identifier::Kind> device_;
  std::optional<std::string> attribute_;  // of the subject: its dotted object identifier
};

class Names final : public Policy {
 public:
  Status configure(const Settings& settings, Host&) override {
    for (auto [key, patterns] : {std::pair{"permit", &permit_}, {"exclude", &exclude_}}) {
      for (const std::string& text : settings.texts(key)) {
        auto pattern = Pattern::parse(text);
        if (!pattern) return settings.error(key, pattern.error().detail);
        patterns->push_back(*std::move(pattern));
      }
    }
    permits_subjects_ = std::ranges::any_of(permit_, &Pattern::is_of_subject);
    permits_names_ = !std::ranges::all_of(permit_, &Pattern::is_of_subject);
    return {};
  }

  Status decide(Draft& draft, Call&) override {
    for (const Identifier& name : draft.names) {
      for (const Pattern& pattern : exclude_)
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
    return std::ranges::any_of(permit_, [&](const Pattern& pattern) { return pattern.covers(thing); });
  }

  Status decide(const NameAttribute& attribute, const std::vector<Identifier>& names) const {
    for (const Pattern& pattern : exclude_)
      if (pattern.covers(attribute))
        return rejected("\"" + x509::name_text({attribute}) + "\" is excluded by \"" + pattern.text() + "\"");
    if (!permits_subjects_ || is_permitted(attribute)) return {};
    // What is one of the names has been judged as that.
    const std::vector<Identifier> own = x509::subject_names({attribute}, true).names;
    if (!own.empty() && std::ranges::find(names, own.front()) != names.end()) return {};
    return rejected("\"" + x509::name_text({attribute}) + "\" is not among the permitted attributes");
  }

  // Constant after configure.
  std::vector<Pattern> permit_, exclude_;
  bool permits_names_ = false, permits_subjects_ = false;  // whether `permit` says anything of them
};

}  // namespace
}  // namespace hanaper::names

HANAPER_PLUGIN(.kind = "policy", .name = "names", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "permits and excludes names by name, suffix, wildcard and address range",
               .keys = hanaper::names::keys, .key_count = std::size(hanaper::names::keys),
               .create = hanaper::create_plugin<hanaper::names::Names>);
