// Key identifiers, usages, constraints and purposes.
#include "lint_forms.hpp"

namespace hanaper::lint::testing {

namespace known = hanaper::oid;

namespace {

Form eddsa_authority() {
  Form form = authority();
  form.spki = eddsa_key();
  return form;
}

Form rsa_authority() {
  Form form = authority();
  form.spki = rsa_key();
  return form;
}

// An authority with one permitted subtree.
Form with_subtree(const Bytes& subtree) {
  return Form(authority().set(known::name_constraints, true,
                              sequence({element(der::context(0), {sequence({subtree})})})));
}

}  // namespace

std::vector<Case> usage_cases() {
  return {
      {"authority-key-identifier-present",
       "RefusesMissingAuthorityKeyIdentifier",
       [] { return Form(server().drop(known::authority_key_identifier)); },
       "there is no authorityKeyIdentifier",
       {}},
      {"authority-key-identifier-key",
       "RefusesAuthorityKeyIdentifierWithoutKey",
       [] { return Form(server().set(known::authority_key_identifier, false, sequence({}))); },
       "authorityKeyIdentifier has no keyIdentifier",
       {}},
      {"authority-key-identifier-pair",
       "RefusesSerialNumberWithoutIssuer",
       [] { return Form(server().set(known::authority_key_identifier, false, hex("3006800101820101"))); },
       "authorityCertSerialNumber without authorityCertIssuer",
       {}},
      {"authority-key-identifier-pair",
       "RefusesIssuerWithoutSerialNumber",
       [] {
         Form form = server();
         const Bytes issuer = element(der::context(1), {directory(form.issuer)});
         return Form(form.set(known::authority_key_identifier, false, sequence({hex("800101"), issuer})));
       },
       "authorityCertIssuer without authorityCertSerialNumber",
       {}},
      {"subject-key-identifier-in-ca",
       "RefusesAuthorityWithoutKeyIdentifier",
       [] { return Form(authority().drop(known::subject_key_identifier)); },
       "no subjectKeyIdentifier in an authority's certificate",
       {}},
      {"subject-key-identifier-in-leaf",
       "WarnsOfLeafWithoutKeyIdentifier",
       [] { return Form(server().drop(known::subject_key_identifier)); },
       "there is no subjectKeyIdentifier",
       {}},
      {"key-usage-not-empty",
       "RefusesEmptyKeyUsage",
       [] { return Form(server().set(known::key_usage, true, hex("030100"))); },
       "keyUsage asserts nothing",
       {}},
      {"key-usage-minimal",
       "RefusesTrailingZerosInKeyUsage",
       [] { return Form(server().set(known::key_usage, true, hex("03020080"))); },
       "keyUsage \"0080\" has trailing zeros",
       {}},
      {"key-usage-in-ca",
       "RefusesAuthorityWithoutKeyUsage",
       [] {
         Form form = root();
         return Form(form.drop(known::key_usage));
       },
       "there is no keyUsage in an authority's certificate",
       {}},
      {"key-cert-sign-only-ca",
       "RefusesLeafThatSignsCertificates",
       [] { return Form(server().usage(x509::digital_signature | x509::key_cert_sign)); },
       "keyUsage asserts keyCertSign",
       {}},
      {"ca-key-signs",
       "WarnsOfAuthorityThatSignsNothing",
       [] { return Form(root().usage(x509::digital_signature)); },
       "asserts neither keyCertSign nor cRLSign",
       {}},
      {"only-bits-need-agreement",
       "WarnsOfEncipherOnlyAlone",
       [] { return Form(server().usage(x509::digital_signature | x509::encipher_only)); },
       "a key without keyAgreement asserts encipherOnly",
       {}},
      {"rsa-key-usage",
       "RefusesAgreementWithRsa",
       [] { return Form(rsa_server().usage(x509::digital_signature | x509::key_agreement)); },
       "keyUsage of an rsa key asserts keyAgreement",
       {}},
      {"rsa-ca-key-usage",
       "WarnsOfEnciphermentByAuthority",
       [] { return Form(rsa_authority().usage(x509::key_cert_sign | x509::key_encipherment)); },
       "an authority's rsa key asserts keyEncipherment",
       {}},
      {"ec-key-usage",
       "RefusesEnciphermentWithEc",
       [] {
         return Form(
             server().usage(x509::digital_signature | x509::key_encipherment | x509::data_encipherment));
       },
       "an ec key asserts keyEncipherment and dataEncipherment",
       {}},
      {"ec-ca-key-usage",
       "WarnsOfAgreementByAuthority",
       [] { return Form(authority().usage(x509::key_cert_sign | x509::key_agreement)); },
       "an authority's ec key asserts keyAgreement",
       {}},
      {"eddsa-key-signs",
       "RefusesEddsaKeyThatSignsNothing",
       [] { return Form(eddsa_client().usage(x509::key_agreement)); },
       "an Ed25519 key asserts no kind of signature",
       {"eddsa-key-usage"}},
      {"eddsa-key-usage",
       "RefusesEnciphermentWithEddsa",
       [] { return Form(eddsa_client().usage(x509::digital_signature | x509::key_encipherment)); },
       "an Ed25519 key asserts keyEncipherment",
       {}},
      {"eddsa-ca-key-usage",
       "RefusesEddsaAuthorityThatSignsNoCertificates",
       [] {
         Form form = eddsa_authority();
         form.set(known::basic_constraints, true, x509::basic_constraints(true, std::nullopt));
         return Form(form.usage(x509::crl_sign));
       },
       "does not assert keyCertSign",
       {}},
      {"purposes-unique",
       "WarnsOfPurposeTwice",
       [] {
         return Form(server().purposes(false, {"server-auth", "server-auth"}));
       },
       "extKeyUsage names server-auth twice",
       {}},
      {"any-purpose-not-critical",
       "WarnsOfCriticalAnyPurpose",
       [] { return Form(eddsa_client().purposes(true, {"any"})); },
       "names anyExtendedKeyUsage",
       {}},
      {"usages-consistent",
       "WarnsOfPurposeThatKeyUsageForbids",
       [] {
         Form form = eddsa_client();
         form.purposes(false, {"code-signing"});
         return Form(form.usage(x509::non_repudiation));
       },
       "names codeSigning, which keyUsage nonRepudiation does not allow",
       {}},
      {"time-stamping-key-signs",
       "RefusesTimeStamperThatAgrees",
       [] {
         Form form = time_stamper();
         return Form(form.usage(x509::digital_signature | x509::key_agreement));
       },
       "names time-stamping and keyUsage asserts keyAgreement",
       {}},
      {"signing-purposes-sign",
       "WarnsOfSignerOfCodeThatAgrees",
       [] {
         Form form = pss_client();
         form.purposes(false, {"code-signing"});
         return Form(form.usage(x509::digital_signature | x509::key_agreement));
       },
       "names purposes that only sign and keyUsage asserts keyAgreement",
       {}},

      {"basic-constraints-critical",
       "RefusesBasicConstraintsThatMayBeIgnored",
       [] {
         return Form(authority().set(known::basic_constraints, false, x509::basic_constraints(true, 0)));
       },
       "basicConstraints of an authority is not critical",
       {}},
      {"path-length-only-ca",
       "RefusesPathLengthOfLeaf",
       [] { return Form(server().set(known::basic_constraints, true, hex("3003020101"))); },
       "pathLenConstraint \"01\" without cA",
       {}},
      {"path-length-needs-key-cert-sign",
       "RefusesPathLengthOfIssuerOfCrls",
       [] { return Form(authority().usage(x509::crl_sign)); },
       "pathLenConstraint \"00\" and keyUsage does not assert keyCertSign",
       {}},
      {"name-constraints-only-ca",
       "RefusesNameConstraintsOfLeaf",
       [] {
         Form form = server();
         return Form(form.set(known::name_constraints, true,
                              sequence({element(der::context(0), {sequence({dns("example.test")})})})));
       },
       "nameConstraints in a certificate",
       {}},
      {"name-constraints-not-empty",
       "RefusesEmptyNameConstraints",
       [] { return Form(authority().set(known::name_constraints, true, sequence({}))); },
       "neither permits nor excludes",
       {}},
      {"name-constraints-not-empty",
       "RefusesEmptySubtrees",
       [] { return Form(authority().set(known::name_constraints, true, hex("3002a100"))); },
       "an empty list of subtrees",
       {}},
      {"subtree-distance",
       "RefusesMaximumOfSubtree",
       [] {
         return Form(authority().set(
             known::name_constraints, true,
             sequence({element(der::context(1), {sequence({dns("example.test"), hex("810105")})})})));
       },
       "the subtree of \"example.test\" has a minimum or maximum",
       {}},
      {"subtree-address",
       "RefusesSubtreeOfAddressWithoutMask",
       [] { return with_subtree(ip("c0000200")); },
       "iPAddress \"c0000200\" is neither 8 nor 32 octets",
       {}},
      {"subtree-address",
       "RefusesMaskWithHoles",
       [] { return with_subtree(ip("c0000200ff00ff00")); },
       "iPAddress \"c0000200ff00ff00\" has a mask with holes",
       {}},
      {"subtree-dns",
       "RefusesDotBeforeDnsSubtree",
       [] { return with_subtree(dns(".example.test")); },
       "dNSName \".example.test\" has an empty label",
       {}},
      {"subtree-uri",
       "RefusesUriAsUriSubtree",
       [] { return with_subtree(uri("https://example.test/")); },
       "URI \"https://example.test/\" is no fully qualified domain name",
       {}},
      {"subtree-mailbox",
       "WarnsOfSingleMailbox",
       [] { return with_subtree(email("root@example.test")); },
       "rfc822Name \"root@example.test\" names a single mailbox",
       {}},
      {"subtree-email-domain",
       "RefusesMailSubtreeWithWildcard",
       [] { return with_subtree(email("*.example.test")); },
       "rfc822Name \"*.example.test\" is neither a host nor a domain",
       {}},
      {"subtree-form",
       "WarnsOfSubtreeOfRegisteredIds",
       [] { return with_subtree(hex("88022a03")); },
       "a subtree of registeredID",
       {}},

      {"ocsp-signing-alone",
       "WarnsOfResponderThatDoesMore",
       [] {
         return Form(responder().purposes(false, {"ocsp-signing", "client-auth"}));
       },
       "names ocsp-signing beside other purposes",
       {}},
      {"ocsp-no-check-only-responder",
       "RefusesNoCheckOfOthers",
       [] { return Form(server().set(known::ocsp_no_check, false, hex("0500"))); },
       "id-pkix-ocsp-nocheck in a certificate without ocsp-signing",
       {}},
      {"time-stamping-alone",
       "RefusesTimeStamperThatDoesMore",
       [] {
         return Form(time_stamper().purposes(true, {"time-stamping", "code-signing"}));
       },
       "names time-stamping beside other purposes",
       {}},
      {"time-stamping-critical",
       "RefusesTimeStampingThatMayBeIgnored",
       [] { return Form(time_stamper().purposes(false, {"time-stamping"})); },
       "names time-stamping and is not critical",
       {}},
      {"tls-feature-has-responder",
       "WarnsOfStaplingWithoutResponder",
       [] { return Form(server().drop(known::authority_info_access)); },
       "authorityInfoAccess names no OCSP responder",
       {}},
      {"no-rev-avail-alone",
       "RefusesNoRevAvailBesideCrl",
       [] {
         return Form(short_lived().set(known::crl_distribution_points, false,
                                       x509::crl_distribution_points({"http://pki.example.test/ca.crl"})));
       },
       "noRevAvail beside cRLDistributionPoints",
       {}},
      {"no-rev-avail-alone",
       "RefusesNoRevAvailBesideResponder",
       [] {
         return Form(short_lived().set(known::authority_info_access, false,
                                       x509::authority_info_access({"http://ocsp.example.test"}, {})));
       },
       "noRevAvail beside an OCSP responder",
       {}},
      {"no-rev-avail-not-ca",
       "RefusesNoRevAvailOfAuthority",
       [] {
         Form form = authority();
         form.drop(known::crl_distribution_points).drop(known::authority_info_access);
         return Form(form.set(*der::oid_from_text("2.5.29.56"), false, hex("0500")));
       },
       "noRevAvail in an authority's certificate",
       {}},
      {"server-has-names",
       "WarnsOfServerWithoutNames",
       [] {
         Form form = server();
         form.subject = name({part("2.5.4.3", der::utf8_string, "Example Server")});
         return Form(form.drop(known::subject_alt_name));
       },
       "names server-auth and subjectAltName names no host",
       {}},
      {"mail-has-address",
       "WarnsOfMailWithoutAddress",
       [] { return Form(eddsa_client().purposes(false, {"email-protection"})); },
       "names email-protection and subjectAltName names no address",
       {}},
  };
}

}  // namespace hanaper::lint::testing
