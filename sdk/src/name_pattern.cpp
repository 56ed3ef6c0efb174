#include <hanaper/toolkit/name_pattern.hpp>

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>

namespace hanaper::x509 {
namespace {

bool is_compared_whole(Identifier::Kind kind) {
  return names_device(kind) || kind == Identifier::Kind::user_principal;
}

}  // namespace

Result<NamePattern> NamePattern::parse(std::string_view text) {
  NamePattern pattern;
  pattern.text_ = text;
  if (text.find('=') != std::string_view::npos) {
    HANAPER_TRY(const Name parts, parse_name_text(text));
    if (parts.size() != 1) return malformed("\"" + pattern.text_ + "\" is more than one attribute");
    pattern.attribute_ = parts.front().oid;
    pattern.base_ = unicode::ascii_lower(parts.front().value);
    return pattern;
  }
  for (const auto kind : identifier_kinds) {
    const std::string prefix = std::string(to_string(kind)) + ":";
    if (!is_compared_whole(kind) || !text.starts_with(prefix)) continue;
    pattern.whole_ = kind;
    pattern.base_ = text.substr(prefix.size());
    if (!names_device(kind)) pattern.base_ = unicode::ascii_lower(pattern.base_);
    if (pattern.base_.empty())
      return malformed("\"" + pattern.text_ + "\" names no " + (names_device(kind) ? "device" : "account"));
    return pattern;
  }
  if (text.find('/') != std::string_view::npos || text.find('@') != std::string_view::npos ||
      ip_octets(text)) {
    HANAPER_TRY(pattern.subtree_, parse_subtree(text));
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
  } else if (name.ends_with(".*") && name.find('.') == name.size() - 2) {
    pattern.depth_ = Depth::host;
    name.remove_suffix(2);
  } else if (name.starts_with('.')) {
    pattern.depth_ = Depth::any;
    name.remove_prefix(1);
  }
  // A suffix may be a single label: ".test".
  HANAPER_TRY(pattern.base_, normal_dns_name(name, false));
  return pattern;
}

bool NamePattern::covers_whole(std::string_view value) const {
  if (base_.ends_with('*')) return value.starts_with(std::string_view(base_).substr(0, base_.size() - 1));
  if (whole_ == Identifier::Kind::user_principal && base_.starts_with('@')) return value.ends_with(base_);
  return value == base_;
}

bool NamePattern::covers(const Identifier& name) const {
  if (attribute_) return false;
  if (subtree_) return judges(*subtree_, name.kind) && allows({{*subtree_}, {}}, name);
  if (whole_) return name.kind == whole_ && covers_whole(name.value);
  if (name.kind != Identifier::Kind::dns) return false;
  if (depth_ == Depth::single) return name.value.find('.') == std::string::npos;
  if (depth_ == Depth::none) return name.value == base_;
  if (depth_ == Depth::host)
    return name.value.size() > base_.size() + 1 && name.value.starts_with(base_) &&
           name.value[base_.size()] == '.';
  const std::string_view value = name.value;
  if (value.size() <= base_.size() + 1 || !value.ends_with(base_) ||
      value[value.size() - base_.size() - 1] != '.')
    return false;
  const std::string_view below = value.substr(0, value.size() - base_.size() - 1);
  return depth_ == Depth::any || below.find('.') == std::string_view::npos;
}

bool NamePattern::hit_by_wildcard(const Identifier& name) const {
  if (subtree_ || whole_ || attribute_ || depth_ != Depth::none || name.kind != Identifier::Kind::dns ||
      !name.value.starts_with("*."))
    return false;
  const std::size_t dot = base_.find('.');
  return dot != std::string::npos &&
         std::string_view(base_).substr(dot + 1) == std::string_view(name.value).substr(2);
}

bool NamePattern::covers(const NameAttribute& attribute) const {
  if (attribute_ != attribute.oid) return false;
  const std::string value = unicode::ascii_lower(attribute.value);
  return base_.ends_with('*') ? value.starts_with(base_.substr(0, base_.size() - 1)) : value == base_;
}

namespace {

const std::string& user_id_oid() {
  static const std::string text = der::oid_to_text(oid::user_id);
  return text;
}
const std::string& email_oid() {
  static const std::string text = der::oid_to_text(oid::email_address);
  return text;
}

template <class T>
bool is_covered(const std::vector<NamePattern>& patterns, const T& thing) {
  return std::ranges::any_of(patterns, [&](const NamePattern& pattern) { return pattern.covers(thing); });
}

Error not_covered(std::string_view what) {
  return forbidden("\"" + unicode::shown(what) + "\" is not among what this account may ask for");
}

}  // namespace

Status check_bound(const CsrView& request, std::span<const std::string> texts, bool subject_taken_over) {
  std::vector<NamePattern> patterns;
  for (const std::string& text : texts) {
    HANAPER_TRY(NamePattern pattern, NamePattern::parse(text));
    patterns.push_back(std::move(pattern));
  }
  if (const auto* extension = request.find(oid::subject_alt_name)) {
    const auto names = parse_general_names(extension->value);
    if (!names) return bad_csr("subjectAltName: " + names.error().detail);
    if (names->others != 0) return forbidden("a name of a kind that no account may ask for");
    for (const Identifier& name : names->names)
      if (!is_covered(patterns, name)) return not_covered(name.value);
  }
  const auto subject = parse_name(request.subject);
  if (!subject) return bad_csr("subject: " + subject.error().detail);
  for (const NameAttribute& attribute : *subject) {
    if (attribute.oid != common_name_oid && attribute.oid != user_id_oid() && attribute.oid != email_oid())
      continue;
    const std::vector<Identifier> own = subject_names({attribute}, true).names;
    if (!own.empty() && is_covered(patterns, own.front())) continue;
    if (own.empty() && !subject_taken_over) continue;  // nothing of it is certified
    if (subject_taken_over && is_covered(patterns, attribute)) continue;
    return not_covered(name_text({attribute}));
  }
  return {};
}

std::vector<std::string> patterns_of_account(std::string_view name) {
  std::vector<std::string> patterns;
  if (ip_octets(name) || normal_email(name)) {
    patterns.emplace_back(name);
  } else if (const auto host = normal_dns_name(name, false)) {
    patterns.push_back(*host);
    if (host->find('.') == std::string::npos) patterns.push_back(*host + ".*");
  }
  if (const auto account = normal_identifier(Identifier::Kind::user_principal, name))
    patterns.push_back("user-principal-name:" + account->value);
  // A star would mean others.
  if (name.find('*') != std::string_view::npos) return patterns;
  for (const std::string& type : {std::string(common_name_oid), user_id_oid()})
    if (const NameAttribute attribute{type, std::string(name)}; check_attribute(attribute))
      patterns.push_back(name_text({attribute}));
  return patterns;
}

}  // namespace hanaper::x509
