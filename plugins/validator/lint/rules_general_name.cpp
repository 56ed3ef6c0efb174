// The names in subjectAltName and issuerAltName: hosts, addresses and URIs (RFC 5280 4.2.1.6, 4.2.1.7).
#include "rules.hpp"

#include <hanaper/toolkit/punycode.hpp>

namespace hanaper::lint {
namespace {

std::string describe(const GeneralName& name) {
  const char* kind = name.tag == GeneralName::email ? " rfc822Name "
                     : name.tag == GeneralName::dns ? " dNSName "
                     : name.tag == GeneralName::uri ? " URI "
                     : name.tag == GeneralName::ip  ? " iPAddress "
                                                    : " name ";
  return std::string(to_string(name.place)) + kind + in_quotes(name.content);
}

// Without the "*." in front, which RFC 6125 6.4.3 gives a meaning.
std::string_view host_of(std::string_view dns_name) {
  return dns_name.starts_with("*.") ? dns_name.substr(2) : dns_name;
}

// The host names within a name of whatever kind; empty when it has none.
std::string_view domain_of(const GeneralName& name) {
  switch (name.tag) {
    case GeneralName::dns:
      return host_of(name.text());
    case GeneralName::email:
      return split_mailbox(name.text()).domain;
    case GeneralName::uri:
      return split_uri(name.text()).host;
    default:
      return {};
  }
}

bool is_text(const GeneralName& name) {
  return name.tag == GeneralName::dns || name.tag == GeneralName::email || name.tag == GeneralName::uri;
}

// What `fault` says about the first name of that kind it objects to; it returns an empty text for others.
template <class Fault>
Finding first_fault(const Subject& subject, std::uint8_t tag, Fault fault) {
  for (const GeneralName& name : subject.names) {
    if (name.tag != tag) continue;
    if (const std::string_view why = fault(name.text()); !why.empty())
      return describe(name) + " " + std::string(why);
  }
  return std::nullopt;
}

Finding general_name_not_empty(const Subject& subject) {
  for (const GeneralName& name : subject.names)
    // RFC 5280 4.2.1.6: "conforming CAs MUST NOT issue certificates with subjectAltNames containing empty
    // GeneralName fields."
    if (name.content.empty() || (name.tag == GeneralName::directory && inside(name.content).empty()))
      return std::string(to_string(name.place)) + " holds an empty name";
  return std::nullopt;
}

Finding general_name_ascii(const Subject& subject) {
  for (const GeneralName& name : subject.names) {
    if (!is_text(name) || is_ascii(name.text())) continue;
    // Said better by the rule about local parts.
    if (name.tag == GeneralName::email && !is_ascii(split_mailbox(name.text()).local_part)) continue;
    // RFC 8399 2.3: "IA5String is limited to the set of ASCII characters."
    return describe(name) + " is not ASCII";
  }
  return std::nullopt;
}

Finding dns_name_blank(const Subject& subject) {
  // RFC 5280 4.2.1.6: "subjectAltName extensions with a dNSName of " " MUST NOT be used."
  return first_fault(subject, GeneralName::dns,
                     [](std::string_view text) { return text == " " ? "is a blank" : ""; });
}

Finding dns_name_final_dot(const Subject& subject) {
  // RFC 1034 3.5 has no final dot: "<domain> ::= <subdomain> | " ""
  return first_fault(subject, GeneralName::dns,
                     [](std::string_view text) { return text.ends_with('.') ? "ends with a dot" : ""; });
}

Finding dns_name_wildcard(const Subject& subject) {
  // RFC 6125 6.4.3: "The client SHOULD NOT attempt to match a presented identifier in which the wildcard
  // character comprises a label other than the left-most label"
  return first_fault(subject, GeneralName::dns, [](std::string_view text) {
    return host_of(text).find('*') != std::string_view::npos ? "has a '*' that is not its whole first label"
                                                             : "";
  });
}

Finding dns_name_syntax(const Subject& subject) {
  // RFC 5280 4.2.1.6: "The name MUST be in the "preferred name syntax", as specified by Section 3.5 of
  // [RFC1034] and as modified by Section 2.1 of [RFC1123]."
  return first_fault(subject, GeneralName::dns, [](std::string_view text) -> std::string_view {
    const std::string_view host = host_of(text);
    const bool said_elsewhere = text.empty() || text == " " || !is_ascii(text) || host.ends_with('.') ||
                                host.find('*') != std::string_view::npos;
    return said_elsewhere ? std::string_view{} : host_name_fault(host);
  });
}

Finding dns_name_not_address(const Subject& subject) {
  // RFC 1123 2.1: "a valid host name can never have the dotted-decimal form #.#.#.#, since at least the
  // highest-level component label will be alphabetic."
  return first_fault(subject, GeneralName::dns, [](std::string_view text) {
    return ends_in_number(text) ? "ends in a number, as addresses do" : "";
  });
}

bool has_capitals(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c != lower(c); });
}

Finding domain_lower_case(const Subject& subject) {
  for (const GeneralName& name : subject.names)
    // RFC 8398 5: "For ASCII NR-LDH labels, uppercase letters are converted to lowercase letters." Who
    // forgets to do that finds a lower-case name all the same.
    if (!domain_of(name).starts_with('[') && has_capitals(domain_of(name)))
      return describe(name) + " has capital letters in its domain";
  return std::nullopt;
}

Finding domain_labels(const Subject& subject) {
  for (const GeneralName& name : subject.names) {
    for (std::string_view rest = domain_of(name); !rest.empty();) {
      const std::string_view label = take_label(rest);
      // RFC 5890 2.3.1: labels with "--" in third and fourth place are reserved, and A-labels are the only
      // ones in use. RFC 8399 2.3: "To accommodate IDNs, U-labels are converted to A-labels."
      if (is_reserved_label(label) && !is_a_label(label))
        return describe(name) + " has the label " + in_quotes(label) + ", which is reserved";
    }
  }
  return std::nullopt;
}

Finding a_label_decodes(const Subject& subject) {
  for (const GeneralName& name : subject.names) {
    for (std::string_view rest = domain_of(name); !rest.empty();) {
      const std::string_view label = take_label(rest);
      // RFC 8399 3: "Conforming CAs SHOULD ensure that IDNs are valid."
      if (is_a_label(label) && !punycode::decodes(label))
        return describe(name) + " has the label " + in_quotes(label) + ", which encodes nothing";
    }
  }
  return std::nullopt;
}

Finding ip_address_length(const Subject& subject) {
  for (const GeneralName& name : subject.names) {
    if (name.tag != GeneralName::ip || name.content.empty()) continue;
    // RFC 5280 4.2.1.6: "For IP version 4, as specified in [RFC791], the octet string MUST contain exactly
    // four octets."
    if (name.content.size() != 4 && name.content.size() != 16)
      return std::string(to_string(name.place)) + " iPAddress " + in_quotes(to_hex(name.content)) +
             " is neither 4 nor 16 octets";
  }
  return std::nullopt;
}

Finding uri_absolute(const Subject& subject) {
  // RFC 5280 4.2.1.6: "The name MUST NOT be a relative URI" and "MUST include both a scheme (e.g., "http" or
  // "ftp") and a scheme-specific-part."
  return first_fault(subject, GeneralName::uri, [](std::string_view text) {
    if (text.empty()) return "";
    const Uri uri = split_uri(text);
    return uri.scheme.empty() ? "has no scheme" : uri.rest.empty() ? "has nothing behind its scheme" : "";
  });
}

Finding uri_characters(const Subject& subject) {
  // RFC 5280 4.2.1.6: "it MUST follow the URI syntax and encoding rules specified in [RFC3986]."
  return first_fault(subject, GeneralName::uri, [](std::string_view text) {
    return is_ascii(text) && !has_uri_characters(text) ? "holds a character that must be percent-encoded"
                                                       : "";
  });
}

Finding uri_host(const Subject& subject) {
  // RFC 5280 4.2.1.6: "URIs that include an authority ([RFC3986], Section 3.2) MUST include a fully qualified
  // domain name or IP address as the host."
  return first_fault(subject, GeneralName::uri, [](std::string_view text) {
    const Uri uri = split_uri(text);
    return uri.has_authority && is_ascii(text) && !is_qualified_host(uri.host)
               ? "names neither a fully qualified host nor an address"
               : "";
  });
}

constexpr Rule general_name_table[] = {
    {"general-name-not-empty", "RFC 5280 4.2.1.6", Severity::error, "No alternative name is empty",
     general_name_not_empty},
    {"general-name-ascii", "RFC 8399 2.3", Severity::error,
     "dNSName, rfc822Name and URI are ASCII; international domains are A-labels", general_name_ascii},
    {"dns-name-blank", "RFC 5280 4.2.1.6", Severity::error, "No dNSName is a blank", dns_name_blank},
    {"dns-name-final-dot", "RFC 1034 3.5", Severity::error, "No dNSName ends with a dot", dns_name_final_dot},
    {"dns-name-wildcard", "RFC 6125 6.4.3", Severity::error, "A '*' in a dNSName is the whole first label",
     dns_name_wildcard},
    {"dns-name-syntax", "RFC 5280 4.2.1.6", Severity::error,
     "A dNSName has the preferred name syntax: labels of letters, digits and inner hyphens", dns_name_syntax},
    {"dns-name-not-address", "RFC 1123 2.1", Severity::error, "The last label of a dNSName is no number",
     dns_name_not_address},
    {"domain-lower-case", "RFC 8398 5", Severity::warning, "Domains in alternative names are in lower case",
     domain_lower_case},
    {"domain-labels", "RFC 8399 2.3", Severity::error,
     "Labels with two hyphens in third and fourth place are A-labels", domain_labels},
    {"a-label-decodes", "RFC 8399 3", Severity::warning, "A-labels can be decoded", a_label_decodes},
    {"ip-address-length", "RFC 5280 4.2.1.6", Severity::error, "An iPAddress is 4 or 16 octets",
     ip_address_length},
    {"uri-absolute", "RFC 5280 4.2.1.6", Severity::error, "A URI has a scheme and something behind it",
     uri_absolute},
    {"uri-characters", "RFC 5280 4.2.1.6", Severity::error, "A URI holds only characters of RFC 3986",
     uri_characters},
    {"uri-host", "RFC 5280 4.2.1.6", Severity::error,
     "A URI with an authority names a fully qualified host or an address", uri_host},
};

}  // namespace

std::span<const Rule> general_name_rules() { return general_name_table; }

}  // namespace hanaper::lint
