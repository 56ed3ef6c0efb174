// Distinguished names: of the issuer, the subject and directoryNames (RFC 5280 4.1.2.4, 4.1.2.6, A.1).
#include "rules.hpp"

#include <hanaper/toolkit/identifiers.hpp>

namespace hanaper::lint {
namespace {

using namespace der::literals;

// Which strings RFC 5280 appendix A.1 allows for an attribute.
enum class Form : std::uint8_t { directory, printable, ia5 };

struct AttributeType {
  der::Oid oid;
  std::string_view name;
  Form form;
  std::size_t bound;  // characters; 0: none
};

// RFC 5280 A.1: "ub-name INTEGER ::= 32768"
constexpr std::size_t ub_name = 32768;
constexpr AttributeType types[] = {
    {oid::common_name, "commonName", Form::directory, 64},
    {oid::organization, "organizationName", Form::directory, 64},
    {oid::organizational_unit, "organizationalUnitName", Form::directory, 64},
    {oid::country, "countryName", Form::printable, 0},  // country-code says exactly two
    {oid::locality, "localityName", Form::directory, 128},
    {oid::state, "stateOrProvinceName", Form::directory, 128},
    {oid::serial_number, "serialNumber", Form::printable, 64},
    {oid::domain_component, "domainComponent", Form::ia5, 0},
    {oid::email_address, "emailAddress", Form::ia5, 255},
    {oid::surname, "surname", Form::directory, ub_name},
    {oid::given_name, "givenName", Form::directory, ub_name},
    {"2.5.4.41"_oid, "name", Form::directory, ub_name},
    {"2.5.4.43"_oid, "initials", Form::directory, ub_name},
    {"2.5.4.44"_oid, "generationQualifier", Form::directory, ub_name},
    {oid::title, "title", Form::directory, 64},
    {oid::dn_qualifier, "dnQualifier", Form::printable, 0},
    {"2.5.4.65"_oid, "pseudonym", Form::directory, 128},
};

const AttributeType* type_of(const Attribute& attribute) {
  for (const AttributeType& type : types)
    if (type.oid == attribute.type) return &type;
  return nullptr;
}

// "subject commonName "x""
std::string describe(const Attribute& attribute) {
  const AttributeType* type = type_of(attribute);
  return std::string(to_string(attribute.place)) + " " +
         (type != nullptr ? std::string(type->name) : der::oid_to_text(attribute.type)) + " " +
         in_quotes(attribute.value);
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
  });
}

Finding name_structure(const Subject& subject) {
  // RFC 5280 4.1.2.4: "RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue"
  if (subject.name_fault.empty()) return std::nullopt;
  return subject.name_fault;
}

Finding attribute_not_empty(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes)
    // RFC 5280 4.1.2.4: "utf8String UTF8String (SIZE (1..MAX))"
    if (attribute.value.empty()) return describe(attribute) + " is empty";
  return std::nullopt;
}

Finding attribute_form(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    const AttributeType* type = type_of(attribute);
    if (type == nullptr) continue;
    // RFC 5280 A.1: "X520countryName ::= PrintableString (SIZE (2))", "DomainComponent ::= IA5String"
    if (type->form == Form::printable && attribute.tag != der::printable_string)
      return describe(attribute) + " is no PrintableString";
    if (type->form == Form::ia5 && attribute.tag != der::ia5_string)
      return describe(attribute) + " is no IA5String";
  }
  return std::nullopt;
}

Finding directory_string(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    const AttributeType* type = type_of(attribute);
    if (type == nullptr || type->form != Form::directory) continue;
    if (attribute.tag == der::utf8_string || attribute.tag == der::printable_string) continue;
    const bool old = attribute.tag == der::teletex_string || attribute.tag == der::bmp_string ||
                     attribute.tag == der::universal_string;
    // RFC 5280 4.1.2.6: "When the subject of the certificate is a CA, the subject field MUST be encoded in
    // the same way as it is encoded in the issuer field"; so an old authority keeps its old strings.
    const bool established =
        attribute.place == Place::issuer ||
        (attribute.place == Place::subject && (subject.ca || subject.key_usage & x509::crl_sign));
    if (old && established) continue;
    // RFC 5280 4.1.2.6: "When encoding attribute values of type DirectoryString, conforming CAs MUST use
    // PrintableString or UTF8String encoding"
    return describe(attribute) + " is neither PrintableString nor UTF8String";
  }
  return std::nullopt;
}

Finding attribute_characters(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    const std::string_view value = as_text(attribute.value);
    if (attribute.tag == der::printable_string && !is_printable(value))
      return describe(attribute) + " holds a character outside PrintableString";
    if (attribute.tag == der::ia5_string && !is_ascii(value))
      return describe(attribute) + " holds a character outside IA5String";
    if (attribute.tag == der::utf8_string && !utf8_length(value))
      return describe(attribute) + " is not UTF-8";
  }
  return std::nullopt;
}

Finding attribute_controls(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes)
    // RFC 4518 2.2: control characters "are mapped to nothing" before names are compared, so that one who
    // reads the name and one who compares it see different ones.
    if (attribute.tag == der::utf8_string && has_control_characters(as_text(attribute.value)))
      return describe(attribute) + " holds a control character";
  return std::nullopt;
}

Finding attribute_bound(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    const AttributeType* type = type_of(attribute);
    if (type == nullptr || type->bound == 0) continue;
    const std::size_t octets = attribute.value.size();
    const std::size_t characters = attribute.tag == der::utf8_string && octets > type->bound
                                       ? utf8_length(as_text(attribute.value)).value_or(octets)
                                   : attribute.tag == der::bmp_string ? octets / 2
                                                                      : octets;
    // RFC 5280 A.1: "ub-common-name INTEGER ::= 64" and its like
    if (characters > type->bound)
      return describe(attribute) + " has " + std::to_string(characters) + " characters; " +
             std::to_string(type->bound) + " is the upper bound";
  }
  return std::nullopt;
}

Finding attribute_trimmed(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    if (attribute.tag != der::utf8_string && attribute.tag != der::printable_string) continue;
    const std::string_view value = as_text(attribute.value);
    // RFC 5280 7.1 has names compared without regard to blanks at the ends, but many compare octets.
    if (!value.empty() && (value.front() == ' ' || value.back() == ' '))
      return describe(attribute) + " begins or ends with a blank";
  }
  return std::nullopt;
}

Finding country_code(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    if (oid::country != attribute.type) continue;
    const std::string_view value = as_text(attribute.value);
    // RFC 5280 A.1: "Naming attributes of type X520countryName (digraph from IS 3166)"
    if (value.size() != 2 || !std::ranges::all_of(value, [](char c) { return c >= 'A' && c <= 'Z'; }))
      return describe(attribute) + " is no code of two capital letters";
  }
  return std::nullopt;
}

Finding domain_component_label(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    if (oid::domain_component != attribute.type) continue;
    const std::string_view value = as_text(attribute.value);
    // RFC 8399 2.4: "To represent a label from an IDN in the distinguished name, the implementation MUST
    // convert all U-labels to A-labels."
    if (!is_host_label(value) || (is_reserved_label(value) && !is_a_label(value)))
      return describe(attribute) + " is not one label of a domain name";
  }
  return std::nullopt;
}

Finding ca_subject_not_empty(const Subject& subject) {
  // RFC 5280 4.1.2.6: "If the subject is a CA (...), then the subject field MUST be populated with a
  // non-empty distinguished name"
  if (!subject.ca || !subject.has_empty_subject()) return std::nullopt;
  return "the subject of an authority is an empty name";
}

Finding crl_issuer_subject_not_empty(const Subject& subject) {
  // RFC 5280 4.1.2.6: "If the subject is a CRL issuer (...), then the subject field MUST be populated with a
  // non-empty distinguished name"
  if (subject.ca || !(subject.key_usage & x509::crl_sign) || !subject.has_empty_subject())
    return std::nullopt;
  return "the subject of an issuer of CRLs is an empty name";
}

Finding empty_subject_has_names(const Subject& subject) {
  if (subject.ca || subject.key_usage & x509::crl_sign) return std::nullopt;  // said better above
  // RFC 5280 4.2.1.6: "If the subject field contains an empty sequence, then the issuing CA MUST include a
  // subjectAltName extension that is marked as critical."
  if (!subject.has_empty_subject() || subject.find(Ext::subject_alt_name)) return std::nullopt;
  return "the subject is an empty name and there is no subjectAltName";
}

Finding empty_subject_names_critical(const Subject& subject) {
  // RFC 5280 4.1.2.6: "then the subject name MUST be an empty sequence and the subjectAltName extension MUST
  // be critical."
  if (!subject.has_empty_subject() || !subject.find(Ext::subject_alt_name) ||
      subject.is_critical(Ext::subject_alt_name))
    return std::nullopt;
  return "the subject is an empty name and subjectAltName is not critical";
}

Finding subject_alt_name_not_critical(const Subject& subject) {
  // RFC 5280 4.2.1.6: "When including the subjectAltName extension in a certificate that has a non-empty
  // subject distinguished name, conforming CAs SHOULD mark the subjectAltName extension as non-critical."
  if (subject.has_empty_subject() || !subject.is_critical(Ext::subject_alt_name)) return std::nullopt;
  return "subjectAltName is critical and the subject is not empty";
}

Finding subject_email_in_names(const Subject& subject) {
  for (const Attribute& attribute : subject.attributes) {
    if (attribute.place != Place::subject || oid::email_address != attribute.type) continue;
    const std::string_view wanted = as_text(attribute.value);
    const bool found = std::ranges::any_of(subject.names, [&](const GeneralName& name) {
      return name.place == Place::subject_alt_name && name.tag == GeneralName::email &&
             same_ignoring_case(name.text(), wanted);
    });
    // RFC 5280 4.1.2.6: "Conforming implementations generating new certificates with electronic mail
    // addresses MUST use the rfc822Name in the subject alternative name extension"
    if (!found) return describe(attribute) + " is not in subjectAltName";
  }
  return std::nullopt;
}

bool stands_in_names(const Subject& subject, std::string_view host) {
  const auto address = x509::ip_octets(host);
  return std::ranges::any_of(subject.names, [&](const GeneralName& name) {
    if (name.place != Place::subject_alt_name) return false;
    if (name.tag == GeneralName::ip) return address && equal(*address, name.content);
    return name.tag == GeneralName::dns && same_ignoring_case(name.text(), host);
  });
}

Finding common_name_in_names(const Subject& subject) {
  if (!subject.has_usage(oid::server_auth)) return std::nullopt;
  for (const Attribute& attribute : subject.attributes) {
    if (attribute.place != Place::subject || oid::common_name != attribute.type) continue;
    const std::string_view value = as_text(attribute.value);
    const std::string_view host = value.starts_with("*.") ? value.substr(2) : value;
    if (!is_qualified_host_name(host) && !x509::ip_octets(value)) continue;
    // RFC 6125 4.1: "certification authorities are encouraged to migrate away from issuing certificates that
    // represent the server's fully qualified DNS domain name in a CN-ID."
    if (!stands_in_names(subject, value)) return describe(attribute) + " is not in subjectAltName";
  }
  return std::nullopt;
}

constexpr Rule subject_table[] = {
    {"name-structure", "RFC 5280 4.1.2.4", Severity::error,
     "Distinguished names are sequences of non-empty sets of attributes", name_structure},
    {"attribute-not-empty", "RFC 5280 4.1.2.4", Severity::error, "No attribute of a name is empty",
     attribute_not_empty},
    {"attribute-form", "RFC 5280 A.1", Severity::error,
     "countryName, serialNumber and dnQualifier are PrintableString; domainComponent and emailAddress are "
     "IA5String",
     attribute_form},
    {"directory-string", "RFC 5280 4.1.2.6", Severity::error,
     "Other attributes are PrintableString or UTF8String, save in names of old authorities",
     directory_string},
    {"attribute-characters", "RFC 5280 A.1", Severity::error,
     "Attributes hold only characters of their string type", attribute_characters},
    {"attribute-controls", "RFC 4518 2.2", Severity::warning, "Attributes hold no control characters",
     attribute_controls},
    {"attribute-bound", "RFC 5280 A.1", Severity::error, "No attribute is longer than its upper bound",
     attribute_bound},
    {"attribute-trimmed", "RFC 5280 7.1", Severity::warning, "No attribute begins or ends with a blank",
     attribute_trimmed},
    {"country-code", "RFC 5280 A.1", Severity::error, "countryName is two capital letters", country_code},
    {"domain-component-label", "RFC 8399 2.4", Severity::error,
     "Each domainComponent is one label, in A-label form if it is international", domain_component_label},
    {"ca-subject-not-empty", "RFC 5280 4.1.2.6", Severity::error, "The subject of an authority has a name",
     ca_subject_not_empty},
    {"crl-issuer-subject-not-empty", "RFC 5280 4.1.2.6", Severity::error,
     "The subject of an issuer of CRLs has a name", crl_issuer_subject_not_empty},
    {"empty-subject-has-names", "RFC 5280 4.2.1.6", Severity::error,
     "A certificate with an empty subject has a subjectAltName", empty_subject_has_names},
    {"empty-subject-names-critical", "RFC 5280 4.1.2.6", Severity::error,
     "subjectAltName is critical when the subject is empty", empty_subject_names_critical},
    {"subject-alt-name-not-critical", "RFC 5280 4.2.1.6", Severity::warning,
     "subjectAltName is not critical when the subject is not empty", subject_alt_name_not_critical},
    {"subject-email-in-names", "RFC 5280 4.1.2.6", Severity::error,
     "An emailAddress of the subject is a rfc822Name as well", subject_email_in_names},
    {"common-name-in-names", "RFC 6125 4.1", Severity::error,
     "A commonName of a TLS server that is a host is in subjectAltName as well", common_name_in_names},
};

}  // namespace

std::span<const Rule> subject_rules() { return subject_table; }

}  // namespace hanaper::lint
