// What certificates of a certain purpose need: responders, time stamping, TLS, mail, short lives.
#include "rules.hpp"

namespace hanaper::lint {
namespace {

bool names_responder(const Subject& subject) {
  for (const der::Element& access : Elements(subject.value(Ext::authority_info_access)))
    if (oid::ad_ocsp == inside(access.content)) return true;
  return false;
}

bool has_name(const Subject& subject, std::initializer_list<std::uint8_t> tags) {
  return std::ranges::any_of(subject.names, [&](const GeneralName& name) {
    return name.place == Place::subject_alt_name && std::ranges::find(tags, name.tag) != tags.end();
  });
}

Finding ocsp_signing_alone(const Subject& subject) {
  if (!subject.has_usage(oid::ocsp_signing)) return std::nullopt;
  // RFC 6960 4.2.2.2 has an authority delegate the signing of responses; whoever holds that key speaks for
  // the authority, so that it should serve no other end.
  if (count(subject.value(Ext::extended_key_usage)) == 1) return std::nullopt;
  return "extKeyUsage names ocsp-signing beside other purposes";
}

Finding ocsp_no_check_only_responder(const Subject& subject) {
  // RFC 6960 4.2.2.2.1: "A CA may specify that an OCSP client can trust a responder for the lifetime of the
  // responder's certificate." Nobody else's.
  if (!subject.find(Ext::ocsp_no_check) || subject.has_usage(oid::ocsp_signing)) return std::nullopt;
  return "id-pkix-ocsp-nocheck in a certificate without ocsp-signing";
}

Finding time_stamping_alone(const Subject& subject) {
  if (!subject.has_usage(oid::time_stamping)) return std::nullopt;
  // RFC 3161 2.3: "The corresponding certificate MUST contain only one instance of the extended key usage
  // field extension as defined in [RFC2459] Section 4.2.1.13 with KeyPurposeID having value:
  // id-kp-timeStamping."
  if (subject.ca || count(subject.value(Ext::extended_key_usage)) == 1) return std::nullopt;
  return "extKeyUsage names time-stamping beside other purposes";
}

Finding time_stamping_critical(const Subject& subject) {
  // RFC 3161 2.3: "This extension MUST be critical."
  if (subject.ca || !subject.has_usage(oid::time_stamping) || subject.is_critical(Ext::extended_key_usage))
    return std::nullopt;
  return "extKeyUsage names time-stamping and is not critical";
}

Finding tls_feature_has_responder(const Subject& subject) {
  constexpr std::uint8_t status_request[] = {5};
  bool stapled = false;
  for (const der::Element& feature : Elements(subject.value(Ext::tls_feature)))
    stapled = stapled || equal(feature.content, status_request);
  // RFC 7633 4.3.1: "A Certification Authority SHOULD ensure that the certificate provisioning process for
  // certificates containing a TLS feature extension permits the certificate subject to meet the
  // requirements"; without a responder's address it cannot staple. What is said of an authority is meant for
  // those below it.
  if (!stapled || subject.ca || names_responder(subject)) return std::nullopt;
  return "tlsfeature demands status_request and authorityInfoAccess names no OCSP responder";
}

Finding no_rev_avail_alone(const Subject& subject) {
  if (!subject.find(Ext::no_rev_avail)) return std::nullopt;
  // RFC 9608 3: "Certificates that include the noRevAvail extension MUST NOT include certificate extensions
  // that point to Certificate Revocation List (CRL) repositories or provide locations of Online Certificate
  // Status Protocol (OCSP) responders."
  for (Ext ext : {Ext::crl_distribution_points, Ext::freshest_crl})
    if (subject.find(ext)) return "noRevAvail beside " + std::string(to_string(ext));
  if (names_responder(subject)) return "noRevAvail beside an OCSP responder in authorityInfoAccess";
  return std::nullopt;
}

Finding no_rev_avail_not_ca(const Subject& subject) {
  // RFC 9608 2: "This extension MUST NOT be present in CA public key certificates."
  if (!subject.ca || !subject.find(Ext::no_rev_avail)) return std::nullopt;
  return "noRevAvail in an authority's certificate";
}

Finding server_has_names(const Subject& subject) {
  if (subject.ca || !subject.has_usage(oid::server_auth)) return std::nullopt;
  // RFC 6125 4.1: "The certificate SHOULD include a "DNS-ID" if possible as a baseline for
  // interoperability." Clients that still read the subject instead have died out.
  if (has_name(subject, {GeneralName::dns, GeneralName::ip, GeneralName::uri, GeneralName::other}))
    return std::nullopt;
  return "extKeyUsage names server-auth and subjectAltName names no host";
}

Finding mail_has_address(const Subject& subject) {
  if (subject.ca || !subject.has_usage(oid::email_protection)) return std::nullopt;
  // RFC 5280 4.2.1.6: "When the subjectAltName extension contains an Internet mail address, the address MUST
  // be stored in the rfc822Name."; readers of mail look for the sender there.
  if (has_name(subject, {GeneralName::email, GeneralName::other})) return std::nullopt;
  return "extKeyUsage names email-protection and subjectAltName names no address";
}

constexpr Rule purpose_table[] = {
    {"ocsp-signing-alone", "RFC 6960 4.2.2.2", Severity::warning,
     "The purpose OCSPSigning stands alone in extKeyUsage", ocsp_signing_alone},
    {"ocsp-no-check-only-responder", "RFC 6960 4.2.2.2.1", Severity::error,
     "The OCSP nocheck extension stands only with the purpose OCSPSigning", ocsp_no_check_only_responder},
    {"time-stamping-alone", "RFC 3161 2.3", Severity::error,
     "The purpose timeStamping stands alone in extKeyUsage", time_stamping_alone},
    {"time-stamping-critical", "RFC 3161 2.3", Severity::error,
     "extKeyUsage with the purpose timeStamping is critical", time_stamping_critical},
    {"tls-feature-has-responder", "RFC 7633 4.3.1", Severity::warning,
     "A certificate that must be stapled names an OCSP responder", tls_feature_has_responder},
    {"no-rev-avail-alone", "RFC 9608 3", Severity::error,
     "noRevAvail stands beside no pointer to CRLs or OCSP responders", no_rev_avail_alone},
    {"no-rev-avail-not-ca", "RFC 9608 2", Severity::error,
     "noRevAvail does not stand in an authority's certificate", no_rev_avail_not_ca},
    {"server-has-names", "RFC 6125 4.1", Severity::warning,
     "A certificate for TLS servers names a host in subjectAltName", server_has_names},
    {"mail-has-address", "RFC 5280 4.2.1.6", Severity::warning,
     "A certificate for mail names an address in subjectAltName", mail_has_address},
};

}  // namespace

std::span<const Rule> purpose_rules() { return purpose_table; }

}  // namespace hanaper::lint
