// Certificates the toolkit writes, read by OpenSSL.
#include "oracle_family.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <gtest/gtest.h>
#include <openssl/conf.h>
#include <openssl/err.h>

namespace hanaper::oracle {
namespace {

constexpr std::size_t certificates = 2112;  // 16 for each pair of signer and subject key

const Bytes& certificate(std::size_t number) {
  static const std::vector<Bytes> all = [] {
    std::vector<Bytes> made;
    for (std::size_t i = 0; i < certificates; ++i) made.push_back(issue(random_certificate(i)).value_or({}));
    return made;
  }();
  return all[number];
}

bool verifies(ByteView der, const KeyPtr& issuer) {
  const X509Ptr x509 = read_certificate(der);
  const bool good = x509 != nullptr && X509_verify(x509.get(), issuer->pkey()) == 1;
  ERR_clear_error();
  return good;
}

bool verifies_here(ByteView der, const KeyPtr& issuer) {
  const auto view = x509::parse_certificate(der);
  if (!view || !equal(view->signature_algorithm, view->outer_algorithm)) return false;
  const auto scheme = x509::parse_signature_algorithm(view->outer_algorithm);
  return scheme && crypto::verify(*scheme, issuer->spki(), view->whole, view->signature).has_value();
}

std::vector<GeneralName> general_names(const std::vector<Identifier>& names) {
  std::vector<GeneralName> list;
  for (const Identifier& name : names) {
    constexpr int types[] = {GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI};
    const int type = types[static_cast<std::size_t>(name.kind)];
    list.push_back({type, type == GEN_IPADD ? to_hex(*x509::ip_octets(name.value)) : name.value});
  }
  return list;
}

std::vector<GeneralName> general_names(const std::vector<x509::Subtree>& subtrees) {
  std::vector<GeneralName> list;
  for (const x509::Subtree& subtree : subtrees) {
    constexpr int types[] = {GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI};
    const int type = types[static_cast<std::size_t>(subtree.kind)];
    list.push_back({type, type == GEN_IPADD ? to_hex(subtree.base) : std::string(as_text(subtree.base))});
  }
  return list;
}

std::vector<std::vector<GeneralName>> uris(const std::vector<std::string>& urls) {
  std::vector<std::vector<GeneralName>> list;
  for (const std::string& url : urls) list.push_back({{GEN_URI, url}});
  return list;
}

std::vector<Access> accesses(const ExtensionPlan& plan) {
  std::vector<Access> list;
  for (const std::string& url : plan.ocsp) list.push_back({"1.3.6.1.5.5.7.48.1", {GEN_URI, url}});
  for (const std::string& url : plan.ca_issuers) list.push_back({"1.3.6.1.5.5.7.48.2", {GEN_URI, url}});
  return list;
}

std::vector<std::string> dotted(const std::vector<Bytes>& oids) {
  std::vector<std::string> list;
  for (const Bytes& oid : oids) list.push_back(der::oid_to_text(oid));
  return list;
}

void expect_extensions(const ExtensionPlan& plan, const Known& known) {
  EXPECT_EQ(known.extended_key_usage.has_value(), !plan.usages.empty());
  if (known.extended_key_usage) {
    EXPECT_EQ(*known.extended_key_usage, dotted(plan.usages));
  }
  EXPECT_EQ(known.basic_constraints.has_value(), plan.basic_constraints.has_value());
  if (known.basic_constraints) {
    EXPECT_EQ(known.basic_constraints->ca, plan.basic_constraints->ca);
    EXPECT_EQ(known.basic_constraints->path_length, plan.basic_constraints->path_length);
  }
  EXPECT_EQ(known.authority_info_access.value_or(std::vector<Access>{}), accesses(plan));
  EXPECT_EQ(known.crl_distribution_points.value_or(uris({})), uris(plan.crls));
  std::vector<Policy> policies;
  for (const x509::PolicyInformation& policy : plan.policies)
    policies.push_back({der::oid_to_text(policy.oid), policy.cps});
  EXPECT_EQ(known.policies.value_or(std::vector<Policy>{}), policies);
  const Subtrees subtrees = known.name_constraints.value_or(Subtrees{});
  EXPECT_EQ(subtrees.permitted, general_names(plan.constraints.permitted));
  EXPECT_EQ(subtrees.excluded, general_names(plan.constraints.excluded));
  EXPECT_EQ(known.tls_features.value_or(std::vector<long>{}),
            plan.must_staple ? std::vector<long>{5} : std::vector<long>{});
}

TEST(OracleCertificates, AreReadWholeAndWrittenBackTheSame) {
  for (std::size_t i = 0; i < certificates; ++i) {
    SCOPED_TRACE(trace("certificate", i));
    const Bytes& der = certificate(i);
    ASSERT_FALSE(der.empty());
    const X509Ptr x509 = read_certificate(der);
    ASSERT_TRUE(x509);
    EXPECT_EQ(encoded(i2d_X509, x509.get()), der);
    // OpenSSL keeps the octets it has read; these are made from the parts.
    const ByteView tbs = x509::parse_certificate(der)->whole;
    EXPECT_EQ(encoded(i2d_re_X509_tbs, x509.get()), to_bytes(tbs));
    for (const X509_NAME* name : {X509_get_issuer_name(x509.get()), X509_get_subject_name(x509.get())})
      EXPECT_EQ(encoded_anew(name), encoded(i2d_X509_NAME, name));
    EXPECT_EQ(changed_by_encoding(X509_get0_extensions(x509.get())), std::nullopt);
    if (HasFailure()) return;
  }
}

TEST(OracleCertificates, VerifyUntilOneBitIsChanged) {
  for (std::size_t i = 0; i < certificates; ++i) {
    SCOPED_TRACE(trace("certificate", i));
    const Bytes& der = certificate(i);
    const KeyPtr issuer = signers()[i % signers().size()].key;
    ASSERT_TRUE(verifies(der, issuer));
    ASSERT_TRUE(verifies_here(der, issuer));
    Random random = random_for("flip", i);
    const Bytes changed = flipped(der, random);
    EXPECT_FALSE(verifies(changed, issuer)) << to_hex(changed);
    EXPECT_FALSE(verifies_here(changed, issuer)) << to_hex(changed);
    EXPECT_FALSE(verifies(der, other_key(issuer->spec())));
    EXPECT_FALSE(verifies_here(der, other_key(issuer->spec())));
    if (HasFailure()) return;
  }
}

TEST(OracleCertificates, CarryTheFieldsThatWentIn) {
  for (std::size_t i = 0; i < certificates; ++i) {
    SCOPED_TRACE(trace("certificate", i));
    const CertificatePlan plan = random_certificate(i);
    const X509Ptr x509 = read_certificate(certificate(i));
    ASSERT_TRUE(x509);
    EXPECT_EQ(X509_get_version(x509.get()), X509_VERSION_3);
    const ASN1_INTEGER* serial = X509_get0_serialNumber(x509.get());
    EXPECT_EQ(serial->type, V_ASN1_INTEGER);
    EXPECT_EQ(Serial::from_magnitude(octets_of(serial)).value_or(Serial{}).hex(), plan.serial.hex());
    EXPECT_EQ(name_of(X509_get_issuer_name(x509.get())), plan.issuer);
    EXPECT_EQ(name_of(X509_get_subject_name(x509.get())), plan.subject);
    using std::chrono::floor;
    using std::chrono::seconds;
    EXPECT_EQ(time_of(X509_get0_notBefore(x509.get())), Time(floor<seconds>(plan.not_before)));
    EXPECT_EQ(time_of(X509_get0_notAfter(x509.get())), Time(floor<seconds>(plan.not_after)));
    const Time turn = std::chrono::sys_days{std::chrono::year{2050} / 1 / 1};
    EXPECT_EQ(X509_get0_notBefore(x509.get())->type,
              plan.not_before < turn ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME);
    EXPECT_EQ(X509_get0_notAfter(x509.get())->type,
              plan.not_after < turn ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME);
    EXPECT_EQ(encoded(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(x509.get())), to_bytes(plan.subject_key->spki()));
    EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(x509.get()), plan.subject_key->pkey()), 1);
    if (HasFailure()) return;
  }
}

TEST(OracleCertificates, CarryTheExtensionsThatWentIn) {
  for (std::size_t i = 0; i < certificates; ++i) {
    SCOPED_TRACE(trace("certificate", i));
    const CertificatePlan plan = random_certificate(i);
    const X509Ptr x509 = read_certificate(certificate(i));
    ASSERT_TRUE(x509);
    const Known known = known_of(X509_get0_extensions(x509.get()));
    EXPECT_TRUE(known.broken.empty());
    EXPECT_EQ(known.key_usage.value_or(0), plan.key_usage);
    EXPECT_EQ(known.subject_key_identifier, plan.key_identifier);
    ASSERT_EQ(known.authority_key_identifier.has_value(), !plan.authority_key_identifier.empty());
    if (known.authority_key_identifier) {
      EXPECT_EQ(known.authority_key_identifier->identifier, plan.authority_key_identifier);
    }
    EXPECT_EQ(known.names.value_or(std::vector<GeneralName>{}), general_names(plan.names));
    expect_extensions(plan.extensions, known);
    // RFC 5280 4.2.1.6: critical when the subject is empty.
    const int at = X509_get_ext_by_NID(x509.get(), NID_subject_alt_name, -1);
    if (at >= 0) {
      EXPECT_EQ(X509_EXTENSION_get_critical(X509_get_ext(x509.get(), at)) != 0, plan.subject.empty());
    }
    std::vector<x509::Extension> others = plan.fixed;
    others.insert(others.end(), plan.filled.begin(), plan.filled.end());
    for (const x509::Extension& extension : others) {
      const auto all = extensions_of(X509_get0_extensions(x509.get()));
      EXPECT_NE(std::ranges::find(
                    all, Extension{der::oid_to_text(extension.oid), extension.critical, extension.value}),
                all.end());
    }
    EXPECT_EQ(X509_get_extension_flags(x509.get()) & EXFLAG_INVALID, 0u);
    if (HasFailure()) return;
  }
}

TEST(OracleCertificates, NameTheAlgorithmThatSigned) {
  for (std::size_t i = 0; i < signers().size(); ++i) {
    const Signer& signer = signers()[i];
    SCOPED_TRACE(std::string(to_string(signer.scheme)));
    const X509Ptr x509 = read_certificate(certificate(i));
    ASSERT_TRUE(x509);
    int digest = 0, key = 0;
    ASSERT_EQ(X509_get_signature_info(x509.get(), &digest, &key, nullptr, nullptr), 1);
    constexpr int digests[] = {NID_sha1, NID_sha256, NID_sha384, NID_sha512};
    const auto hash = crypto::hash_of(signer.scheme);
    EXPECT_EQ(digest, hash ? digests[static_cast<std::size_t>(*hash)] : NID_undef);
    const std::string_view name = to_string(signer.scheme);
    EXPECT_EQ(key, name.starts_with("ecdsa")     ? NID_X9_62_id_ecPublicKey
                   : name.starts_with("rsa-pss") ? NID_rsassaPss
                   : name.starts_with("rsa")     ? NID_rsaEncryption
                                                 : NID_ED25519);
  }
}

TEST(OracleExtensions, HaveTheOctetsOpensslWrites) {
  for (std::uint16_t bits = 1; bits < 512; ++bits) {
    const Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free> string(ASN1_BIT_STRING_new());
    for (int bit = 0; bit < 9; ++bit) ASN1_BIT_STRING_set_bit(string.get(), bit, bits >> bit & 1);
    EXPECT_EQ(encoded(i2d_ASN1_BIT_STRING, string.get()), x509::key_usage(bits)) << bits;
  }
  struct Row {
    int nid;
    const char* text;
    Bytes ours;
  };
  const Bytes identifier{1, 2, 3, 0xff};
  const Row table[] = {
      {NID_basic_constraints, "CA:FALSE", x509::basic_constraints(false, {})},
      {NID_basic_constraints, "CA:TRUE", x509::basic_constraints(true, {})},
      {NID_basic_constraints, "CA:TRUE,pathlen:0", x509::basic_constraints(true, 0)},
      {NID_basic_constraints, "CA:TRUE,pathlen:128", x509::basic_constraints(true, 128)},
      {NID_subject_key_identifier, "010203FF", x509::subject_key_identifier(identifier)},
      {NID_ext_key_usage, "serverAuth,clientAuth,1.2.3.4",
       x509::extended_key_usage(
           {to_bytes(oid::server_auth), to_bytes(oid::client_auth), *der::oid_from_text("1.2.3.4")})},
      {NID_info_access, "OCSP;URI:http://a.test/,caIssuers;URI:http://b.test/",
       x509::authority_info_access({"http://a.test/"}, {"http://b.test/"})},
      {NID_crl_distribution_points, "URI:http://a.test/1,URI:http://a.test/2",
       x509::crl_distribution_points({"http://a.test/1", "http://a.test/2"})},
      {NID_certificate_policies, "1.2.3.4,2.5.29.32.0",
       x509::certificate_policies({{*der::oid_from_text("1.2.3.4"), ""}, {to_bytes(oid::any_policy), ""}})},
      {NID_tlsfeature, "status_request", x509::tls_feature_status_request()},
      {NID_name_constraints,
       "permitted;DNS:a.test,permitted;IP:192.0.2.0/255.255.255.0,excluded;email:b.test",
       x509::name_constraints({{*x509::parse_subtree("a.test"), *x509::parse_subtree("192.0.2.0/24")},
                               {*x509::parse_subtree("@b.test")}})},
  };
  X509V3_CTX context;
  X509V3_set_ctx(&context, nullptr, nullptr, nullptr, nullptr, X509V3_CTX_TEST);
  const Owned<CONF, NCONF_free> nothing(NCONF_new(nullptr));
  X509V3_set_nconf(&context, nothing.get());
  for (const Row& row : table) {
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
        X509V3_EXT_conf_nid(nullptr, &context, row.nid, row.text));
    ASSERT_TRUE(extension) << row.text;
    EXPECT_EQ(to_hex(octets_of(X509_EXTENSION_get_data(extension.get()))), to_hex(row.ours)) << row.text;
  }
}

// In OpenSSL's configuration language, and the addresses of CRLs of the certificate's own issuer in it.
TEST(OracleExtensions, TellTheAddressesOfCrls) {
  struct Row {
    const char* value;
    const char* sections;
    std::vector<std::string> addresses;
  };
  const Row rows[] = {
      {"URI:http://a.test/1", "", {"http://a.test/1"}},
      {"URI:http://a.test/1,URI:ldap://b.test/2", "", {"http://a.test/1", "ldap://b.test/2"}},
      {"p",
       "[p]\nfullname=URI:http://a.test/1,URI:http://b.test/2\nreasons=keyCompromise\n",
       {"http://a.test/1", "http://b.test/2"}},
      {"p", "[p]\nfullname=URI:http://a.test/1\nCRLissuer=dirName:n\n[n]\nCN=Another\n", {}},
      {"p", "[p]\nrelativename=n\n[n]\nCN=Relative\n", {}},
      {"p", "[p]\nfullname=dirName:n,URI:http://a.test/1\n[n]\nCN=A Directory\n", {"http://a.test/1"}},
  };
  for (const auto& [value, sections, addresses] : rows) {
    SCOPED_TRACE(std::string(value) + " " + sections);
    const Owned<CONF, NCONF_free> sections_of(NCONF_new(nullptr));
    const Owned<BIO, BIO_free_all> text(BIO_new_mem_buf(sections, -1));
    ASSERT_EQ(NCONF_load_bio(sections_of.get(), text.get(), nullptr), 1);
    X509V3_CTX context;
    X509V3_set_ctx(&context, nullptr, nullptr, nullptr, nullptr, X509V3_CTX_TEST);
    X509V3_set_nconf(&context, sections_of.get());
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
        X509V3_EXT_nconf_nid(sections_of.get(), &context, NID_crl_distribution_points, value));
    ASSERT_TRUE(extension);
    const auto read =
        x509::parse_crl_distribution_points(octets_of(X509_EXTENSION_get_data(extension.get())));
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(*read, addresses);
  }
  for (const Bytes& odd : {Bytes{}, Bytes{0x30}, Bytes{0x30, 0x02, 0x30, 0x01}, Bytes{0x31, 0x00}})
    EXPECT_FALSE(x509::parse_crl_distribution_points(odd));
}

TEST(OracleExtensions, IdentifyKeysAsRfc7093Says) {
  for (const KeyPtr& key : keys()) {
    const X509Ptr x509(X509_new());
    X509_set_pubkey(x509.get(), key->pkey());
    const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(x509.get());
    Bytes digest(32);
    EVP_Digest(bits->data, static_cast<std::size_t>(bits->length), digest.data(), nullptr, EVP_sha256(),
               nullptr);
    const auto identifier = x509::key_identifier(*x509::parse_public_key(key->spki()));
    EXPECT_TRUE(equal(ByteView(digest).first(20), identifier)) << to_string(key->spec());
  }
}

}  // namespace
}  // namespace hanaper::oracle
