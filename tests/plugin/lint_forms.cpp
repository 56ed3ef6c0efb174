#include "lint_forms.hpp"

#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::lint::testing {

Bytes element(std::uint8_t tag, ByteView content) {
  der::Writer writer;
  writer.primitive(tag, content);
  return writer.bytes();
}

Bytes element(std::uint8_t tag, std::initializer_list<Bytes> parts) {
  Bytes content;
  for (const Bytes& octets : parts) content.insert(content.end(), octets.begin(), octets.end());
  return element(tag, content);
}

Bytes sequence(std::initializer_list<Bytes> parts) { return element(der::sequence, parts); }

Bytes text(std::uint8_t tag, std::string_view value) { return element(tag, as_bytes(value)); }

Bytes oid(std::string_view dotted) {
  return element(der::object_identifier, der::oid_from_text(dotted).value_or({}));
}

Bytes hex(std::string_view digits) { return from_hex(digits).value_or({}); }

Bytes part(std::string_view type, std::uint8_t tag, std::string_view value) {
  return element(der::set, {sequence({oid(type), text(tag, value)})});
}

Bytes name(std::initializer_list<Bytes> parts) { return sequence(parts); }

Bytes dns(std::string_view value) { return text(der::context_primitive(2), value); }
Bytes email(std::string_view value) { return text(der::context_primitive(1), value); }
Bytes uri(std::string_view value) { return text(der::context_primitive(6), value); }
Bytes ip(std::string_view digits) { return element(der::context_primitive(7), hex(digits)); }
Bytes mailbox(std::uint8_t tag, std::string_view value) {
  return element(der::context(0), {oid("1.3.6.1.5.5.7.8.9"), element(der::context(0), {text(tag, value)})});
}
Bytes directory(const Bytes& value) { return element(der::context(4), value); }

Bytes Form::encode() const {
  der::Writer writer;
  writer.sequence([&] {
    if (!extensions.empty()) {
      writer.constructed(der::context(3), [&] {
        writer.sequence([&] {
          for (std::size_t i = extensions.size(); i-- > 0;) {
            writer.sequence([&] {
              writer.octets(extensions[i].value);
              if (extensions[i].critical) writer.boolean(true);
              writer.oid(extensions[i].oid);
            });
          }
        });
      });
    }
    writer.raw(unique);
    writer.raw(spki);
    writer.raw(subject);
    writer.raw(sequence({not_before, not_after}));
    writer.raw(issuer);
    writer.raw(algorithm);
    writer.raw(serial);
    writer.raw(version);
  });
  return writer.bytes();
}

Form& Form::set(ByteView id, bool critical, Bytes value) {
  for (x509::Extension& extension : extensions) {
    if (!equal(extension.oid, id)) continue;
    extension.critical = critical;
    extension.value = std::move(value);
    return *this;
  }
  extensions.push_back({to_bytes(id), critical, std::move(value)});
  return *this;
}

Form& Form::drop(ByteView id) {
  std::erase_if(extensions, [&](const x509::Extension& extension) { return equal(extension.oid, id); });
  return *this;
}

Form& Form::purposes(bool critical, std::initializer_list<std::string_view> usages) {
  std::vector<Bytes> ids;
  for (std::string_view usage : usages) ids.push_back(x509::parse_extended_usage_name(usage).value_or({}));
  return set(hanaper::oid::extended_key_usage, critical, x509::extended_key_usage(ids));
}

// The generator of P-256 (FIPS 186-4 D.1.2.3): as good a point as any.
Bytes ec_key() {
  return x509::ec_spki(KeyType::ec_p256,
                       hex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                           "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"));
}

Bytes rsa_key() {
  Bytes modulus(256, 0xc5);
  return x509::rsa_spki(modulus, Bytes{1, 0, 1});
}

// The public key of RFC 8032 7.1, TEST 1.
Bytes eddsa_key() {
  return x509::ec_spki(KeyType::ed25519,
                       hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
}

Bytes key(const Bytes& algorithm, const Bytes& parameters, const Bytes& octets) {
  Bytes bits = {0};
  bits.insert(bits.end(), octets.begin(), octets.end());
  return sequence({sequence({algorithm, parameters}), element(der::bit_string, bits)});
}

namespace {

const Bytes key_identifier = hex("00112233445566778899aabbccddeeff00112233");

Bytes algorithm(SignatureScheme scheme) { return to_bytes(x509::algorithm_identifier(scheme)); }

Form plain(const Bytes& spki, SignatureScheme scheme) {
  Form form;
  form.algorithm = algorithm(scheme);
  form.issuer = x509::encode_name(*x509::parse_name_text("CN=Example Issuing CA 1,O=Example,C=DE"));
  form.subject = x509::encode_name(*x509::parse_name_text("CN=www.example.test"));
  form.spki = spki;
  form.usage(x509::digital_signature);
  form.set(hanaper::oid::subject_key_identifier, false, x509::subject_key_identifier(key_identifier));
  form.set(hanaper::oid::authority_key_identifier, false, x509::authority_key_identifier(key_identifier));
  form.set(hanaper::oid::authority_info_access, false,
           x509::authority_info_access({"http://ocsp.example.test"}, {"http://pki.example.test/ca.cer"}));
  form.set(hanaper::oid::crl_distribution_points, false,
           x509::crl_distribution_points({"http://pki.example.test/ca.crl"}));
  return form;
}

}  // namespace

Form server() {
  Form form = plain(ec_key(), SignatureScheme::ecdsa_sha256);
  form.purposes(false, {"server-auth", "client-auth"});
  form.names({dns("www.example.test"), dns("*.example.test")});
  form.set(hanaper::oid::tls_feature, false, x509::tls_feature_status_request());
  return form;
}

Form rsa_server() {
  Form form = plain(rsa_key(), SignatureScheme::rsa_pkcs1_sha256);
  form.purposes(false, {"server-auth"});
  form.usage(x509::digital_signature | x509::key_encipherment);
  form.names({dns("www.example.test"), ip("c0000201")});
  form.set(hanaper::oid::certificate_policies, false,
           x509::certificate_policies(
               {{*der::oid_from_text("2.23.140.1.2.1"), ""},
                {*der::oid_from_text("1.3.6.1.4.1.99999.1"), "https://cps.example.test/"}}));
  return form;
}

Form eddsa_client() {
  Form form = plain(eddsa_key(), SignatureScheme::ed25519);
  form.purposes(false, {"client-auth"});
  form.subject = x509::encode_name(*x509::parse_name_text("UID=42,DC=example,DC=test"));
  return form;
}

Form pss_client() {
  Form form = plain(ec_key(), SignatureScheme::rsa_pss_sha256);
  form.purposes(false, {"client-auth"});
  // One part of two attributes, in DER order.
  form.subject = name({element(der::set, {sequence({oid("2.5.4.5"), text(der::printable_string, "7")}),
                                          sequence({oid("2.5.4.3"), text(der::utf8_string, "Router 7")})})});
  return form;
}

Form many_names() {
  Form form = plain(rsa_key(), SignatureScheme::rsa_pkcs1_sha384);
  form.usage(x509::digital_signature | x509::key_encipherment);
  form.purposes(false, {"email-protection"});
  form.subject = name({part("2.5.4.6", der::printable_string, "DE"),
                       part("2.5.4.3", der::utf8_string,
                            "Gr\xc3\xbc\xc3\x9f"
                            "e"),
                       part("1.2.840.113549.1.9.1", der::ia5_string, "Someone@example.test")});
  form.names({email("Someone@example.test"), email("\"a b\"@xn--mnchen-3ya.example"), email("x@[192.0.2.1]"),
              mailbox(der::utf8_string, "\xe8\x80\x81\xe5\xb8\xab@example.test"),
              mailbox(der::utf8_string, "\xe8\x80\x81\xe5\xb8\xab@xn--mnchen-3ya.example"),
              uri("https://www.example.test:8443/a?b=%20#c"),
              uri("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), uri("https://[2001:db8::1]/"),
              uri("https://user@192.0.2.1/"), ip("c0000201"), ip("20010db8000000000000000000000001"),
              dns("xn--mnchen-3ya.example"), dns("a.b-c.example.test"), directory(form.subject),
              element(der::context_primitive(8), *der::oid_from_text("1.2.3"))});
  return form;
}

Form nameless() {
  Form form = server();
  form.subject = name({});
  form.names({dns("www.example.test")});
  return form;
}

Form authority() {
  Form form = plain(ec_key(), SignatureScheme::ecdsa_sha384);
  form.subject = x509::encode_name(*x509::parse_name_text("CN=Example Issuing CA 2,O=Example"));
  form.not_after = text(der::generalized_time, "20500101000000Z");
  form.usage(x509::key_cert_sign | x509::crl_sign);
  form.set(hanaper::oid::basic_constraints, true, x509::basic_constraints(true, 0));
  form.set(hanaper::oid::certificate_policies, false,
           x509::certificate_policies({{to_bytes(hanaper::oid::any_policy), ""}}));
  x509::NameConstraints constraints;
  for (const char* permitted :
       {"example.test", "192.0.2.0/24", "2001:db8::/32", "@example.test", "uri:.example.test"})
    constraints.permitted.push_back(*x509::parse_subtree(permitted));
  constraints.excluded.push_back(*x509::parse_subtree("secret.example.test"));
  form.set(hanaper::oid::name_constraints, true, x509::name_constraints(constraints));
  // requireExplicitPolicy 0; inhibitAnyPolicy 1
  form.set(hanaper::oid::policy_constraints, true, hex("3003800100"));
  form.set(hanaper::oid::inhibit_any_policy, true, hex("020101"));
  return form;
}

Form root() {
  Form form = authority();
  form.issuer = form.subject;
  form.drop(hanaper::oid::authority_key_identifier).drop(hanaper::oid::name_constraints);
  form.set(hanaper::oid::basic_constraints, true, x509::basic_constraints(true, std::nullopt));
  return form;
}

Form responder() {
  Form form = plain(ec_key(), SignatureScheme::ecdsa_sha256);
  form.subject = x509::encode_name(*x509::parse_name_text("CN=Example Responder"));
  form.purposes(false, {"ocsp-signing"});
  form.set(hanaper::oid::ocsp_no_check, false, hex("0500"));
  return form;
}

Form time_stamper() {
  Form form = plain(ec_key(), SignatureScheme::ecdsa_sha256);
  form.subject = x509::encode_name(*x509::parse_name_text("CN=Example Time Stamps"));
  form.purposes(true, {"time-stamping"});
  return form;
}

Form short_lived() {
  Form form = server();
  form.drop(hanaper::oid::crl_distribution_points).drop(hanaper::oid::tls_feature);
  form.set(hanaper::oid::authority_info_access, false,
           x509::authority_info_access({}, {"http://pki.example.test/ca.cer"}));
  form.set(*der::oid_from_text("2.5.29.56"), false, hex("0500"));
  return form;
}

}  // namespace hanaper::lint::testing
