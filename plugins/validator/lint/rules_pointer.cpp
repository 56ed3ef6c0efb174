// Where to find CRLs, responders and certificates (RFC 5280 4.2.1.13, 4.2.1.15, 4.2.2).
#include "rules.hpp"

namespace hanaper::lint {
namespace {

using namespace der::literals;

constexpr Ext point_lists[] = {Ext::crl_distribution_points, Ext::freshest_crl};

// One DistributionPoint in its parts.
struct Point {
  std::optional<der::Element> name;  // content of distributionPoint: fullName or nameRelativeToCRLIssuer
  bool has_reasons = false;
  std::optional<der::Element> issuer;
};

Point split_point(const der::Element& element) {
  Point point;
  for (const der::Element& field : Elements(element.content)) {
    if (field.tag == der::context(0)) point.name = child(field.content, der::context(0));
    if (field.tag == der::context(0) && !point.name) point.name = child(field.content, der::context(1));
    if (field.tag == der::context_primitive(1)) point.has_reasons = true;
    if (field.tag == der::context(2)) point.issuer = field;
  }
  return point;
}

bool has_full_name(const Point& point) { return point.name && point.name->tag == der::context(0); }

// What `check` finds in the first point it objects to, of CRLs or of delta CRLs.
template <class Check>
Finding first_point(const Subject& subject, Check check) {
  for (Ext ext : point_lists) {
    if (!subject.find(ext)) continue;
    for (const der::Element& element : Elements(subject.value(ext)))
      if (Finding finding = check(split_point(element))) return std::string(to_string(ext)) + ": " + *finding;
  }
  return std::nullopt;
}

// The same for every URI in any of the four extensions.
template <class Check>
Finding first_uri(const Subject& subject, Check check) {
  for (const Pointer& pointer : subject.pointers)
    if (const std::string_view why = check(pointer.ext, pointer.uri); !why.empty())
      return std::string(to_string(pointer.ext)) + ": URI " + in_quotes(pointer.uri) + " " + std::string(why);
  return std::nullopt;
}

bool has_scheme(std::string_view uri, std::string_view scheme) {
  return uri.size() > scheme.size() && uri[scheme.size()] == ':' &&
         same_ignoring_case(uri.substr(0, scheme.size()), scheme);
}
bool is_http(std::string_view uri) { return has_scheme(uri, "http") || has_scheme(uri, "https"); }
bool is_ldap(std::string_view uri) { return has_scheme(uri, "ldap") || has_scheme(uri, "ldaps"); }

Finding point_named(const Subject& subject) {
  return first_point(subject, [](const Point& point) -> Finding {
    // RFC 5280 4.2.1.13: "a DistributionPoint MUST NOT consist of only the reasons field; either
    // distributionPoint or cRLIssuer MUST be present."
    if (point.name || point.issuer) return std::nullopt;
    return "a point without distributionPoint and cRLIssuer";
  });
}

Finding point_issuer(const Subject& subject) {
  return first_point(subject, [&](const Point& point) -> Finding {
    if (!point.issuer) return std::nullopt;
    // RFC 5280 4.2.1.13: "If the certificate issuer is also the CRL issuer, then conforming CAs MUST omit the
    // cRLIssuer field and MUST include the distributionPoint field."
    for (const der::Element& name : Elements(point.issuer->content))
      if (name.tag == GeneralName::directory && equal(name.content, subject.tbs.issuer))
        return "a point names the certificate's own issuer as cRLIssuer";
    return std::nullopt;
  });
}

Finding point_relative_name(const Subject& subject) {
  return first_point(subject, [](const Point& point) -> Finding {
    // RFC 5280 4.2.1.13: "Conforming CAs SHOULD NOT use nameRelativeToCRLIssuer to specify distribution point
    // names."
    if (!point.name || has_full_name(point)) return std::nullopt;
    return "a point is named relative to the CRL issuer";
  });
}

Finding point_names_not_empty(const Subject& subject) {
  return first_point(subject, [](const Point& point) -> Finding {
    if (!has_full_name(point)) return std::nullopt;
    // RFC 5280 4.2.1.6: "GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName"
    if (point.name->content.empty()) return "a point with an empty list of names";
    for (const der::Element& name : Elements(point.name->content))
      if (name.content.empty()) return "a point with an empty name";
    return std::nullopt;
  });
}

Finding point_reachable(const Subject& subject) {
  return first_point(subject, [](const Point& point) -> Finding {
    if (!has_full_name(point) || point.name->content.empty()) return std::nullopt;
    for (const der::Element& name : Elements(point.name->content)) {
      const std::string_view uri = as_text(name.content);
      if (name.tag == GeneralName::uri && (is_http(uri) || is_ldap(uri))) return std::nullopt;
    }
    // RFC 5280 4.2.1.13: "When present, DistributionPointName SHOULD include at least one LDAP or HTTP URI."
    return "a point without an HTTP or LDAP URI: " + in_quotes(inside(point.name->content));
  });
}

Finding crl_points_all_reasons(const Subject& subject) {
  const ByteView points = subject.value(Ext::crl_distribution_points);
  if (points.empty()) return std::nullopt;
  for (const der::Element& element : Elements(points))
    if (!split_point(element).has_reasons) return std::nullopt;
  // RFC 5280 4.2.1.13: "it MUST include at least one DistributionPoint that points to a CRL that covers the
  // certificate for all reasons."
  return "cRLDistributionPoints: no point is for all reasons";
}

Finding pointer_syntax(const Subject& subject) {
  return first_uri(subject, [](Ext, std::string_view text) -> std::string_view {
    const Uri uri = split_uri(text);
    // RFC 5280 4.2.1.6, whose rules hold wherever a GeneralName stands: "it MUST follow the URI syntax and
    // encoding rules specified in [RFC3986]."
    if (uri.scheme.empty() || uri.rest.empty()) return "is not absolute";
    if (!has_uri_characters(text)) return "holds a character that must be percent-encoded";
    return is_http(text) && uri.host.empty() ? "names no host" : "";
  });
}

Finding pointer_not_secure(const Subject& subject) {
  return first_uri(subject, [](Ext, std::string_view text) -> std::string_view {
    // RFC 5280 8: "CAs SHOULD NOT include URIs that specify https, ldaps, or similar schemes in extensions."
    // A program that follows such a URI must validate another certificate first.
    return has_scheme(text, "https") || has_scheme(text, "ldaps") ? "needs a certificate to be read" : "";
  });
}

Finding pointer_ldap(const Subject& subject) {
  return first_uri(subject, [](Ext ext, std::string_view text) -> std::string_view {
    if (!is_ldap(text)) return {};
    // ldap://host/dn?attributes?scope?filter (RFC 4516 2)
    std::string_view tail = split_uri(text).tail;
    if (tail.starts_with('/')) tail.remove_prefix(1);
    const std::size_t mark = tail.find('?');
    // RFC 5280 4.2.1.13: "the URI MUST include a <dn> field containing the distinguished name of the entry
    // holding the CRL, MUST include a single <attrdesc>"
    if (tail.empty() || mark == 0) return "names no entry";
    if (mark == std::string_view::npos) return "names no attribute";
    const std::string_view attributes = tail.substr(mark + 1, tail.find('?', mark + 1) - mark - 1);
    if (attributes.empty()) return "names no attribute";
    const bool single = ext == Ext::crl_distribution_points || ext == Ext::freshest_crl;
    return single && attributes.find(',') != std::string_view::npos ? "names more than one attribute" : "";
  });
}

Finding ca_issuers_reachable(const Subject& subject) {
  bool used = false;
  for (const der::Element& access : Elements(subject.value(Ext::authority_info_access))) {
    if (oid::ad_ca_issuers != inside(access.content)) continue;
    used = true;
    const auto uri = child(access.content, GeneralName::uri);
    if (!uri) continue;
    if (is_http(as_text(uri->content)) || is_ldap(as_text(uri->content))) return std::nullopt;
  }
  // RFC 5280 4.2.2.1: "When the id-ad-caIssuers accessMethod is used, at least one instance SHOULD specify an
  // accessLocation that is an HTTP [RFC2616] or LDAP [RFC4516] URI."
  if (!used) return std::nullopt;
  return "authorityInfoAccess: no caIssuers is an HTTP or LDAP URI";
}

Finding ocsp_location(const Subject& subject) {
  for (const der::Element& access : Elements(subject.value(Ext::authority_info_access))) {
    if (oid::ad_ocsp != inside(access.content) || child(access.content, GeneralName::uri)) continue;
    // RFC 6960 3.1: "MUST provide for the inclusion of a value for a Uniform Resource Identifier (URI)
    // [RFC3986] accessLocation and the OID value id-ad-ocsp for the accessMethod"
    return "authorityInfoAccess: the location of an OCSP responder is no URI";
  }
  return std::nullopt;
}

Finding time_stamping_location(const Subject& subject) {
  constexpr der::Oid ad_time_stamping = "1.3.6.1.5.5.7.48.3"_oid;
  for (const der::Element& access : Elements(subject.value(Ext::subject_info_access))) {
    if (ad_time_stamping != inside(access.content)) continue;
    // RFC 5280 4.2.2.2: "The semantics of other name forms of accessLocation (when accessMethod is
    // id-ad-timeStamping) are not defined by this specification."
    const bool defined = child(access.content, GeneralName::uri) ||
                         child(access.content, GeneralName::email) ||
                         child(access.content, GeneralName::dns) || child(access.content, GeneralName::ip);
    if (!defined) return "subjectInfoAccess: the location of a time stamping service has no meaning";
  }
  return std::nullopt;
}

constexpr Rule pointer_table[] = {
    {"point-named", "RFC 5280 4.2.1.13", Severity::error,
     "A distribution point has a name or a CRL issuer, not only reasons", point_named},
    {"point-names-not-empty", "RFC 5280 4.2.1.13", Severity::error,
     "The name of a distribution point is not empty", point_names_not_empty},
    {"point-issuer", "RFC 5280 4.2.1.13", Severity::error,
     "No distribution point names the certificate's own issuer as the CRL's", point_issuer},
    {"point-relative-name", "RFC 5280 4.2.1.13", Severity::warning,
     "No distribution point is named relative to the CRL issuer", point_relative_name},
    {"point-reachable", "RFC 5280 4.2.1.13", Severity::warning,
     "Each named distribution point has an HTTP or LDAP URI", point_reachable},
    {"crl-points-all-reasons", "RFC 5280 4.2.1.13", Severity::error,
     "At least one distribution point is for all reasons", crl_points_all_reasons},
    {"pointer-syntax", "RFC 5280 4.2.1.6", Severity::error,
     "URIs of CRLs, responders and certificates are absolute and properly encoded", pointer_syntax},
    {"pointer-not-secure", "RFC 5280 8", Severity::warning,
     "URIs of CRLs, responders and certificates are not https or ldaps", pointer_not_secure},
    {"pointer-ldap", "RFC 5280 4.2.1.13", Severity::error,
     "An LDAP URI names an entry and an attribute, for CRLs a single one", pointer_ldap},
    {"ca-issuers-reachable", "RFC 5280 4.2.2.1", Severity::warning,
     "One caIssuers at least is an HTTP or LDAP URI", ca_issuers_reachable},
    {"ocsp-location", "RFC 6960 3.1", Severity::error, "The location of an OCSP responder is a URI",
     ocsp_location},
    {"time-stamping-location", "RFC 5280 4.2.2.2", Severity::warning,
     "The location of a time stamping service is a URI, an address or a host", time_stamping_location},
};

}  // namespace

std::span<const Rule> pointer_rules() { return pointer_table; }

}  // namespace hanaper::lint
