#include "caa.hpp"

#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>

namespace hanaper::caa {
namespace {

bool is_alphanumeric(char c) {
  return (unicode::ascii_lower(c) >= 'a' && unicode::ascii_lower(c) <= 'z') || (c >= '0' && c <= '9');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string shown(const Property& property) {
  std::string safe = property.value.substr(0, 100);
  for (char& c : safe)
    if (c < 0x20 || c > 0x7e) c = '?';
  return property.tag + " \"" + safe + "\"";
}

// RFC 8659 4.2: "parameter-tag = (ALPHA / DIGIT) *( *("-") (ALPHA / DIGIT))"
bool is_parameter_tag(std::string_view text) {
  if (text.empty() || text.front() == '-' || text.back() == '-') return false;
  return std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// "issuer-domain-name = label *("." label)"
bool is_domain(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '.' || text.back() == '.') return false;
  return std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

// What keeps a property for us from being for this request; empty: nothing.
std::string objection(const IssueValue& value, const Asked& asked) {
  int accounts = 0, methods = 0;
  bool account = false, method = false;
  for (const auto& [tag, parameter] : value.parameters) {
    if (tag == "accounturi") {
      ++accounts;
      account = !asked.account_uri.empty() && parameter == asked.account_uri;
    }
    if (tag == "validationmethods") {
      ++methods;
      std::string_view rest = parameter;
      while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        if (!asked.method.empty() && rest.substr(0, comma) == asked.method) method = true;
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
      }
    }
  }
  // RFC 8657 3 and 4: given twice, the property "MUST be" as if it authorized nobody.
  if (accounts > 1 || methods > 1) return "a parameter is given twice";
  if (accounts == 1 && !account) return "it is for another account";
  if (methods == 1 && !method) return "it is for other validation methods";
  return {};
}

}  // namespace

Result<Property> parse_property(ByteView rdata) {
  if (rdata.size() < 2) return malformed("a CAA record is cut off");
  const std::size_t size = rdata[1];
  if (size == 0 || rdata.size() < 2 + size) return malformed("a CAA record has no tag");
  const std::string_view tag = as_text(rdata.subspan(2, size));
  if (!std::ranges::all_of(tag, is_alphanumeric)) return malformed("a CAA record has a strange tag");
  // RFC 8659 4.1: bit 0 is the most significant one.
  return Property{(rdata[0] & 0x80) != 0, unicode::ascii_lower(tag),
                  std::string(as_text(rdata.subspan(2 + size)))};
}

Result<IssueValue> parse_issue_value(std::string_view text) {
  IssueValue value;
  const std::size_t first = text.find(';');
  const std::string_view issuer = trimmed(text.substr(0, first));
  if (!issuer.empty() && !is_domain(issuer)) return malformed("its issuer is no domain");
  value.issuer = unicode::ascii_lower(issuer);
  std::string_view rest = first == std::string_view::npos ? std::string_view{} : text.substr(first + 1);
  while (!trimmed(rest).empty()) {
    const std::size_t end = rest.find(';');
    const std::string_view parameter = trimmed(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) return malformed("a parameter has no value");
    const std::string_view tag = trimmed(parameter.substr(0, equals));
    const std::string_view content = trimmed(parameter.substr(equals + 1));
    // parameter-value = *(%x21-3A / %x3C-7E)
    const bool plain = std::ranges::all_of(content, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!is_parameter_tag(tag) || !plain) return malformed("a parameter is malformed");
    value.parameters.emplace_back(unicode::ascii_lower(tag), std::string(content));
  }
  return value;
}

Status judge(const std::string& domain, std::span<const Property> relevant, const Asked& asked) {
  const auto has = [&](std::string_view tag) {
    return std::ranges::find(relevant, tag, &Property::tag) != relevant.end();
  };
  for (const Property& property : relevant)
    // RFC 8659 4.1: an unknown property that is critical forbids to issue.
    if (property.critical && property.tag != "issue" && property.tag != "issuewild" &&
        property.tag != "iodef" && property.tag != "contactemail" && property.tag != "contactphone" &&
        property.tag != "issuemail")
      return rejected("caa: " + domain + " has the critical property " + property.tag +
                      ", which is not known");
  // 4.3: issuewild, where there is one, decides alone about wildcards.
  const std::string_view tag = asked.wildcard && has("issuewild") ? "issuewild" : "issue";
  if (!has(tag)) return {};
  std::string reasons;
  for (const Property& property : relevant) {
    if (property.tag != tag) continue;
    const auto value = parse_issue_value(property.value);
    std::string reason = value ? "" : value.error().detail;
    if (value && std::ranges::find(asked.identities, value->issuer) == asked.identities.end())
      reason = "it names another issuer";
    if (reason.empty()) reason = objection(*value, asked);
    if (reason.empty()) return {};
    if (reasons.size() < 300) reasons += (reasons.empty() ? "" : "; ") + shown(property) + ": " + reason;
  }
  return rejected("caa: " + domain + " does not allow it: " + reasons);
}

Status check(const std::string& name, const Asked& asked, const Lookup& lookup) {
  for (std::string domain = name; !domain.empty();) {
    HANAPER_TRY(const std::vector<Bytes> records, lookup(domain));
    if (!records.empty()) {
      std::vector<Property> properties;
      for (const Bytes& record : records) {
        auto property = parse_property(record);
        if (!property) return rejected("caa: " + domain + ": " + property.error().detail);
        properties.push_back(*std::move(property));
      }
      return judge(domain, properties, asked);
    }
    const std::size_t dot = domain.find('.');
    if (dot == std::string::npos) return {};
    domain.erase(0, dot + 1);
  }
  return {};
}

}  // namespace hanaper::caa
