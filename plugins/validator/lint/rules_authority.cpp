// What makes and bounds an authority: basic and name constraints (RFC 5280 4.2.1.9 and 4.2.1.10).
#include "rules.hpp"

namespace hanaper::lint {
namespace {

Finding basic_constraints_critical(const Subject& subject) {
  if (!subject.ca || subject.is_critical(Ext::basic_constraints)) return std::nullopt;
  // RFC 5280 4.2.1.9: "MUST mark the extension as critical in such certificates"; authorities whose keys
  // sign no certificates are free.
  if (subject.find(Ext::key_usage) && !(subject.key_usage & x509::key_cert_sign)) return std::nullopt;
  return "basicConstraints of an authority is not critical";
}

Finding path_length_only_ca(const Subject& subject) {
  // RFC 5280 4.2.1.9: "CAs MUST NOT include the pathLenConstraint field unless the cA boolean is asserted and
  // the key usage extension asserts the keyCertSign bit."
  if (!subject.path_length || subject.ca) return std::nullopt;
  return "basicConstraints has pathLenConstraint " + in_quotes(to_hex(*subject.path_length)) + " without cA";
}

Finding path_length_needs_key_cert_sign(const Subject& subject) {
  if (!subject.path_length || !subject.ca || subject.key_usage & x509::key_cert_sign) return std::nullopt;
  return "basicConstraints has pathLenConstraint " + in_quotes(to_hex(*subject.path_length)) +
         " and keyUsage does not assert keyCertSign";
}

Finding name_constraints_only_ca(const Subject& subject) {
  // RFC 5280 4.2.1.10: "The name constraints extension, which MUST be used only in a CA certificate"
  if (subject.ca || !subject.find(Ext::name_constraints)) return std::nullopt;
  return "nameConstraints in a certificate that is no authority's";
}

Finding name_constraints_not_empty(const Subject& subject) {
  if (!subject.find(Ext::name_constraints)) return std::nullopt;
  const ByteView value = subject.value(Ext::name_constraints);
  // RFC 5280 4.2.1.10: "Conforming CAs MUST NOT issue certificates where name constraints is an empty
  // sequence."
  if (value.empty()) return "nameConstraints neither permits nor excludes anything";
  for (const der::Element& subtrees : Elements(value))
    if (subtrees.content.empty()) return "nameConstraints has an empty list of subtrees";
  return std::nullopt;
}

// What `check` finds in the first subtree that it objects to, permitted or excluded.
template <class Check>
Finding first_subtree(const Subject& subject, Check check) {
  if (!subject.find(Ext::name_constraints)) return std::nullopt;
  for (const der::Element& list : Elements(subject.value(Ext::name_constraints))) {
    for (const der::Element& subtree : Elements(list.content)) {
      const Elements fields(subtree.content);
      const auto base = fields.begin();
      if (base == fields.end()) continue;
      if (Finding finding = check(subtree.content, *base)) return "nameConstraints: " + *finding;
    }
  }
  return std::nullopt;
}

Finding subtree_distance(const Subject& subject) {
  return first_subtree(subject, [](ByteView subtree, const der::Element& base) -> Finding {
    // RFC 5280 4.2.1.10: "the minimum MUST be zero, and maximum MUST be absent"; DER leaves a default out.
    if (subtree.size() == base.whole.size()) return std::nullopt;
    return "the subtree of " + in_quotes(base.content) + " has a minimum or maximum";
  });
}

// Whether octets are ones followed by zeros.
bool is_mask(ByteView mask) {
  bool ended = false;
  for (std::uint8_t octet : mask) {
    for (int bit = 7; bit >= 0; --bit) {
      const bool set = octet >> bit & 1;
      if (set && ended) return false;
      ended = !set;
    }
  }
  return true;
}

Finding subtree_address(const Subject& subject) {
  return first_subtree(subject, [](ByteView, const der::Element& base) -> Finding {
    if (base.tag != GeneralName::ip) return std::nullopt;
    const std::size_t size = base.content.size();
    // RFC 5280 4.2.1.10: "For IPv4 addresses, the iPAddress field of GeneralName MUST contain eight (8)
    // octets, encoded in the style of RFC 4632 (CIDR) to represent an address range"
    if (size != 8 && size != 32)
      return "iPAddress " + in_quotes(to_hex(base.content)) + " is neither 8 nor 32 octets";
    if (!is_mask(base.content.subspan(size / 2)))
      return "iPAddress " + in_quotes(to_hex(base.content)) + " has a mask with holes";
    return std::nullopt;
  });
}

Finding subtree_dns(const Subject& subject) {
  return first_subtree(subject, [](ByteView, const der::Element& base) -> Finding {
    // Without a label it stands for all names.
    if (base.tag != GeneralName::dns || base.content.empty()) return std::nullopt;
    // RFC 5280 4.2.1.10: "DNS name restrictions are expressed as host.example.com."
    const std::string_view why = host_name_fault(as_text(base.content));
    if (why.empty()) return std::nullopt;
    return "dNSName " + in_quotes(base.content) + " " + std::string(why);
  });
}

Finding subtree_uri(const Subject& subject) {
  return first_subtree(subject, [](ByteView, const der::Element& base) -> Finding {
    if (base.tag != GeneralName::uri) return std::nullopt;
    std::string_view host = as_text(base.content);
    if (host.starts_with('.')) host.remove_prefix(1);
    // RFC 5280 4.2.1.10: "The constraint MUST be specified as a fully qualified domain name and MAY specify a
    // host or a domain."
    if (is_qualified_host_name(host) || (host.size() != base.content.size() && host_name_fault(host).empty()))
      return std::nullopt;
    return "URI " + in_quotes(base.content) + " is no fully qualified domain name";
  });
}

Finding subtree_mailbox(const Subject& subject) {
  return first_subtree(subject, [](ByteView, const der::Element& base) -> Finding {
    // RFC 8398 6: "rfc822Name constraints with a local-part SHOULD NOT be used."
    if (base.tag != GeneralName::email || as_text(base.content).find('@') == std::string_view::npos)
      return std::nullopt;
    return "rfc822Name " + in_quotes(base.content) + " names a single mailbox";
  });
}

Finding subtree_email_domain(const Subject& subject) {
  return first_subtree(subject, [](ByteView, const der::Element& base) -> Finding {
    std::string_view host = as_text(base.content);
    if (base.tag != GeneralName::email || host.find('@') != std::string_view::npos) return std::nullopt;
    if (host.starts_with('.')) host.remove_prefix(1);
    // RFC 8399 2.2: "A name constraint for Internet mail addresses MAY specify all addresses at a particular
    // host or all mailboxes in a domain."
    if (host_name_fault(host).empty()) return std::nullopt;
    return "rfc822Name " + in_quotes(base.content) + " is neither a host nor a domain";
  });
}

Finding subtree_form(const Subject& subject) {
  return first_subtree(subject, [](ByteView, const der::Element& base) -> Finding {
    // RFC 5280 4.2.1.10: "SHOULD NOT impose name constraints on the x400Address, ediPartyName, or
    // registeredID name forms."
    switch (base.tag) {
      case der::context(3):
        return "a subtree of x400Address";
      case der::context(5):
        return "a subtree of ediPartyName";
      case der::context_primitive(8):
        return "a subtree of registeredID";
      default:
        return std::nullopt;
    }
  });
}

constexpr Rule authority_table[] = {
    {"basic-constraints-critical", "RFC 5280 4.2.1.9", Severity::error,
     "basicConstraints of an authority that signs certificates is critical", basic_constraints_critical},
    {"path-length-only-ca", "RFC 5280 4.2.1.9", Severity::error, "pathLenConstraint stands only with cA",
     path_length_only_ca},
    {"path-length-needs-key-cert-sign", "RFC 5280 4.2.1.9", Severity::error,
     "pathLenConstraint stands only with keyCertSign", path_length_needs_key_cert_sign},
    {"name-constraints-only-ca", "RFC 5280 4.2.1.10", Severity::error,
     "nameConstraints stands only in certificates of authorities", name_constraints_only_ca},
    {"name-constraints-not-empty", "RFC 5280 4.2.1.10", Severity::error,
     "nameConstraints permits or excludes something", name_constraints_not_empty},
    {"subtree-distance", "RFC 5280 4.2.1.10", Severity::error,
     "Subtrees of nameConstraints have neither minimum nor maximum", subtree_distance},
    {"subtree-address", "RFC 5280 4.2.1.10", Severity::error,
     "An iPAddress subtree is an address and a mask without holes", subtree_address},
    {"subtree-dns", "RFC 5280 4.2.1.10", Severity::error,
     "A dNSName subtree is a host name without a dot in front, or empty", subtree_dns},
    {"subtree-uri", "RFC 5280 4.2.1.10", Severity::error,
     "A URI subtree is a fully qualified domain name, perhaps with a dot in front", subtree_uri},
    {"subtree-mailbox", "RFC 8398 6", Severity::warning, "No rfc822Name subtree names a single mailbox",
     subtree_mailbox},
    {"subtree-email-domain", "RFC 8399 2.2", Severity::error, "A rfc822Name subtree is a host or a domain",
     subtree_email_domain},
    {"subtree-form", "RFC 5280 4.2.1.10", Severity::warning,
     "No subtree is of x400Address, ediPartyName or registeredID", subtree_form},
};

}  // namespace

std::span<const Rule> authority_rules() { return authority_table; }

}  // namespace hanaper::lint
