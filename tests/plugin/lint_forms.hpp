// Certificates for the linter's tests: real DER, put together from parts that a test may spoil.
#pragma once

#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <initializer_list>
#include <ostream>

namespace hanaper::lint::testing {

// DER from the inside out: sequence({oid("2.5.29.15"), text(der::utf8_string, "a")}).
Bytes element(std::uint8_t tag, ByteView content);
Bytes element(std::uint8_t tag, std::initializer_list<Bytes> parts);
Bytes sequence(std::initializer_list<Bytes> parts);
Bytes text(std::uint8_t tag, std::string_view value);
Bytes oid(std::string_view dotted);
Bytes hex(std::string_view digits);

// One attribute as a RelativeDistinguishedName, and a Name of such.
Bytes part(std::string_view type, std::uint8_t tag, std::string_view value);
Bytes name(std::initializer_list<Bytes> parts);

// GeneralName values.
Bytes dns(std::string_view value);
Bytes email(std::string_view value);
Bytes uri(std::string_view value);
Bytes ip(std::string_view digits);
Bytes mailbox(std::uint8_t tag, std::string_view value);  // otherName SmtpUTF8Mailbox
Bytes directory(const Bytes& value);

// A TBSCertificate before it is encoded.
struct Form {
  Bytes version = hex("a003020102");
  Bytes serial = hex("02082a00000000000001");
  Bytes algorithm;
  Bytes issuer;
  Bytes not_before = text(der::utc_time, "260101000000Z");
  Bytes not_after = text(der::utc_time, "260401000000Z");
  Bytes subject;
  Bytes spki;
  Bytes unique;  // identifiers between key and extensions
  std::vector<x509::Extension> extensions;

  Bytes encode() const;
  // Puts the extension in the place of one with that identifier, or at the end.
  Form& set(ByteView id, bool critical, Bytes value);
  Form& drop(ByteView id);
  Form& usage(std::uint16_t bits) { return set(hanaper::oid::key_usage, true, x509::key_usage(bits)); }
  Form& names(std::initializer_list<Bytes> general_names) {
    return set(hanaper::oid::subject_alt_name, subject.size() == 2, sequence(general_names));
  }
  Form& purposes(bool critical, std::initializer_list<std::string_view> usages);
};

Bytes ec_key();
Bytes rsa_key();
Bytes eddsa_key();
// A SubjectPublicKeyInfo from the parts that rules judge.
Bytes key(const Bytes& algorithm, const Bytes& parameters, const Bytes& octets);

// Good ones. All of them pass every rule, warnings too.
Form server();        // EC, signed with ECDSA
Form rsa_server();    // RSA both
Form eddsa_client();  // Ed25519 both
Form pss_client();    // EC, signed with RSASSA-PSS
Form many_names();    // addresses, mail, URIs, international names
Form nameless();      // empty subject
Form authority();     // path length, name constraints, policies
Form root();          // self-signed, no authorityKeyIdentifier
Form responder();     // OCSP
Form time_stamper();  // RFC 3161
Form short_lived();   // noRevAvail

struct Good {
  const char* name;
  Form (*form)();
};
inline constexpr Good good_forms[] = {
    {"Server", server},
    {"RsaServer", rsa_server},
    {"EddsaClient", eddsa_client},
    {"PssClient", pss_client},
    {"ManyNames", many_names},
    {"Nameless", nameless},
    {"Authority", authority},
    {"Root", root},
    {"Responder", responder},
    {"TimeStamper", time_stamper},
    {"ShortLived", short_lived},
};

// A certificate that breaks a rule.
struct Case {
  const char* rule;
  const char* says;                    // the test's name
  Form (*form)();                      //
  const char* finding;                 // part of what the rule finds
  std::vector<std::string_view> also;  // rules that cannot but find something, too
};
inline void PrintTo(const Good& good, std::ostream* out) { *out << good.name; }
inline void PrintTo(const Case& violation, std::ostream* out) { *out << violation.says; }

std::vector<Case> basic_cases();
std::vector<Case> extension_cases();
std::vector<Case> name_cases();
std::vector<Case> usage_cases();
std::vector<Case> policy_cases();
std::vector<Case> pointer_cases();

}  // namespace hanaper::lint::testing
