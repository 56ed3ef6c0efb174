// Mail addresses in subjectAltName and issuerAltName, in ASCII and beyond (RFC 5280 4.2.1.6, RFC 8398).
#include "rules.hpp"

namespace hanaper::lint {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// The value of an otherName that is a SmtpUTF8Mailbox.
std::optional<der::Element> smtp_mailbox(const GeneralName& name) {
  if (name.tag != GeneralName::other) return std::nullopt;
  const auto id = child(name.content, der::object_identifier);
  const auto value = child(name.content, der::context(0));
  if (!id || !value || oid::smtp_utf8_mailbox != id->content) return std::nullopt;
  for (const der::Element& text : Elements(value->content)) return text;
  return std::nullopt;
}

// What `fault` says about the first SmtpUTF8Mailbox it objects to; it returns an empty text for others.
template <class Fault>
Finding first_fault(const Subject& subject, Fault fault) {
  for (const GeneralName& name : subject.names) {
    const auto mailbox = smtp_mailbox(name);
    if (!mailbox) continue;
    if (const std::string_view why = fault(*mailbox); !why.empty())
      return std::string(to_string(name.place)) + " SmtpUTF8Mailbox " + in_quotes(mailbox->content) + " " +
             std::string(why);
  }
  return std::nullopt;
}

bool is_literal(std::string_view domain) {
  return domain.size() > 2 && domain.front() == '[' && domain.back() == ']';
}

std::string_view mailbox_fault(std::string_view text) {
  if (text.find('@') == std::string_view::npos) return "has no '@'";
  const Mailbox mailbox = split_mailbox(text);
  if (!is_local_part(mailbox.local_part, false)) return "has no proper local part";
  if (is_literal(mailbox.domain)) return {};
  return host_name_fault(mailbox.domain).empty() ? std::string_view{} : "has no proper domain";
}

Finding email_local_part_ascii(const Subject& subject) {
  for (const GeneralName& name : subject.names) {
    if (name.tag != GeneralName::email) continue;
    // RFC 8398 3: "When the subjectAltName (or issuerAltName) extension contains an internationalized email
    // address with a non-ASCII local-part, the address MUST be stored in the SmtpUTF8Mailbox name form of
    // otherName."
    if (!is_ascii(split_mailbox(name.text()).local_part))
      return std::string(to_string(name.place)) + " rfc822Name " + in_quotes(name.content) +
             " has a local part beyond ASCII";
  }
  return std::nullopt;
}

Finding email_syntax(const Subject& subject) {
  for (const GeneralName& name : subject.names) {
    if (name.tag != GeneralName::email || name.content.empty() || !is_ascii(name.text())) continue;
    // RFC 5280 4.2.1.6: "Note that a Mailbox has no phrase (such as a common name) before it, has no comment
    // (text surrounded in parentheses) after it, and is not surrounded by "<" and ">"."
    if (const std::string_view why = mailbox_fault(name.text()); !why.empty())
      return std::string(to_string(name.place)) + " rfc822Name " + in_quotes(name.content) + " " +
             std::string(why);
  }
  return std::nullopt;
}

Finding smtp_mailbox_type(const Subject& subject) {
  // RFC 8398 3: "SmtpUTF8Mailbox is encoded as UTF8String."
  return first_fault(subject, [](const der::Element& mailbox) {
    if (mailbox.tag != der::utf8_string) return "is no UTF8String";
    return utf8_length(as_text(mailbox.content)) ? "" : "is not UTF-8";
  });
}

Finding smtp_mailbox_no_mark(const Subject& subject) {
  // RFC 8398 3: "The UTF8String encoding MUST NOT contain a Byte-Order-Mark (BOM)"
  return first_fault(subject, [](const der::Element& mailbox) {
    return as_text(mailbox.content).find(byte_order_mark) != std::string_view::npos
               ? "holds a byte-order mark"
               : "";
  });
}

Finding smtp_mailbox_needed(const Subject& subject) {
  // RFC 8398 3: "SmtpUTF8Mailbox subjectAltName MUST NOT be used unless the local-part of the email address
  // contains non-ASCII characters."
  return first_fault(subject, [](const der::Element& mailbox) {
    return is_ascii(split_mailbox(as_text(mailbox.content)).local_part)
               ? "has an ASCII local part, so that it must be a rfc822Name"
               : "";
  });
}

Finding smtp_mailbox_syntax(const Subject& subject) {
  // RFC 8398 3: "The format of SmtpUTF8Mailbox is defined as the ABNF rule SmtpUTF8Mailbox."
  return first_fault(subject, [](const der::Element& element) {
    const std::string_view text = as_text(element.content);
    if (element.tag != der::utf8_string || !utf8_length(text)) return "";
    const Mailbox mailbox = split_mailbox(text);
    if (mailbox.domain.empty()) return "has no domain";
    if (!is_ascii(mailbox.local_part) && !is_local_part(mailbox.local_part, true))
      return "has no proper local part";
    return "";
  });
}

Finding smtp_mailbox_domain(const Subject& subject) {
  return first_fault(subject, [](const der::Element& mailbox) {
    std::string_view rest = split_mailbox(as_text(mailbox.content)).domain;
    while (!rest.empty() && !is_literal(rest)) {
      const std::string_view label = take_label(rest);
      if (!is_ascii(label)) continue;
      // RFC 8398 3: domain labels of ASCII "SHALL use NR-LDH restrictions as specified by Section 2.3.1 of
      // [RFC5890] and SHALL be restricted to lowercase letters." A-labels are let pass: see Divergences.
      if (std::ranges::any_of(label, [](char c) { return c != lower(c); }))
        return "has capital letters in its domain";
      if (!is_host_label(label) || (is_reserved_label(label) && !is_a_label(label)))
        return "has a label in its domain that is none";
    }
    return "";
  });
}

constexpr Rule mailbox_table[] = {
    {"email-local-part-ascii", "RFC 8398 3", Severity::error,
     "An address with a local part beyond ASCII is a SmtpUTF8Mailbox, not a rfc822Name",
     email_local_part_ascii},
    {"email-syntax", "RFC 5280 4.2.1.6", Severity::error,
     "A rfc822Name is a bare Mailbox: local part, '@' and domain", email_syntax},
    {"smtp-mailbox-type", "RFC 8398 3", Severity::error, "A SmtpUTF8Mailbox is a UTF8String",
     smtp_mailbox_type},
    {"smtp-mailbox-no-mark", "RFC 8398 3", Severity::error, "A SmtpUTF8Mailbox holds no byte-order mark",
     smtp_mailbox_no_mark},
    {"smtp-mailbox-needed", "RFC 8398 3", Severity::error,
     "A SmtpUTF8Mailbox stands only for an address with a local part beyond ASCII", smtp_mailbox_needed},
    {"smtp-mailbox-syntax", "RFC 8398 3", Severity::error,
     "A SmtpUTF8Mailbox is a bare Mailbox: local part, '@' and domain", smtp_mailbox_syntax},
    {"smtp-mailbox-domain", "RFC 8398 3", Severity::error,
     "ASCII labels in the domain of a SmtpUTF8Mailbox are host labels in lower case", smtp_mailbox_domain},
};

}  // namespace

std::span<const Rule> mailbox_rules() { return mailbox_table; }

}  // namespace hanaper::lint
