// Fields, algorithms and keys.
#include "lint_forms.hpp"

namespace hanaper::lint::testing {

namespace known = hanaper::oid;

std::vector<Case> basic_cases() {
  return {
      {"serial-number",
       "RefusesSerialNumberZero",
       [] {
         Form form = server();
         form.serial = hex("020100");
         return form;
       },
       "serial number is zero: 00",
       {"well-formed"}},
      {"serial-number",
       "RefusesNegativeSerialNumber",
       [] {
         Form form = server();
         form.serial = hex("0201ff");
         return form;
       },
       "negative: ff",
       {"well-formed"}},
      {"serial-number",
       "RefusesSerialNumberOf21Octets",
       [] {
         Form form = server();
         form.serial = hex("021501020304050607080910111213141516171819202122");
         form.serial.resize(23);
         return form;
       },
       "not 1 to 20 octets: 0102",
       {"well-formed"}},
      {"validity-form",
       "RefusesTimeOfAnotherZone",
       [] {
         Form form = server();
         form.not_before = text(der::utc_time, "260101000000+0100");
         return form;
       },
       "notBefore \"260101000000+0100\"",
       {"well-formed"}},
      {"validity-form",
       "RefusesFractionsOfSeconds",
       [] {
         Form form = server();
         form.not_after = text(der::generalized_time, "20510101000000.5Z");
         return form;
       },
       "notAfter \"20510101000000.5Z\"",
       {"well-formed"}},
      {"validity-form",
       "RefusesTimeThatIsText",
       [] {
         Form form = server();
         form.not_after = text(der::utf8_string, "260101000000Z");
         return form;
       },
       "notAfter is neither UTCTime nor GeneralizedTime",
       {"well-formed"}},
      {"extension-once",
       "RefusesExtensionTwice",
       [] {
         Form form = server();
         form.extensions.push_back(form.extensions.front());
         return form;
       },
       "extension 2.5.29.15 stands there twice",
       {"well-formed"}},
      {"well-formed",
       "RefusesVersion6",
       [] {
         Form form = server();
         form.version = hex("a003020105");
         return form;
       },
       "certificate version is neither 2 nor 3",
       {}},
      {"version",
       "RefusesExtensionsInVersion2",
       [] {
         Form form = server();
         form.version = hex("a003020101");
         return form;
       },
       "version 2 with extensions",
       {}},
      {"version",
       "RefusesExtensionsInVersion1",
       [] {
         Form form = server();
         form.version = {};
         return form;
       },
       "version 1 with extensions",
       {}},
      {"issuer-not-empty",
       "RefusesEmptyIssuer",
       [] {
         Form form = server();
         form.issuer = name({});
         return form;
       },
       "the issuer is an empty name",
       {}},
      {"unique-identifiers-absent",
       "RefusesSubjectUniqueIdentifier",
       [] {
         Form form = server();
         form.unique = hex("820200ff");
         return form;
       },
       "subjectUniqueID",
       {}},
      {"validity-time-type",
       "RefusesGeneralizedTimeBefore2050",
       [] {
         Form form = server();
         form.not_after = text(der::generalized_time, "20491231235959Z");
         return form;
       },
       "notAfter of the year 2049 is a GeneralizedTime",
       {}},
      {"validity-order",
       "RefusesEndBeforeBeginning",
       [] {
         Form form = server();
         form.not_after = text(der::utc_time, "251231235959Z");
         return form;
       },
       "notAfter is 1 seconds before notBefore",
       {}},

      {"rsa-signature-null",
       "RefusesRsaSignatureWithoutNull",
       [] {
         Form form = server();
         form.algorithm = sequence({oid("1.2.840.113549.1.1.11")});
         return form;
       },
       "1.2.840.113549.1.1.11 has parameters \"\" instead of NULL",
       {}},
      {"ecdsa-signature-bare",
       "RefusesEcdsaSignatureWithNull",
       [] {
         Form form = server();
         form.algorithm = sequence({oid("1.2.840.10045.4.3.2"), hex("0500")});
         return form;
       },
       "1.2.840.10045.4.3.2 has parameters \"0500\"",
       {"signature-known"}},
      {"eddsa-signature-bare",
       "RefusesEddsaSignatureWithNull",
       [] {
         Form form = server();
         form.algorithm = sequence({oid("1.3.101.112"), hex("0500")});
         return form;
       },
       "Ed25519 has parameters \"0500\"",
       {"signature-known"}},
      {"pss-signature-parameters",
       "RefusesPssWithoutParameters",
       [] {
         Form form = server();
         form.algorithm = sequence({oid("1.2.840.113549.1.1.10")});
         return form;
       },
       "names no digest",
       {"signature-known"}},
      {"pss-signature-parameters",
       "RefusesPssWithDefaultsOfSha1",
       [] {
         Form form = server();
         form.algorithm = sequence({oid("1.2.840.113549.1.1.10"), sequence({})});
         return form;
       },
       "names no digest",
       {"signature-known"}},
      {"signature-known",
       "RefusesSignatureWithSha1",
       [] {
         Form form = server();
         form.algorithm = sequence({oid("1.2.840.113549.1.1.5"), hex("0500")});
         return form;
       },
       "signature algorithm 1.2.840.113549.1.1.5",
       {}},

      {"rsa-key-null",
       "RefusesRsaKeyWithoutNull",
       [] {
         Form form = rsa_server();
         const Bytes whole = rsa_key();
         const auto good = x509::parse_public_key(whole);
         form.spki = key(oid("1.2.840.113549.1.1.1"), {}, to_bytes(good->key_bits));
         return form;
       },
       "the rsa key has parameters \"\" instead of NULL",
       {"key-known"}},
      {"ec-key-named-curve",
       "RefusesEcKeyWithoutCurve",
       [] {
         Form form = server();
         form.spki = key(oid("1.2.840.10045.2.1"), {}, Bytes(65, 4));
         return form;
       },
       "has no curve",
       {"key-known"}},
      {"ec-key-named-curve",
       "RefusesCurveSpeltOut",
       [] {
         Form form = server();
         form.spki = key(oid("1.2.840.10045.2.1"), sequence({hex("020101")}), Bytes(65, 4));
         return form;
       },
       "spells its curve out",
       {"key-known"}},
      {"ec-key-point",
       "RefusesHybridPoint",
       [] {
         Form form = server();
         form.spki = key(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"), Bytes(65, 6));
         return form;
       },
       "begins with octet \"06\"",
       {"key-known"}},
      {"eddsa-key-bare",
       "RefusesEddsaKeyWithNull",
       [] {
         Form form = eddsa_client();
         form.spki = key(oid("1.3.101.112"), hex("0500"), Bytes(32, 7));
         return form;
       },
       "the Ed25519 key has parameters \"0500\"",
       {"key-known"}},
      {"key-known",
       "RefusesDsaKey",
       [] {
         Form form = server();
         form.spki = key(oid("1.2.840.10040.4.1"), {}, hex("020101"));
         return form;
       },
       "public key algorithm 1.2.840.10040.4.1",
       {}},
  };
}

std::vector<Case> extension_cases() {
  return {
      {"extension-syntax",
       "RefusesKeyUsageThatIsNoBitString",
       [] { return Form(server().set(known::key_usage, true, hex("0500"))); },
       "keyUsage: der: tag 03 expected",
       {"key-usage-not-empty"}},
      {"extension-syntax",
       "RefusesBasicConstraintsWithDefault",
       [] { return Form(server().set(known::basic_constraints, false, hex("3003010100"))); },
       "basicConstraints: basic constraints: DEFAULT FALSE",
       {}},
      {"extension-syntax",
       "RefusesBitBehindDecipherOnly",
       [] { return Form(server().set(known::key_usage, true, hex("0303068040"))); },
       "keyUsage: a bit behind decipherOnly",
       {}},
      {"extension-syntax",
       "RefusesOtherNameWithoutValue",
       [] {
         return Form(server().names({dns("www.example.test"), element(der::context(0), {oid("1.2.3")})}));
       },
       "subjectAltName: der: tag a0 expected",
       {}},
      {"extension-syntax",
       "RefusesDirectoryNameOfAnotherStructure",
       [] {
         return Form(server().names({dns("www.example.test"), element(der::context(4), hex("0500"))}));
       },
       "subjectAltName: der: tag 30 expected",
       {"general-name-not-empty", "name-structure"}},
      {"extension-syntax",
       "RefusesUnknownGeneralName",
       [] {
         return Form(server().names({dns("www.example.test"), hex("890100")}));
       },
       "a general name of an unknown kind",
       {}},
      {"extension-syntax",
       "RefusesNegativeSkipCerts",
       [] { return Form(authority().set(known::policy_constraints, true, hex("30038001ff"))); },
       "SkipCerts",
       {}},
      {"extension-syntax",
       "RefusesNoCheckThatIsNotNull",
       [] { return Form(responder().set(known::ocsp_no_check, false, hex("020100"))); },
       "id-pkix-ocsp-nocheck: der: tag 05 expected",
       {}},
      {"critical-known",
       "RefusesUnknownCriticalExtension",
       [] { return Form(server().set(*der::oid_from_text("1.3.6.1.4.1.99999.7"), true, hex("0500"))); },
       "extension 1.3.6.1.4.1.99999.7 is critical",
       {}},

      {"authority-key-identifier-not-critical",
       "RefusesCriticalAuthorityKeyIdentifier",
       [] {
         return Form(server().set(known::authority_key_identifier, true,
                                  x509::authority_key_identifier(Bytes(20, 1))));
       },
       "authorityKeyIdentifier is critical",
       {}},
      {"subject-key-identifier-not-critical",
       "RefusesCriticalSubjectKeyIdentifier",
       [] {
         return Form(
             server().set(known::subject_key_identifier, true, x509::subject_key_identifier(Bytes(20, 1))));
       },
       "subjectKeyIdentifier is critical",
       {}},
      {"key-usage-critical",
       "WarnsOfKeyUsageThatMayBeIgnored",
       [] { return Form(server().set(known::key_usage, false, x509::key_usage(x509::digital_signature))); },
       "keyUsage is not critical",
       {}},
      {"policy-mappings-critical",
       "WarnsOfPolicyMappingsThatMayBeIgnored",
       [] {
         return Form(authority().set(known::policy_mappings, false,
                                     sequence({sequence({oid("1.2.3"), oid("1.2.4")})})));
       },
       "policyMappings is not critical",
       {"mappings-avoided", "mappings-asserted"}},
      {"issuer-alt-name-not-critical",
       "WarnsOfCriticalIssuerAltName",
       [] { return Form(server().set(known::issuer_alt_name, true, sequence({dns("pki.example.test")}))); },
       "issuerAltName is critical",
       {}},
      {"directory-attributes-not-critical",
       "RefusesCriticalDirectoryAttributes",
       [] {
         return Form(
             server().set(known::subject_directory_attributes, true,
                          sequence({sequence({oid("1.3.6.1.5.5.7.9.4"),
                                              element(der::set, {text(der::printable_string, "DE")})})})));
       },
       "subjectDirectoryAttributes is critical",
       {}},
      {"name-constraints-critical",
       "RefusesNameConstraintsThatMayBeIgnored",
       [] {
         return Form(
             authority().set(known::name_constraints, false,
                             sequence({element(der::context(0), {sequence({dns("example.test")})})})));
       },
       "nameConstraints is not critical",
       {}},
      {"policy-constraints-critical",
       "RefusesPolicyConstraintsThatMayBeIgnored",
       [] { return Form(authority().set(known::policy_constraints, false, hex("3003800100"))); },
       "policyConstraints is not critical",
       {}},
      {"crl-points-not-critical",
       "WarnsOfCriticalDistributionPoints",
       [] {
         return Form(server().set(known::crl_distribution_points, true,
                                  x509::crl_distribution_points({"http://pki.example.test/ca.crl"})));
       },
       "cRLDistributionPoints is critical",
       {}},
      {"inhibit-any-policy-critical",
       "RefusesInhibitAnyPolicyThatMayBeIgnored",
       [] { return Form(authority().set(known::inhibit_any_policy, false, hex("020100"))); },
       "inhibitAnyPolicy is not critical",
       {}},
      {"freshest-crl-not-critical",
       "RefusesCriticalFreshestCrl",
       [] {
         return Form(server().set(known::freshest_crl, true,
                                  x509::crl_distribution_points({"http://pki.example.test/delta.crl"})));
       },
       "freshestCRL is critical",
       {}},
      {"authority-info-access-not-critical",
       "RefusesCriticalAuthorityInfoAccess",
       [] {
         return Form(server().set(known::authority_info_access, true,
                                  x509::authority_info_access({"http://ocsp.example.test"}, {})));
       },
       "authorityInfoAccess is critical",
       {}},
      {"subject-info-access-not-critical",
       "RefusesCriticalSubjectInfoAccess",
       [] {
         return Form(authority().set(
             known::subject_info_access, true,
             sequence({sequence({oid("1.3.6.1.5.5.7.48.5"), uri("http://pki.example.test/")})})));
       },
       "subjectInfoAccess is critical",
       {}},
      {"tls-feature-not-critical",
       "WarnsOfCriticalTlsFeature",
       [] { return Form(server().set(known::tls_feature, true, x509::tls_feature_status_request())); },
       "tlsfeature is critical",
       {}},
      {"ocsp-no-check-not-critical",
       "WarnsOfCriticalNoCheck",
       [] { return Form(responder().set(known::ocsp_no_check, true, hex("0500"))); },
       "id-pkix-ocsp-nocheck is critical",
       {}},
      {"no-rev-avail-not-critical",
       "RefusesCriticalNoRevAvail",
       [] { return Form(short_lived().set(*der::oid_from_text("2.5.29.56"), true, hex("0500"))); },
       "noRevAvail is critical",
       {}},

      {"certificate-policies-not-empty",
       "RefusesEmptyCertificatePolicies",
       [] { return Form(server().set(known::certificate_policies, false, sequence({}))); },
       "certificatePolicies is an empty list",
       {}},
      {"policy-mappings-not-empty",
       "RefusesEmptyPolicyMappings",
       [] { return Form(authority().set(known::policy_mappings, true, sequence({}))); },
       "policyMappings is an empty list",
       {"mappings-avoided"}},
      {"subject-alt-name-not-empty",
       "RefusesEmptySubjectAltName",
       [] {
         Form form = eddsa_client();
         return Form(form.names({}));
       },
       "subjectAltName is an empty list",
       {}},
      {"issuer-alt-name-not-empty",
       "RefusesEmptyIssuerAltName",
       [] { return Form(server().set(known::issuer_alt_name, false, sequence({}))); },
       "issuerAltName is an empty list",
       {}},
      {"directory-attributes-not-empty",
       "RefusesEmptyDirectoryAttributes",
       [] { return Form(server().set(known::subject_directory_attributes, false, sequence({}))); },
       "subjectDirectoryAttributes is an empty list",
       {}},
      {"policy-constraints-not-empty",
       "RefusesEmptyPolicyConstraints",
       [] { return Form(authority().set(known::policy_constraints, true, sequence({}))); },
       "policyConstraints is an empty list",
       {}},
      {"extended-key-usage-not-empty",
       "RefusesEmptyExtendedKeyUsage",
       [] { return Form(server().set(known::extended_key_usage, false, sequence({}))); },
       "extKeyUsage is an empty list",
       {}},
      {"crl-points-not-empty",
       "RefusesEmptyDistributionPoints",
       [] { return Form(server().set(known::crl_distribution_points, false, sequence({}))); },
       "cRLDistributionPoints is an empty list",
       {}},
      {"freshest-crl-not-empty",
       "RefusesEmptyFreshestCrl",
       [] { return Form(server().set(known::freshest_crl, false, sequence({}))); },
       "freshestCRL is an empty list",
       {}},
      {"authority-info-access-not-empty",
       "RefusesEmptyAuthorityInfoAccess",
       [] { return Form(responder().set(known::authority_info_access, false, sequence({}))); },
       "authorityInfoAccess is an empty list",
       {}},
      {"subject-info-access-not-empty",
       "RefusesEmptySubjectInfoAccess",
       [] { return Form(server().set(known::subject_info_access, false, sequence({}))); },
       "subjectInfoAccess is an empty list",
       {}},
  };
}

}  // namespace hanaper::lint::testing
