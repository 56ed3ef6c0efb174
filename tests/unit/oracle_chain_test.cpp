// Whole chains through X509_verify_cert at its strictest.
#include "oracle_family.hpp"

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <gtest/gtest.h>
#include <openssl/err.h>

namespace hanaper::oracle {
namespace {

using Kind = Identifier::Kind;

struct Authority {
  KeyPtr key;
  SignatureScheme scheme;
  x509::Name name;
  Bytes certificate;
};

Bytes identifier(const KeyPtr& key) {
  const auto octets = x509::key_identifier(*x509::parse_public_key(key->spki()));
  return {octets.begin(), octets.end()};
}

const Time now = std::chrono::sys_days{std::chrono::year{2026} / 7 / 17};

struct Wanted {
  KeyPtr key;
  x509::Name subject;
  std::vector<Identifier> names;
  std::uint16_t key_usage;
  std::vector<x509::Extension> extensions;
};

// A certificate of `wanted` under `issuer`; under itself when there is none.
Bytes certified(const Authority* issuer, const Wanted& wanted, const Signer& own) {
  const x509::CertificateTemplate form(
      {.scheme = issuer ? issuer->scheme : own.scheme,
       .issuer = x509::encode_name(issuer ? issuer->name : wanted.subject),
       .authority_key_identifier = issuer ? identifier(issuer->key) : Bytes{},
       .extensions = wanted.extensions});
  der::Writer writer;
  const Bytes subject = x509::encode_name(wanted.subject), key_identifier = identifier(wanted.key);
  form.render({.serial = *Serial::from_text("0123456789abcdef"),
               .not_before = now - std::chrono::hours{1},
               .not_after = now + std::chrono::days{90},
               .subject = subject,
               .spki = wanted.key->spki(),
               .key_identifier = key_identifier,
               .key_usage = wanted.key_usage,
               .names = wanted.names,
               .extensions = {}},
              writer);
  Key& signing = issuer ? *issuer->key : *own.key;
  return x509::assemble_certificate(writer.view(), *signing.sign(form.scheme(), writer.view()));
}

Authority authority(const Authority* issuer, const Signer& own, std::string_view name,
                    std::optional<unsigned> path_length, const x509::NameConstraints& constraints) {
  Wanted wanted{own.key,
                *x509::parse_name_text("CN=" + std::string(name) + ",O=Example"),
                {},
                x509::key_cert_sign | x509::crl_sign,
                {{to_bytes(oid::basic_constraints), true, x509::basic_constraints(true, path_length)}}};
  if (!constraints.permitted.empty() || !constraints.excluded.empty())
    wanted.extensions.push_back({to_bytes(oid::name_constraints), true, x509::name_constraints(constraints)});
  return {own.key, own.scheme, wanted.subject, certified(issuer, wanted, own)};
}

Bytes leaf(const Authority& issuer, const KeyPtr& key, std::vector<Identifier> names, x509::Name subject = {},
           ByteView usage = oid::server_auth) {
  return certified(
      &issuer,
      {key,
       std::move(subject),
       std::move(names),
       x509::digital_signature,
       {{to_bytes(oid::extended_key_usage), false, x509::extended_key_usage({to_bytes(usage)})},
        {to_bytes(oid::authority_info_access), false,
         x509::authority_info_access({"http://ocsp.example.test/"}, {"http://ca.example.test/issuing"})},
        {to_bytes(oid::crl_distribution_points), false,
         x509::crl_distribution_points({"http://crl.example.test/issuing"})},
        {to_bytes(oid::certificate_policies), false,
         x509::certificate_policies({{*der::oid_from_text("2.23.140.1.2.1"), ""}})}}},
      {});
}

void free_certificates(STACK_OF(X509) * list) { sk_X509_pop_free(list, X509_free); }
using Certificates = Owned<STACK_OF(X509), free_certificates>;

// X509_V_OK, or why the first of the chain is no TLS server's certificate below the last.
int verdict(const std::vector<Bytes>& chain, const char* host = nullptr) {
  const Owned<X509_STORE, X509_STORE_free> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), read_certificate(chain.back()).get());
  const Certificates between(sk_X509_new_null());
  for (std::size_t i = 1; i + 1 < chain.size(); ++i)
    sk_X509_push(between.get(), read_certificate(chain[i]).release());
  const X509Ptr first = read_certificate(chain[0]);
  const Owned<X509_STORE_CTX, X509_STORE_CTX_free> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), first.get(), between.get());
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(
      parameters, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE | X509_V_FLAG_POLICY_CHECK);
  X509_VERIFY_PARAM_set_time(parameters, static_cast<std::time_t>(now.time_since_epoch().count() / 1000));
  if (host != nullptr) X509_VERIFY_PARAM_set1_host(parameters, host, 0);
  const bool good = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  const int error = X509_STORE_CTX_get_error(context.get());
  EXPECT_EQ(good, error == X509_V_OK);
  return error;
}

TEST(OracleChains, OfEveryPairOfSignersAreAccepted) {
  for (std::size_t i = 0; i < signers().size(); ++i) {
    const Signer& above = signers()[i];
    const Signer& below = signers()[(i * 7 + 3) % signers().size()];
    SCOPED_TRACE(std::string(to_string(above.scheme)) + " over " + std::string(to_string(below.scheme)));
    const Authority root = authority(nullptr, above, "Root", {}, {});
    const Signer other{other_key(below.key->spec()), below.scheme};
    const Authority issuing =
        authority(&root, other, "Issuing 1", 0, {{*x509::parse_subtree("example.test")}, {}});
    for (const KeyPtr& key : {keys()[i % keys().size()], keys()[(i + 1) % keys().size()]}) {
      const Bytes end = leaf(issuing, key,
                             {{Kind::dns, "www.example.test"},
                              {Kind::dns, "*.www.example.test"},
                              {Kind::ip, "192.0.2.1"},
                              {Kind::ip, "2001:db8::1"}});
      const std::vector<Bytes> chain = {end, issuing.certificate, root.certificate};
      EXPECT_EQ(verdict(chain, "www.example.test"), X509_V_OK);
      EXPECT_EQ(verdict(chain, "a.www.example.test"), X509_V_OK);
      EXPECT_EQ(verdict(chain, "example.test"), X509_V_ERR_HOSTNAME_MISMATCH);
      const X509Ptr x509 = read_certificate(end);
      EXPECT_EQ(X509_check_ip_asc(x509.get(), "192.0.2.1", 0), 1);
      EXPECT_EQ(X509_check_ip_asc(x509.get(), "2001:db8::1", 0), 1);
      EXPECT_EQ(X509_check_ip_asc(x509.get(), "192.0.2.2", 0), 0);
    }
  }
}

TEST(OracleChains, WithASubjectAreAcceptedToo) {
  const Authority root = authority(nullptr, signers()[0], "Root", 3, {});
  const Bytes end = leaf(root, keys()[1], {{Kind::dns, "www.example.test"}},
                         *x509::parse_name_text("CN=www.example.test,O=M\xc3\xbcller \\, S\xc3\xb6hne"));
  EXPECT_EQ(verdict({end, root.certificate}, "www.example.test"), X509_V_OK);
}

TEST(OracleChains, ThatBreakARuleAreRefusedForIt) {
  const Signer& p256 = signers()[0];
  const Signer middle{other_key({KeyType::ec_p256, 0}), SignatureScheme::ecdsa_sha256};
  const Authority root = authority(nullptr, p256, "Root", 1, {});
  const x509::NameConstraints constraints{{*x509::parse_subtree("example.test")},
                                          {*x509::parse_subtree("secret.example.test")}};
  const Authority issuing = authority(&root, middle, "Issuing 1", 0, constraints);
  const Authority below = authority(&issuing, {keys()[1], SignatureScheme::ecdsa_sha384}, "Issuing 2", 0, {});
  const std::vector<Identifier> good = {{Kind::dns, "www.example.test"}};
  const std::vector<Bytes> path = {leaf(issuing, keys()[3], good), issuing.certificate, root.certificate};
  EXPECT_EQ(verdict(path), X509_V_OK);

  // The toolkit refuses to issue what the verifier would refuse.
  for (const auto& [name, why] : {std::pair{"www.other.test", X509_V_ERR_PERMITTED_VIOLATION},
                                  {"a.secret.example.test", X509_V_ERR_EXCLUDED_VIOLATION}}) {
    const Identifier bad{Kind::dns, name};
    EXPECT_FALSE(x509::allows(constraints, bad));
    EXPECT_EQ(verdict({leaf(issuing, keys()[3], {bad}), issuing.certificate, root.certificate}), why);
  }
  EXPECT_EQ(verdict({leaf(below, keys()[3], good), below.certificate, issuing.certificate, root.certificate}),
            X509_V_ERR_PATH_LENGTH_EXCEEDED);
  EXPECT_EQ(
      verdict({leaf(issuing, keys()[3], good, {}, oid::client_auth), issuing.certificate, root.certificate}),
      X509_V_ERR_INVALID_PURPOSE);
  const Authority stranger = authority(nullptr, middle, "Root", 0, {});
  EXPECT_NE(verdict({path[0], path[1], stranger.certificate}), X509_V_OK);
}

}  // namespace
}  // namespace hanaper::oracle
