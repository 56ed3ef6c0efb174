// What holds for extensions whatever they say: structure, and which of them are critical (RFC 5280 4.2).
#include "rules.hpp"
#include "syntax.hpp"

namespace hanaper::lint {
namespace {

using namespace der::literals;

// Extensions of other documents that may be critical: qualified statements (RFC 3739), resources (RFC 3779),
// and the poison of RFC 6962 3.1, which is there to be refused.
constexpr der::Oid others_known[] = {"1.3.6.1.5.5.7.1.3"_oid, "1.3.6.1.5.5.7.1.7"_oid,
                                     "1.3.6.1.5.5.7.1.8"_oid, "1.3.6.1.4.1.11129.2.4.3"_oid};

Finding extension_syntax(const Subject& subject) {
  for (std::size_t i = 0; i < ext_count; ++i) {
    const auto ext = static_cast<Ext>(i);
    const auto* extension = subject.find(ext);
    if (extension == nullptr) continue;
    // RFC 5280 4.2: "the corresponding ASN.1 DER encoded structure is the value of the octet string
    // extnValue."
    if (Status checked = check_syntax(ext, extension->value); !checked)
      return std::string(to_string(ext)) + ": " + checked.error().detail;
  }
  return std::nullopt;
}

Finding critical_known(const Subject& subject) {
  for (const x509::ExtensionView& extension : subject.tbs.extensions) {
    if (!extension.critical) continue;
    const bool known =
        std::ranges::any_of(subject.extensions, [&](const auto* named) { return named == &extension; }) ||
        std::ranges::any_of(others_known, [&](const der::Oid& oid) { return oid == extension.oid; });
    // RFC 5280 4.2: "caution ought to be exercised in adopting any critical extensions in certificates that
    // might prevent use in a general context."
    if (!known) return "extension " + der::oid_to_text(extension.oid) + " is critical and nobody knows it";
  }
  return std::nullopt;
}

template <Ext ext>
Finding critical(const Subject& subject) {
  if (subject.find(ext) == nullptr || subject.is_critical(ext)) return std::nullopt;
  return std::string(to_string(ext)) + " is not critical";
}

template <Ext ext>
Finding not_critical(const Subject& subject) {
  if (!subject.is_critical(ext)) return std::nullopt;
  return std::string(to_string(ext)) + " is critical";
}

template <Ext ext>
Finding not_empty(const Subject& subject) {
  if (subject.find(ext) == nullptr || !subject.value(ext).empty()) return std::nullopt;
  return std::string(to_string(ext)) + " is an empty list";
}

// Most sections of RFC 5280 4.2 say "Conforming CAs MUST mark this extension as (non-)critical"; where it is
// a SHOULD, the rule is a warning.
constexpr Rule extension_table[] = {
    {"extension-syntax", "RFC 5280 4.2", Severity::error,
     "The value of each known extension has the structure of its ASN.1 module", extension_syntax},
    {"critical-known", "RFC 5280 4.2", Severity::error, "No critical extension is unknown", critical_known},

    {"authority-key-identifier-not-critical", "RFC 5280 4.2.1.1", Severity::error,
     "authorityKeyIdentifier is not critical", not_critical<Ext::authority_key_identifier>},
    {"subject-key-identifier-not-critical", "RFC 5280 4.2.1.2", Severity::error,
     "subjectKeyIdentifier is not critical", not_critical<Ext::subject_key_identifier>},
    {"key-usage-critical", "RFC 5280 4.2.1.3", Severity::warning, "keyUsage is critical",
     critical<Ext::key_usage>},
    {"policy-mappings-critical", "RFC 5280 4.2.1.5", Severity::warning, "policyMappings is critical",
     critical<Ext::policy_mappings>},
    {"issuer-alt-name-not-critical", "RFC 5280 4.2.1.7", Severity::warning, "issuerAltName is not critical",
     not_critical<Ext::issuer_alt_name>},
    {"directory-attributes-not-critical", "RFC 5280 4.2.1.8", Severity::error,
     "subjectDirectoryAttributes is not critical", not_critical<Ext::subject_directory_attributes>},
    {"name-constraints-critical", "RFC 5280 4.2.1.10", Severity::error, "nameConstraints is critical",
     critical<Ext::name_constraints>},
    {"policy-constraints-critical", "RFC 5280 4.2.1.11", Severity::error, "policyConstraints is critical",
     critical<Ext::policy_constraints>},
    {"crl-points-not-critical", "RFC 5280 4.2.1.13", Severity::warning,
     "cRLDistributionPoints is not critical", not_critical<Ext::crl_distribution_points>},
    {"inhibit-any-policy-critical", "RFC 5280 4.2.1.14", Severity::error, "inhibitAnyPolicy is critical",
     critical<Ext::inhibit_any_policy>},
    {"freshest-crl-not-critical", "RFC 5280 4.2.1.15", Severity::error, "freshestCRL is not critical",
     not_critical<Ext::freshest_crl>},
    {"authority-info-access-not-critical", "RFC 5280 4.2.2.1", Severity::error,
     "authorityInfoAccess is not critical", not_critical<Ext::authority_info_access>},
    {"subject-info-access-not-critical", "RFC 5280 4.2.2.2", Severity::error,
     "subjectInfoAccess is not critical", not_critical<Ext::subject_info_access>},
    {"tls-feature-not-critical", "RFC 7633 4", Severity::warning, "The TLS feature extension is not critical",
     not_critical<Ext::tls_feature>},
    {"ocsp-no-check-not-critical", "RFC 6960 4.2.2.2.1", Severity::warning,
     "The OCSP nocheck extension is not critical", not_critical<Ext::ocsp_no_check>},
    {"no-rev-avail-not-critical", "RFC 9608 2", Severity::error, "noRevAvail is not critical",
     not_critical<Ext::no_rev_avail>},

    {"certificate-policies-not-empty", "RFC 5280 4.2.1.4", Severity::error,
     "certificatePolicies names at least one policy", not_empty<Ext::certificate_policies>},
    {"policy-mappings-not-empty", "RFC 5280 4.2.1.5", Severity::error,
     "policyMappings maps at least one policy", not_empty<Ext::policy_mappings>},
    {"subject-alt-name-not-empty", "RFC 5280 4.2.1.6", Severity::error,
     "subjectAltName holds at least one name", not_empty<Ext::subject_alt_name>},
    {"issuer-alt-name-not-empty", "RFC 5280 4.2.1.7", Severity::error,
     "issuerAltName holds at least one name", not_empty<Ext::issuer_alt_name>},
    {"directory-attributes-not-empty", "RFC 5280 4.2.1.8", Severity::error,
     "subjectDirectoryAttributes holds at least one attribute", not_empty<Ext::subject_directory_attributes>},
    {"policy-constraints-not-empty", "RFC 5280 4.2.1.11", Severity::error,
     "policyConstraints constrains something", not_empty<Ext::policy_constraints>},
    {"extended-key-usage-not-empty", "RFC 5280 4.2.1.12", Severity::error,
     "extKeyUsage names at least one purpose", not_empty<Ext::extended_key_usage>},
    {"crl-points-not-empty", "RFC 5280 4.2.1.13", Severity::error,
     "cRLDistributionPoints holds at least one point", not_empty<Ext::crl_distribution_points>},
    {"freshest-crl-not-empty", "RFC 5280 4.2.1.15", Severity::error, "freshestCRL holds at least one point",
     not_empty<Ext::freshest_crl>},
    {"authority-info-access-not-empty", "RFC 5280 4.2.2.1", Severity::error,
     "authorityInfoAccess describes at least one access", not_empty<Ext::authority_info_access>},
    {"subject-info-access-not-empty", "RFC 5280 4.2.2.2", Severity::error,
     "subjectInfoAccess describes at least one access", not_empty<Ext::subject_info_access>},
};

}  // namespace

std::span<const Rule> extension_rules() { return extension_table; }

}  // namespace hanaper::lint
