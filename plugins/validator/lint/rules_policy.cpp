// Certificate policies and what maps and constrains them (RFC 5280 4.2.1.4, 4.2.1.5, 4.2.1.11, 4.2.1.14).
#include "rules.hpp"

namespace hanaper::lint {
namespace {

std::string oid_text(ByteView id) { return der::is_oid(id) ? der::oid_to_text(id) : in_quotes(to_hex(id)); }

// What `check` finds in the first qualifier it objects to: policy, qualifier id, qualifier.
template <class Check>
Finding first_qualifier(const Subject& subject, Check check) {
  if (!subject.find(Ext::certificate_policies)) return std::nullopt;
  for (const der::Element& policy : Elements(subject.value(Ext::certificate_policies))) {
    const auto list = child(policy.content, der::sequence);
    if (!list) continue;
    for (const der::Element& information : Elements(list->content)) {
      const Elements fields(information.content);
      auto field = fields.begin();
      if (field == fields.end()) continue;
      const ByteView id = (*field).content;
      if (++field == fields.end()) continue;
      if (Finding finding = check(inside(policy.content), id, *field))
        return "certificatePolicies: policy " + oid_text(inside(policy.content)) + " " + *finding;
    }
  }
  return std::nullopt;
}

// The same for user notices alone: noticeRef and explicitText, either of which may be missing.
template <class Check>
Finding first_notice(const Subject& subject, Check check) {
  return first_qualifier(subject, [&](ByteView, ByteView id, const der::Element& notice) -> Finding {
    if (oid::user_notice_qualifier != id) return std::nullopt;
    std::optional<der::Element> reference, text;
    for (const der::Element& field : Elements(notice.content))
      (field.tag == der::sequence ? reference : text) = field;
    return check(reference, text);
  });
}

// The policies that are asserted, in the order of their appearance.
std::vector<ByteView> policies_of(const Subject& subject) {
  std::vector<ByteView> policies;
  for (const der::Element& policy : Elements(subject.value(Ext::certificate_policies)))
    policies.push_back(inside(policy.content));
  return policies;
}

Finding policies_unique(const Subject& subject) {
  // RFC 5280 4.2.1.4: "A certificate policy OID MUST NOT appear more than once in a certificate policies
  // extension."
  const auto twice = find_twice(policies_of(subject));
  if (!twice) return std::nullopt;
  return "certificatePolicies names " + oid_text(*twice) + " twice";
}

bool is_known_qualifier(ByteView id) { return oid::cps_qualifier == id || oid::user_notice_qualifier == id; }

Finding any_policy_qualifiers(const Subject& subject) {
  return first_qualifier(subject, [](ByteView policy, ByteView id, const der::Element&) -> Finding {
    // RFC 5280 4.2.1.4: "When qualifiers are used with the special policy anyPolicy, they MUST be limited to
    // the qualifiers identified in this section."
    if (oid::any_policy != policy || is_known_qualifier(id)) return std::nullopt;
    return "has the unknown qualifier " + oid_text(id);
  });
}

Finding policy_qualifiers_known(const Subject& subject) {
  return first_qualifier(subject, [](ByteView policy, ByteView id, const der::Element&) -> Finding {
    // RFC 5280 4.2.1.4: "this profile strongly recommends that the use of qualifiers be limited to those
    // identified in this section."
    if (oid::any_policy == policy || is_known_qualifier(id)) return std::nullopt;
    return "has the unknown qualifier " + oid_text(id);
  });
}

Finding cps_pointer(const Subject& subject) {
  return first_qualifier(subject, [](ByteView, ByteView id, const der::Element& pointer) -> Finding {
    if (oid::cps_qualifier != id) return std::nullopt;
    const std::string_view text = as_text(pointer.content);
    const Uri uri = split_uri(text);
    // RFC 5280 4.2.1.4: "The pointer is in the form of a URI."
    if (!uri.scheme.empty() && !uri.rest.empty() && has_uri_characters(text)) return std::nullopt;
    return "has the CPS pointer " + in_quotes(text) + ", which is no URI";
  });
}

using Part = std::optional<der::Element>;

Finding notice_reference(const Subject& subject) {
  return first_notice(subject, [](const Part& reference, const Part&) -> Finding {
    // RFC 5280 4.2.1.4: "Conforming CAs SHOULD NOT use the noticeRef option."
    if (!reference) return std::nullopt;
    return "has a user notice with a noticeRef";
  });
}

Finding notice_not_ia5(const Subject& subject) {
  return first_notice(subject, [](const Part&, const Part& text) -> Finding {
    // RFC 6818 3: "Conforming CAs MUST NOT encode explicitText as IA5String."
    if (!text || text->tag != der::ia5_string) return std::nullopt;
    return "has the explicitText " + in_quotes(text->content) + " as IA5String";
  });
}

Finding notice_utf8(const Subject& subject) {
  return first_notice(subject, [](const Part&, const Part& text) -> Finding {
    // RFC 6818 3: "VisibleString or BMPString are acceptable but less preferred alternatives."
    if (!text || (text->tag != der::visible_string && text->tag != der::bmp_string)) return std::nullopt;
    return "has the explicitText " + in_quotes(text->content) + " as " +
           (text->tag == der::bmp_string ? "BMPString" : "VisibleString");
  });
}

Finding notice_length(const Subject& subject) {
  return first_notice(subject, [](const Part&, const Part& text) -> Finding {
    if (!text) return std::nullopt;
    const std::size_t octets = text->content.size();
    const std::size_t length = text->tag == der::bmp_string ? octets / 2
                               : text->tag == der::utf8_string
                                   ? utf8_length(as_text(text->content)).value_or(octets)
                                   : octets;
    // RFC 6818 3: "The explicitText field is a string with a maximum size of 200 characters."
    if (length != 0 && length <= 200) return std::nullopt;
    return "has an explicitText of " + std::to_string(length) + " characters";
  });
}

Finding notice_characters(const Subject& subject) {
  return first_notice(subject, [](const Part&, const Part& text) -> Finding {
    // RFC 6818 3: "The explicitText string SHOULD NOT include any control characters (e.g., U+0000 to U+001F
    // and U+007F to U+009F)."
    if (!text || text->tag != der::utf8_string || !has_control_characters(as_text(text->content)))
      return std::nullopt;
    return "has the explicitText " + in_quotes(text->content) + " with a control character";
  });
}

Finding mappings_avoided(const Subject& subject) {
  // RFC 9618 6.3: "certificate authorities SHOULD NOT issue certificates with the policy mappings extension"
  if (!subject.find(Ext::policy_mappings)) return std::nullopt;
  return "policyMappings lets the cost of validation grow with each authority in the path";
}

// What `check` finds in the first pair it objects to: issuer's policy, subject's policy.
template <class Check>
Finding first_mapping(const Subject& subject, Check check) {
  if (!subject.find(Ext::policy_mappings)) return std::nullopt;
  for (const der::Element& mapping : Elements(subject.value(Ext::policy_mappings))) {
    const Elements pair(mapping.content);
    auto policy = pair.begin();
    if (policy == pair.end()) continue;
    const ByteView issuers = (*policy).content;
    if (++policy == pair.end()) continue;
    if (Finding finding = check(issuers, (*policy).content)) return "policyMappings: " + *finding;
  }
  return std::nullopt;
}

Finding mappings_without_any(const Subject& subject) {
  return first_mapping(subject, [](ByteView issuers, ByteView subjects) -> Finding {
    // RFC 5280 4.2.1.5: "Policies MUST NOT be mapped either to or from the special value anyPolicy"
    if (oid::any_policy != issuers && oid::any_policy != subjects) return std::nullopt;
    return oid_text(issuers) + " is mapped to " + oid_text(subjects);
  });
}

Finding mappings_asserted(const Subject& subject) {
  if (!subject.find(Ext::policy_mappings)) return std::nullopt;
  std::vector<ByteView> policies = policies_of(subject);
  std::ranges::sort(policies, before);
  return first_mapping(subject, [&](ByteView issuers, ByteView) -> Finding {
    // RFC 5280 4.2.1.5: "Each issuerDomainPolicy named in the policy mappings extension SHOULD also be
    // asserted in a certificate policies extension in the same certificate."
    if (oid::any_policy == issuers || std::ranges::binary_search(policies, issuers, before))
      return std::nullopt;
    return oid_text(issuers) + " is mapped and not asserted";
  });
}

Finding policy_extensions_only_ca(const Subject& subject) {
  if (subject.ca) return std::nullopt;
  for (Ext ext : {Ext::policy_mappings, Ext::policy_constraints, Ext::inhibit_any_policy})
    // RFC 5280 4.2.1.11: "The policy constraints extension can be used in certificates issued to CAs."
    if (subject.find(ext)) return std::string(to_string(ext)) + " in a certificate that is no authority's";
  return std::nullopt;
}

constexpr Rule policy_table[] = {
    {"policies-unique", "RFC 5280 4.2.1.4", Severity::error, "certificatePolicies names no policy twice",
     policies_unique},
    {"any-policy-qualifiers", "RFC 5280 4.2.1.4", Severity::error,
     "anyPolicy is qualified by CPS pointers and user notices only", any_policy_qualifiers},
    {"policy-qualifiers-known", "RFC 5280 4.2.1.4", Severity::warning,
     "Other policies are qualified by CPS pointers and user notices only", policy_qualifiers_known},
    {"cps-pointer", "RFC 5280 4.2.1.4", Severity::error, "A CPS pointer is a URI", cps_pointer},
    {"notice-reference", "RFC 5280 4.2.1.4", Severity::warning, "No user notice has a noticeRef",
     notice_reference},
    {"notice-not-ia5", "RFC 6818 3", Severity::error, "No explicitText is an IA5String", notice_not_ia5},
    {"notice-utf8", "RFC 6818 3", Severity::warning, "explicitText is a UTF8String", notice_utf8},
    {"notice-length", "RFC 6818 3", Severity::error, "explicitText has 1 to 200 characters", notice_length},
    {"notice-characters", "RFC 6818 3", Severity::warning, "explicitText holds no control characters",
     notice_characters},
    {"mappings-avoided", "RFC 9618 6.3", Severity::warning, "There is no policyMappings", mappings_avoided},
    {"mappings-without-any", "RFC 5280 4.2.1.5", Severity::error,
     "policyMappings maps nothing to or from anyPolicy", mappings_without_any},
    {"mappings-asserted", "RFC 5280 4.2.1.5", Severity::warning,
     "Each policy that is mapped is asserted as well", mappings_asserted},
    {"policy-extensions-only-ca", "RFC 5280 4.2.1.11", Severity::warning,
     "policyMappings, policyConstraints and inhibitAnyPolicy stand only in certificates of authorities",
     policy_extensions_only_ca},
};

}  // namespace

std::span<const Rule> policy_rules() { return policy_table; }

}  // namespace hanaper::lint
