// authenticator/mtls: certificates of ours, and of makers.
#include "authenticators_support.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace hanaper {
namespace {

using test::ask;

// A little PKI of somebody else.
struct Foreign {
  std::string name = "Makers Root";
  std::shared_ptr<crypto::SoftKey> key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  Bytes root =
      certificate(x509::key_cert_sign | x509::crl_sign, true, {}, key->spki(), std::chrono::days{3650});

  static Bytes name_of(const std::string& common_name) {
    return x509::encode_name({{std::string(x509::common_name_oid), common_name}});
  }

  // An authority that this one has certified.
  Foreign below() const {
    Foreign sub;
    sub.name = "Makers Sub";
    sub.root = certificate(x509::key_cert_sign | x509::crl_sign, true, {}, sub.key->spki(),
                           std::chrono::days{365}, sub.name, "03");
    return sub;
  }

  // PEM.
  std::string crl(std::vector<std::uint8_t> serials) const {
    const std::time_t now = std::chrono::system_clock::to_time_t(fakes::ManualClock().now());
    const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(X509_CRL_new(), X509_CRL_free);
    const Bytes issuer = name_of(name);
    const unsigned char* octets = issuer.data();
    const std::unique_ptr<X509_NAME, decltype(&X509_NAME_free)> by(
        d2i_X509_NAME(nullptr, &octets, static_cast<long>(issuer.size())), X509_NAME_free);
    const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> last(ASN1_TIME_set(nullptr, now - 3600),
                                                                     ASN1_TIME_free),
        next(ASN1_TIME_set(nullptr, now + 86400), ASN1_TIME_free);
    X509_CRL_set_version(list.get(), 1);
    X509_CRL_set_issuer_name(list.get(), by.get());
    X509_CRL_set1_lastUpdate(list.get(), last.get());
    X509_CRL_set1_nextUpdate(list.get(), next.get());
    for (const std::uint8_t serial : serials) {
      const std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> number(ASN1_INTEGER_new(),
                                                                               ASN1_INTEGER_free);
      ASN1_INTEGER_set(number.get(), serial);
      X509_REVOKED* revoked = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(revoked, number.get());
      X509_REVOKED_set_revocationDate(revoked, last.get());
      X509_CRL_add0_revoked(list.get(), revoked);
    }
    X509_CRL_sign(list.get(), key->pkey(), EVP_sha256());
    unsigned char* der = nullptr;
    const int size = i2d_X509_CRL(list.get(), &der);
    const std::string text = pem::encode("X509 CRL", ByteView(der, static_cast<std::size_t>(size)));
    OPENSSL_free(der);
    return text;
  }

  Bytes certificate(std::uint16_t usage, bool authority, std::vector<Bytes> usages, ByteView spki,
                    std::chrono::days life, std::string named = {}, const char* serial = "02") const {
    const Time now = fakes::ManualClock().now();
    x509::CertificateTemplate::Fixed fixed;
    fixed.issuer = name_of(name);
    if (authority)
      fixed.extensions.push_back(
          {to_bytes(oid::basic_constraints), true, x509::basic_constraints(true, std::nullopt)});
    if (!usages.empty())
      fixed.extensions.push_back(
          {to_bytes(oid::extended_key_usage), false, x509::extended_key_usage(usages)});
    const Bytes subject = !named.empty() ? name_of(named) : authority ? fixed.issuer : name_of("device");
    der::Writer writer;
    x509::CertificateTemplate(fixed).render(
        {.serial = *Serial::from_text(authority && named.empty() ? "01" : serial),
         .not_before = now - std::chrono::days{2},
         .not_after = now - std::chrono::days{2} + life,
         .subject = subject,
         .spki = spki,
         .key_identifier = x509::key_identifier(*x509::parse_public_key(spki)),
         .key_usage = usage,
         .names = {},
         .extensions = {}},
        writer);
    const Bytes tbs = writer.bytes();
    return x509::assemble_certificate(tbs, *key->sign(SignatureScheme::ecdsa_sha256, tbs));
  }
};

class Mtls : public ::testing::Test {
 protected:
  Status configure(std::vector<std::string> authorities, const std::string& anchors,
                   const std::string& crls = {}, bool old_makers = false) {
    Settings settings("authenticator.devices", "pki.toml:3:1");
    settings.set("authorities", {std::move(authorities), "pki.toml:4:8"});
    settings.set("anchors", {anchors.empty() ? Settings::Value() : Settings::Value(anchors), "pki.toml:5:8"});
    settings.set("crls", {crls.empty() ? Settings::Value() : Settings::Value(crls), "pki.toml:3:1"});
    settings.set("old_makers", {old_makers, "pki.toml:6:8"});
    plugin_ = *catalog_.create("authenticator", "mtls");
    return plugin_->configure(settings, host_);
  }
  test::TemporaryFolder folder_;
  fakes::FakeHost host_;
  loader::Catalog catalog_{HANAPER_PLUGINS};
  std::unique_ptr<Plugin> plugin_;
};

TEST_F(Mtls, KnowsCertificatesOfOurAuthoritiesWhileTheyAreGood) {
  fakes::FakeAuthority& ours = host_.authority("ours");
  ASSERT_TRUE(configure({"ours"}, ""));
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const auto with_usage = [](ByteView usage) {
    return std::vector<x509::Extension>{
        {to_bytes(oid::extended_key_usage), false, x509::extended_key_usage({to_bytes(usage)})}};
  };
  const auto serial = [](const Bytes& certificate) { return x509::parse_certificate(certificate)->serial; };
  const auto ask_with = [&](const Bytes& certificate) { return ask(*plugin_, {"", {certificate}}); };
  const Bytes good = ours.issue(11, key->spki());
  const Bytes revoked = ours.issue(12, key->spki()), held = ours.issue(13, key->spki());
  const Bytes old = ours.issue(14, key->spki(), {}, std::chrono::days{1});
  const Bytes server = ours.issue(15, key->spki(), with_usage(oid::server_auth));
  ours.revoke(serial(revoked), RevocationReason::superseded);
  ours.revoke(serial(held), RevocationReason::certificate_hold);

  const auto identity = ask_with(good);
  ASSERT_TRUE(identity) << identity.error().detail;
  EXPECT_EQ(identity->name, "mtls:" + to_hex(crypto::sha256(good)));
  EXPECT_TRUE(identity->roles.empty());
  EXPECT_TRUE(identity->by_certificate);
  std::vector<x509::Extension> both = with_usage(oid::client_auth);
  both.front().value = x509::extended_key_usage({to_bytes(oid::client_auth), to_bytes(oid::cmc_ra)});
  const auto ra = ask_with(ours.issue(16, key->spki(), both));
  ASSERT_TRUE(ra) << ra.error().detail;
  EXPECT_EQ(ra->roles, std::vector<std::string>{"ra"});

  EXPECT_EQ(ask_with(revoked).error().detail, "the client certificate is revoked");
  EXPECT_EQ(ask_with(held).error().detail, "the client certificate is revoked");
  EXPECT_EQ(ask_with(server).error().detail, "the client certificate is not made for TLS clients");
  EXPECT_EQ(ask(*plugin_, {"", {}}).error().detail, "no client certificate");
  EXPECT_EQ(ask(*plugin_, {"", {good}, false}).error().detail, "no client certificate");
  Bytes other_signature = good;
  other_signature.back() ^= 1;
  const auto same = ask_with(other_signature);
  ASSERT_TRUE(same) << "what was signed here is the same whatever stands behind it";
  EXPECT_EQ(same->name, identity->name);

  ours.revoke(serial(held), RevocationReason::remove_from_crl);
  EXPECT_TRUE(ask_with(held)) << "released from hold";
  ours.revoke(serial(good), RevocationReason::key_compromise);
  EXPECT_EQ(ask_with(good).error().detail, "the client certificate is revoked");
  host_.manual_clock.advance(std::chrono::days{2});
  EXPECT_EQ(ask_with(old).error().detail, "the client certificate has expired");
  ours.ledger_is_away = true;
  EXPECT_EQ(ask_with(held).error().code, Code::unavailable);
}

// What names an authority of ours is ours to judge, also where anchors lead to that very authority.
TEST_F(Mtls, LetsNothingOfOursPassForAMakers) {
  fakes::FakeAuthority& ours = host_.authority("ours");
  fakes::FakeAuthority& other = host_.authority("other");
  const Foreign maker;
  const std::string anchors = folder_ / "anchors.pem";
  ASSERT_TRUE(files::replace(
      anchors, pem::encode("CERTIFICATE", ours.certificate()) + pem::encode("CERTIFICATE", maker.root),
      0600));
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const auto twin_key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const auto serial = [](const Bytes& certificate) { return x509::parse_certificate(certificate)->serial; };
  const Bytes good = ours.issue(11, key->spki()), revoked = ours.issue(12, key->spki());
  const Bytes held = ours.issue(13, key->spki()), of_another = other.issue(14, key->spki());
  const Bytes old = ours.issue(16, key->spki(), {}, std::chrono::days{1});
  ours.revoke(serial(revoked), RevocationReason::key_compromise);
  ours.revoke(serial(held), RevocationReason::certificate_hold);
  ours.add(21, false);  // reserved, and never signed
  const auto with_other_signature = [](Bytes certificate) {
    certificate.back() ^= 1;
    return certificate;
  };
  // A certificate that the maker signs under our name.
  const auto forged = [&](const char* number, std::string issuer = "Fake ours") {
    Foreign forger = maker;
    forger.name = std::move(issuer);
    return forger.certificate(x509::digital_signature, false, {}, twin_key->spki(), std::chrono::days{90},
                              "fake 11", number);
  };
  host_.manual_clock.advance(std::chrono::hours{30});
  struct Row {
    const char* name;
    std::vector<std::string> authorities;
    std::vector<Bytes> chain;
    const char* refusal;
    Code code = Code::forbidden;
  };
  const std::string never = "the client certificate names an authority of ours that has not issued it";
  const std::vector<Row> rows = {
      {"good", {"ours"}, {good}, ""},
      {"good under another signature", {"ours"}, {with_other_signature(good)}, ""},
      {"revoked", {"ours"}, {revoked}, "the client certificate is revoked"},
      {"revoked where only makers are known", {}, {revoked}, "the client certificate is revoked"},
      {"revoked under another signature",
       {"ours"},
       {with_other_signature(revoked)},
       "the client certificate is revoked"},
      {"on hold", {}, {held}, "the client certificate is revoked"},
      {"expired", {"ours"}, {old}, "the client certificate has expired", Code::unauthenticated},
      {"good where only makers are known",
       {},
       {good},
       "the client certificate is of authority ours, which is not trusted here",
       Code::unauthenticated},
      {"of an authority that is not listed",
       {"ours"},
       {of_another},
       "the client certificate is of authority other, which is not trusted here",
       Code::unauthenticated},
      {"a twin with a serial number that lives", {"ours"}, {forged("0b"), maker.root}, never.c_str()},
      {"a twin of a number that was only reserved", {"ours"}, {forged("15"), maker.root}, never.c_str()},
      {"a number that nobody drew", {}, {forged("63"), maker.root}, never.c_str()},
      {"our name in other letters", {}, {forged("0b", "FAKE  Ours "), maker.root}, never.c_str()},
      {"our root comes along", {"ours"}, {good, to_bytes(ours.certificate())}, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    ASSERT_TRUE(configure(row.authorities, anchors));
    const auto identity = ask(*plugin_, {"", row.chain});
    EXPECT_EQ(identity ? "" : identity.error().detail, row.refusal);
    if (!identity) {
      EXPECT_EQ(to_string(identity.error().code), to_string(row.code));
    }
  }
}

// A certificate of ours above that of somebody else's device.
TEST_F(Mtls, JudgesEachCertificateOfAPath) {
  fakes::FakeAuthority& ours = host_.authority("ours");
  const std::string anchors = folder_ / "anchors.pem";
  ASSERT_TRUE(files::replace(anchors, pem::encode("CERTIFICATE", ours.certificate()), 0600));
  ASSERT_TRUE(configure({}, anchors));
  const auto device = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  Foreign customer;
  customer.name = "fake 31";
  customer.root = ours.issue(31, customer.key->spki(),
                             {{to_bytes(oid::basic_constraints), true, x509::basic_constraints(true, 0)}});
  const Bytes leaf =
      customer.certificate(x509::digital_signature, false, {}, device->spki(), std::chrono::days{90});
  const auto ask_it = [&] { return ask(*plugin_, {"", {leaf, customer.root}}); };
  // digitalSignature alone signs no certificates; what matters here is who says no.
  EXPECT_TRUE(ask_it().error().detail.starts_with("the client certificate is not trusted: "));
  ours.revoke(x509::parse_certificate(customer.root)->serial, RevocationReason::ca_compromise);
  EXPECT_EQ(ask_it().error().detail, "a certificate above the client's is revoked");
  EXPECT_EQ(ask_it().error().code, Code::forbidden);
}

// By OpenSSL's measure: level 2 has 112 bits, which SHA-1 and RSA of 1024 bits do not reach.
TEST_F(Mtls, TakesWeakChainsOnlyOfOldMakers) {
  struct Row {
    const char* name;
    KeySpec key;
    const EVP_MD* digest;
    const char* of_new;
    const char* of_old;
  };
  const KeySpec ec{KeyType::ec_p256, 0};
  const Row rows[] = {
      {"sound", ec, EVP_sha256(), "", ""},
      {"an RSA key of 2048 bits", {KeyType::rsa, 2048}, EVP_sha256(), "", ""},
      {"an RSA key of 1024 bits", {KeyType::rsa, 1024}, EVP_sha256(), "EE certificate key too weak", ""},
      {"an RSA key of 768 bits",
       {KeyType::rsa, 768},
       EVP_sha256(),
       "EE certificate key too weak",
       "too weak"},
      {"signed with SHA-1", ec, EVP_sha1(), "CA signature digest algorithm too weak", ""},
      {"signed with MD5",
       {KeyType::rsa, 2048},
       EVP_md5(),
       "CA signature digest algorithm too weak",
       "too weak"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const bool md5 = row.digest == EVP_md5();
    const auto generate = [](KeySpec spec) {
      return spec.type == KeyType::rsa ? EVP_RSA_gen(spec.bits) : EVP_EC_gen("P-256");
    };
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> issuer(generate(md5 ? row.key : ec),
                                                                     EVP_PKEY_free),
        key(generate(row.key), EVP_PKEY_free);
    const auto make = [&](EVP_PKEY* of, const char* name, const EVP_MD* digest, int number) {
      const std::time_t now = std::chrono::system_clock::to_time_t(fakes::ManualClock().now());
      const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
      X509_set_version(certificate.get(), 2);
      ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), number);
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), now - 3600);
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), now + 86400);
      X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
      const std::unique_ptr<X509_NAME, decltype(&X509_NAME_free)> by(X509_NAME_new(), X509_NAME_free);
      X509_NAME_add_entry_by_txt(by.get(), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>("Old Maker"), -1, -1, 0);
      X509_set_issuer_name(certificate.get(), by.get());
      X509_set_pubkey(certificate.get(), of);
      if (number == 1) {
        const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> authority(
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"),
            X509_EXTENSION_free);
        X509_add_ext(certificate.get(), authority.get(), -1);
      }
      X509_sign(certificate.get(), issuer.get(), digest);
      unsigned char* der = nullptr;
      const int size = i2d_X509(certificate.get(), &der);
      Bytes octets(der, der + size);
      OPENSSL_free(der);
      return octets;
    };
    const std::string anchors = folder_ / "old.pem";
    ASSERT_TRUE(files::replace(
        anchors, pem::encode("CERTIFICATE", make(issuer.get(), "Old Maker", EVP_sha256(), 1)), 0600));
    const Bytes leaf = make(key.get(), "device", row.digest, 2);
    for (const bool old : {false, true}) {
      ASSERT_TRUE(configure({}, anchors, "", old));
      const auto identity = ask(*plugin_, {"", {leaf}});
      const std::string wanted = old ? row.of_old : row.of_new;
      const std::string outcome = identity ? "" : identity.error().detail;
      EXPECT_EQ(outcome.empty(), wanted.empty()) << outcome;
      EXPECT_NE(outcome.find(wanted), std::string::npos) << outcome;
    }
  }
}

TEST_F(Mtls, KnowsWhatLeadsToAnAnchor) {
  const Foreign maker, stranger;
  const auto device = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const Bytes client = *x509::parse_extended_usage_name("client-auth");
  const Bytes server = *x509::parse_extended_usage_name("server-auth");
  const Bytes ra = to_bytes(oid::cmc_ra);
  const std::string anchors = folder_ / "anchors.pem";
  ASSERT_TRUE(files::replace(anchors, "text before\n" + pem::encode("CERTIFICATE", maker.root), 0600));
  ASSERT_TRUE(configure({}, anchors));
  const auto leaf = [&](const Foreign& from, std::vector<Bytes> usages, int days = 90) {
    return from.certificate(x509::digital_signature, false, std::move(usages), device->spki(),
                            std::chrono::days{days});
  };
  const auto good = ask(*plugin_, {"", {leaf(maker, {client, ra})}});
  ASSERT_TRUE(good) << good.error().detail;
  EXPECT_TRUE(good->roles.empty()) << "a role that a stranger wrote into a certificate";
  EXPECT_FALSE(good->by_certificate) << "what its maker certified is no certificate of ours";
  EXPECT_TRUE(ask(*plugin_, {"", {leaf(maker, {})}}));
  for (const Bytes& certificate :
       {leaf(stranger, {client}), stranger.root, leaf(maker, {server}), leaf(maker, {client}, 1)}) {
    const auto refused = ask(*plugin_, {"", {certificate}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unauthenticated);
    EXPECT_TRUE(refused.error().detail.starts_with("the client certificate is not trusted: "));
  }
}

TEST_F(Mtls, WantsACrlOfEverythingBelowAnAnchor) {
  const Foreign maker, sub = maker.below();
  const auto device = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const Bytes leaf = sub.certificate(x509::digital_signature, false, {}, device->spki(),
                                     std::chrono::days{90}, "device", "07");
  const std::string roots = folder_ / "roots.pem", subs = folder_ / "subs.pem", crls = folder_ / "crls.pem";
  ASSERT_TRUE(files::replace(roots, pem::encode("CERTIFICATE", maker.root), 0600));
  ASSERT_TRUE(files::replace(subs, pem::encode("CERTIFICATE", sub.root), 0600));
  struct Row {
    const char* name;
    std::string anchors, crls;
    const char* refusal;
  };
  const std::string untrusted = "the client certificate is not trusted: ";
  for (const Row& test :
       {Row{"nothing revoked", roots, maker.crl({}) + sub.crl({}), ""},
        Row{"the device revoked", roots, maker.crl({}) + sub.crl({7}), "certificate revoked"},
        Row{"the authority between revoked", roots, maker.crl({3}) + sub.crl({}), "certificate revoked"},
        Row{"no CRL of the authority between", roots, sub.crl({}), "unable to get certificate CRL"},
        Row{"no CRL of the device", roots, maker.crl({}), "unable to get certificate CRL"},
        Row{"an anchor that nobody vouches for but we", subs, sub.crl({}), ""},
        Row{"the device below it revoked", subs, sub.crl({7}), "certificate revoked"}}) {
    SCOPED_TRACE(test.name);
    ASSERT_TRUE(files::replace(crls, test.crls, 0600));
    ASSERT_TRUE(configure({}, test.anchors, crls));
    const auto identity = ask(*plugin_, {"", {leaf, sub.root}});
    EXPECT_EQ(identity ? "" : identity.error().detail, *test.refusal ? untrusted + test.refusal : "");
  }
}

TEST_F(Mtls, RefusesToTrustNobody) {
  EXPECT_EQ(configure({}, "").error().detail,
            "pki.toml:4:8: authenticator.devices.authorities: nobody is trusted; name authorities here or "
            "give anchors");
  const std::string path = folder_ / "empty.pem";
  ASSERT_TRUE(files::replace(path, "nothing\n", 0600));
  EXPECT_EQ(configure({}, path).error().detail,
            "pki.toml:5:8: authenticator.devices.anchors: " + path + ": no CERTIFICATE in it");
}

}  // namespace
}  // namespace hanaper
