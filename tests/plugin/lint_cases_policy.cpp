// Policies, and pointers to CRLs, responders and certificates.
#include "lint_forms.hpp"

namespace hanaper::lint::testing {

namespace known = hanaper::oid;

namespace {

// A server's certificate with one policy and one qualifier of it.
Form with_qualifier(std::string_view policy, const Bytes& id, const Bytes& qualifier) {
  return Form(server().set(known::certificate_policies, false,
                           sequence({sequence({oid(policy), sequence({sequence({id, qualifier})})})})));
}

Form with_notice(std::initializer_list<Bytes> parts) {
  return with_qualifier("2.23.140.1.2.1", oid("1.3.6.1.5.5.7.2.2"), sequence(parts));
}

Form with_mapping(const Bytes& issuers, const Bytes& subjects) {
  return Form(authority().set(known::policy_mappings, true, sequence({sequence({issuers, subjects})})));
}

Form with_points(std::initializer_list<Bytes> points) {
  return Form(server().set(known::crl_distribution_points, false, sequence(points)));
}

// DistributionPoint with the full name and whatever follows it.
Bytes point(std::initializer_list<Bytes> names, const Bytes& rest) {
  return sequence({element(der::context(0), {element(der::context(0), names)}), rest});
}

Form with_access(std::string_view method, const Bytes& location) {
  return Form(server()
                  .drop(known::tls_feature)
                  .set(known::authority_info_access, false, sequence({sequence({oid(method), location})})));
}

constexpr std::string_view ocsp = "1.3.6.1.5.5.7.48.1";
constexpr std::string_view ca_issuers = "1.3.6.1.5.5.7.48.2";

}  // namespace

std::vector<Case> policy_cases() {
  return {
      {"policies-unique",
       "RefusesPolicyTwice",
       [] {
         return Form(server().set(known::certificate_policies, false,
                                  sequence({sequence({oid("1.2.3")}), sequence({oid("1.2.3")})})));
       },
       "certificatePolicies names 1.2.3 twice",
       {}},
      {"any-policy-qualifiers",
       "RefusesUnknownQualifierOfAnyPolicy",
       [] { return with_qualifier("2.5.29.32.0", oid("1.2.3"), hex("0500")); },
       "policy 2.5.29.32.0 has the unknown qualifier 1.2.3",
       {}},
      {"policy-qualifiers-known",
       "WarnsOfUnknownQualifier",
       [] { return with_qualifier("2.23.140.1.2.1", oid("1.2.3"), hex("0500")); },
       "policy 2.23.140.1.2.1 has the unknown qualifier 1.2.3",
       {}},
      {"cps-pointer",
       "RefusesCpsPointerThatIsNoUri",
       [] {
         return with_qualifier("2.23.140.1.2.1", oid("1.3.6.1.5.5.7.2.1"),
                               text(der::ia5_string, "see page 7"));
       },
       "has the CPS pointer \"see page 7\"",
       {}},
      {"notice-reference",
       "WarnsOfNoticeReference",
       [] {
         return with_notice({sequence({text(der::utf8_string, "Example"), sequence({hex("020101")})})});
       },
       "has a user notice with a noticeRef",
       {}},
      {"notice-not-ia5",
       "RefusesNoticeInIa5",
       [] { return with_notice({text(der::ia5_string, "mind the gap")}); },
       "has the explicitText \"mind the gap\" as IA5String",
       {}},
      {"notice-utf8",
       "WarnsOfNoticeInVisibleString",
       [] { return with_notice({text(der::visible_string, "mind the gap")}); },
       "as VisibleString",
       {}},
      {"notice-length",
       "RefusesNoticeOf201Characters",
       [] { return with_notice({text(der::utf8_string, std::string(201, 'a'))}); },
       "has an explicitText of 201 characters",
       {}},
      {"notice-length",
       "RefusesEmptyNotice",
       [] { return with_notice({text(der::utf8_string, "")}); },
       "has an explicitText of 0 characters",
       {}},
      {"notice-characters",
       "WarnsOfControlCharacterInNotice",
       [] { return with_notice({text(der::utf8_string, "mind\x07the gap")}); },
       "\"mind\\x07the gap\" with a control character",
       {}},
      {"mappings-avoided",
       "WarnsOfPolicyMappings",
       [] {
         Form form = with_mapping(oid("1.2.3"), oid("1.2.4"));
         return Form(form.set(known::certificate_policies, false, sequence({sequence({oid("1.2.3")})})));
       },
       "policyMappings lets the cost",
       {}},
      {"mappings-without-any",
       "RefusesMappingFromAnyPolicy",
       [] { return with_mapping(oid("2.5.29.32.0"), oid("1.2.4")); },
       "2.5.29.32.0 is mapped to 1.2.4",
       {"mappings-avoided"}},
      {"mappings-asserted",
       "WarnsOfMappedPolicyThatIsNotAsserted",
       [] { return with_mapping(oid("1.2.3"), oid("1.2.4")); },
       "1.2.3 is mapped and not asserted",
       {"mappings-avoided"}},
      {"policy-extensions-only-ca",
       "WarnsOfPolicyConstraintsOfLeaf",
       [] { return Form(server().set(known::policy_constraints, true, hex("3003800100"))); },
       "policyConstraints in a certificate that is no authority's",
       {}},
  };
}

std::vector<Case> pointer_cases() {
  return {
      {"point-named",
       "RefusesPointOfReasonsAlone",
       [] {
         return with_points(
             {point({uri("http://pki.example.test/ca.crl")}, {}), sequence({hex("81020640")})});
       },
       "cRLDistributionPoints: a point without distributionPoint and cRLIssuer",
       {}},
      {"point-names-not-empty",
       "RefusesPointWithoutNames",
       [] { return with_points({point({}, {})}); },
       "a point with an empty list of names",
       {}},
      {"point-issuer",
       "RefusesOwnIssuerAsCrlIssuer",
       [] {
         const Bytes issuer = element(der::context(2), {directory(server().issuer)});
         return with_points({point({uri("http://pki.example.test/ca.crl")}, issuer)});
       },
       "names the certificate's own issuer",
       {}},
      {"point-relative-name",
       "WarnsOfRelativeName",
       [] {
         const Bytes relative =
             element(der::context(1), {sequence({oid("2.5.4.3"), text(der::utf8_string, "a")})});
         return with_points({sequence({element(der::context(0), {relative})})});
       },
       "relative to the CRL issuer",
       {}},
      {"point-reachable",
       "WarnsOfPointByFtpAlone",
       [] { return with_points({point({uri("ftp://pki.example.test/ca.crl")}, {})}); },
       "without an HTTP or LDAP URI: \"ftp://pki.example.test/ca.crl\"",
       {}},
      {"crl-points-all-reasons",
       "RefusesPointsForSomeReasonsOnly",
       [] { return with_points({point({uri("http://pki.example.test/ca.crl")}, hex("81020640"))}); },
       "no point is for all reasons",
       {}},
      {"pointer-syntax",
       "RefusesRelativePointer",
       [] { return with_access(ocsp, uri("ocsp.example.test")); },
       "authorityInfoAccess: URI \"ocsp.example.test\" is not absolute",
       {}},
      {"pointer-syntax",
       "RefusesPointerWithBlank",
       [] { return with_points({point({uri("http://pki.example.test/my ca.crl")}, {})}); },
       "must be percent-encoded",
       {}},
      {"pointer-syntax",
       "RefusesPointerWithoutHost",
       [] { return with_access(ocsp, uri("http:///")); },
       "names no host",
       {}},
      {"pointer-not-secure",
       "WarnsOfHttpsPointer",
       [] { return with_access(ca_issuers, uri("https://pki.example.test/ca.cer")); },
       "URI \"https://pki.example.test/ca.cer\" needs a certificate",
       {}},
      {"pointer-ldap",
       "RefusesLdapPointerWithoutAttribute",
       [] { return with_points({point({uri("ldap://ldap.example.test/cn=CA,dc=example,dc=test")}, {})}); },
       "names no attribute",
       {}},
      {"pointer-ldap",
       "RefusesLdapPointerToTwoAttributes",
       [] {
         return with_points(
             {point({uri("ldap:///cn=CA?certificateRevocationList,authorityRevocationList")}, {})});
       },
       "names more than one attribute",
       {}},
      {"pointer-ldap",
       "RefusesLdapPointerToNothing",
       [] { return with_points({point({uri("ldap://ldap.example.test")}, {})}); },
       "names no entry",
       {}},
      {"ca-issuers-reachable",
       "WarnsOfIssuersByFtpAlone",
       [] { return with_access(ca_issuers, uri("ftp://pki.example.test/ca.cer")); },
       "no caIssuers is an HTTP or LDAP URI",
       {}},
      {"ocsp-location",
       "RefusesResponderWithoutUri",
       [] { return with_access(ocsp, dns("ocsp.example.test")); },
       "the location of an OCSP responder is no URI",
       {}},
      {"time-stamping-location",
       "WarnsOfTimeStampingAtNoPlace",
       [] {
         return Form(server().set(known::subject_info_access, false,
                                  sequence({sequence({oid("1.3.6.1.5.5.7.48.3"), hex("88022a03")})})));
       },
       "the location of a time stamping service has no meaning",
       {}},
  };
}

}  // namespace hanaper::lint::testing
