// authenticator/accounts and authenticator/mtls as the host meets them: loaded from their shared objects.
#include "loader/catalog.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/oids.hpp>

#include "../unit/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <openssl/x509.h>

#include <functional>
#include <thread>

namespace hanaper {
namespace {

// What a request shows of its sender.
struct Sender {
  std::string authorization;
  std::vector<Bytes> chain;
  bool tls = true;
  std::string address = "192.0.2.7";
};

Result<Identity> ask(Plugin& plugin, const Sender& sender) {
  TlsPeer peer;
  for (const Bytes& certificate : sender.chain) peer.chain.push_back(certificate);
  const HeaderView header{"authorization", sender.authorization};
  Request request;
  if (!sender.authorization.empty()) request.headers = {&header, 1};
  if (sender.tls) request.tls = &peer;
  request.address = sender.address;
  Call call = fakes::test_call();
  return static_cast<Authenticator&>(plugin).authenticate(request, call);
}

std::string basic(std::string_view text) { return "Basic " + base64::encode(as_bytes(text)); }

// The hashes are mkpasswd's of "correct horse", by yescrypt and scrypt; the token is "token-of-some-length".
constexpr const char* accounts_text =
    "# devices\n"
    "router-7:$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82\n"
    "\n"
    "office:$7$CU..../....courMM0vm6AE2hHMKPQRf.$jhh6exoaU5Ke5nXEFMnfYsHJ.6nYxWDaxUp4UcStjC9:ra,operator\r\n"
    "bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7:ra\n";

class Accounts : public ::testing::Test {
 protected:
  Status configure(const std::string& text) {
    static_cast<void>(files::replace(path_, text, 0600));
    Settings settings("authenticator.people", "pki.toml:3:1");
    settings.set("file", {path_, "pki.toml:4:8"});
    settings.set("realm", {std::string("devices"), "pki.toml:5:9"});
    return plugin_->configure(settings, host_);
  }
  Authenticator& authenticator() { return static_cast<Authenticator&>(*plugin_); }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_ / "accounts";
  fakes::FakeHost host_;
  loader::Catalog catalog_{HANAPER_PLUGINS};
  std::unique_ptr<Plugin> plugin_ = *catalog_.create("authenticator", "accounts");
};

TEST_F(Accounts, KnowWhoHasPasswordOrToken) {
  struct Row {
    const char* name;
    Sender sender;
    const char* identity;  // "": unauthenticated
    std::vector<std::string> roles;
  };
  const Row rows[] = {
      {"a yescrypt password", {basic("router-7:correct horse"), {}}, "password:router-7", {}},
      {"a scrypt password", {basic("office:correct horse"), {}}, "password:office", {"ra", "operator"}},
      {"the scheme in other letters",
       {"bAsIc " + basic("router-7:correct horse").substr(6), {}},
       "password:router-7",
       {}},
      {"a token", {"Bearer token-of-some-length", {}}, "token:bot", {"ra"}},
      {"nothing", {"", {}}, "", {}},
      {"a wrong password", {basic("router-7:correct horse "), {}}, "", {}},
      {"an empty password", {basic("router-7:"), {}}, "", {}},
      {"another's name", {basic("router-8:correct horse"), {}}, "", {}},
      {"a hash for a password",
       {basic("router-7:$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82"), {}},
       "",
       {}},
      {"a token for a password", {basic("bot:token-of-some-length"), {}}, "", {}},
      {"a password for a token", {"Bearer correct horse", {}}, "", {}},
      {"a wrong token", {"Bearer token-of-some-lengtH", {}}, "", {}},
      {"no colon", {basic("router-7"), {}}, "", {}},
      {"no base64", {"Basic !", {}}, "", {}},
      {"a NUL in the password", {basic(std::string_view("router-7:correct horse\0", 23)), {}}, "", {}},
      {"a password of 257 octets", {basic("router-7:" + std::string(257, 'x')), {}}, "", {}},
      {"another scheme", {"Digest username=\"router-7\"", {}}, "", {}},
      {"plain HTTP", {basic("router-7:correct horse"), {}, false}, "", {}},
  };
  ASSERT_TRUE(configure(accounts_text));
  for (const Row& test : rows) {
    SCOPED_TRACE(test.name);
    for (int again = 0; again < 2; ++again) {  // the second time from memory
      const auto identity = ask(*plugin_, test.sender);
      EXPECT_EQ(identity ? identity->name : "", test.identity);
      if (identity) {
        EXPECT_EQ(identity->roles, test.roles);
      } else {
        EXPECT_EQ(identity.error().code, Code::unauthenticated);
      }
    }
  }
  for (const std::string& line : host_.recording_log.lines())
    EXPECT_EQ(line.find("horse"), std::string::npos);
}

// Each row is a guesser's history, and then somebody with the right password.
TEST_F(Accounts, AreNotLockedByThoseWhoGuess) {
  struct Row {
    const char* name;
    int guesses;
    std::function<Sender(int)> guess;
    Sender right;
  };
  const auto guess = [](std::string name, std::string address) {
    return [=](int i) { return Sender{basic(name + ":guess" + std::to_string(i)), {}, true, address}; };
  };
  const Sender owner{basic("router-7:correct horse"), {}, true, "198.51.100.1"};
  const Row rows[] = {
      {"guesses at the same address", 12, guess("router-7", "198.51.100.1"), owner},
      {"guesses at another account", 12, guess("office", "198.51.100.1"), owner},
      {"guesses at no account", 12, guess("nobody", "198.51.100.1"), owner},
      {"guesses from elsewhere", 12, guess("router-7", "203.0.113.9"), owner},
      {"guesses from everywhere", 12,
       [](int i) {
         return Sender{basic("router-7:x" + std::to_string(i)), {}, true, "203.0.113." + std::to_string(i)};
       },
       owner},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    plugin_ = *catalog_.create("authenticator", "accounts");
    ASSERT_TRUE(configure(accounts_text));
    for (int i = 0; i < row.guesses; ++i) EXPECT_FALSE(ask(*plugin_, row.guess(i)));
    EXPECT_TRUE(ask(*plugin_, row.right));
  }
}

TEST_F(Accounts, LetTheirOwnersInWhileManyGuess) {
  ASSERT_TRUE(configure(accounts_text));
  for (int i = 0; i < 12; ++i)
    EXPECT_FALSE(ask(*plugin_, {basic("router-7:early" + std::to_string(i)), {}, true, "203.0.113.9"}));
  std::atomic<bool> stop{false};
  std::atomic<int> tried{0};
  std::vector<std::thread> guessers;
  for (int g = 0; g < 8; ++g)
    guessers.emplace_back([&, g] {
      for (int i = 0; !stop; ++i, ++tried)
        static_cast<void>(
            ask(*plugin_, {basic("router-7:" + std::to_string(g * 1000 + i)), {}, true, "203.0.113.9"}));
    });
  while (tried < 8) std::this_thread::yield();
  const Sender table[] = {{basic("office:correct horse"), {}, true, "198.51.100.1"},
                          {basic("router-7:correct horse"), {}, true, "198.51.100.1"},
                          {basic("office:correct horse"), {}, true, "203.0.113.9"},
                          {basic("router-7:correct horse"), {}, true, "203.0.113.9"}};
  for (const Sender& sender : table) {
    const auto identity = ask(*plugin_, sender);
    EXPECT_TRUE(identity) << sender.address << ": " << identity.error().detail;
  }
  stop = true;
  for (std::thread& guesser : guessers) guesser.join();
}

TEST_F(Accounts, SayWhoGuessesAndWhere) {
  ASSERT_TRUE(configure(accounts_text));
  static_cast<void>(ask(*plugin_, {basic("router-7:guess"), {}, true, "2001:db8::7"}));
  static_cast<void>(ask(*plugin_, {basic("my-password:guess"), {}, true, "198.51.100.9"}));
  static_cast<void>(ask(*plugin_, {"Bearer guess", {}, true, "198.51.100.8"}));
  std::string all;
  for (const std::string& line : host_.recording_log.lines()) all += line + "\n";
  for (const char* part : {"router-7", "2001:db8::7", "198.51.100.9", "198.51.100.8"})
    EXPECT_NE(all.find(part), std::string::npos) << part << " in " << all;
  for (const char* part : {"guess", "my-password"}) EXPECT_EQ(all.find(part), std::string::npos) << all;
}

// The least of a few times, so that a busy machine counts for little.
std::chrono::microseconds time_of(Plugin& plugin, const std::string& name) {
  std::chrono::microseconds least = std::chrono::hours{1};
  for (int i = 0; i < 5; ++i) {
    const auto before = std::chrono::steady_clock::now();
    static_cast<void>(ask(plugin, {basic(name + ":wrong" + std::to_string(i)), {}}));
    least = std::min(least, std::chrono::duration_cast<std::chrono::microseconds>(
                                std::chrono::steady_clock::now() - before));
  }
  return least;
}

TEST_F(Accounts, TakeAsLongForNamesThatAreNotThere) {
  const std::pair<const char*, const char*> kinds[] = {
      {"yescrypt", "a:$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82\n"},
      {"yescrypt that costs little",
       "a:$y$j75$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82\n"},
      {"scrypt", "a:$7$CU..../....courMM0vm6AE2hHMKPQRf.$jhh6exoaU5Ke5nXEFMnfYsHJ.6nYxWDaxUp4UcStjC9\n"},
      {"scrypt that costs little",
       "a:$7$7U..../....courMM0vm6AE2hHMKPQRf.$jhh6exoaU5Ke5nXEFMnfYsHJ.6nYxWDaxUp4UcStjC9\n"},
  };
  for (const auto& [name, text] : kinds) {
    plugin_ = *catalog_.create("authenticator", "accounts");
    ASSERT_TRUE(configure(text));
    const auto there = time_of(*plugin_, "a"), not_there = time_of(*plugin_, "b");
    EXPECT_LT(there.count(), 2 * not_there.count()) << name;
    EXPECT_LT(not_there.count(), 2 * there.count()) << name;
  }
}

TEST_F(Accounts, FollowTheirFile) {
  ASSERT_TRUE(configure(accounts_text));
  const Sender sender{basic("router-7:correct horse"), {}};
  EXPECT_TRUE(ask(*plugin_, sender));
  ASSERT_TRUE(files::replace(
      path_, "bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n", 0600));
  EXPECT_FALSE(ask(*plugin_, sender)) << "a password that was remembered outlived its account";
  EXPECT_TRUE(ask(*plugin_, {"Bearer token-of-some-length", {}}));
  EXPECT_TRUE(host_.fake_health.checks.at("accounts")());

  ASSERT_TRUE(files::replace(path_, "nonsense\n", 0600));
  EXPECT_TRUE(ask(*plugin_, {"Bearer token-of-some-length", {}})) << "the last good file stays in force";
  const Status health = host_.fake_health.checks.at("accounts")();
  ASSERT_FALSE(health);
  EXPECT_EQ(health.error().detail, path_ + ": line 1: no account: name:secret[:role,role] is wanted");
}

TEST_F(Accounts, AskForWhatTheyHave) {
  ASSERT_TRUE(configure(accounts_text));
  EXPECT_EQ(authenticator().challenge(),
            "Basic realm=\"devices\", charset=\"UTF-8\", Bearer realm=\"devices\"");
  ASSERT_TRUE(configure("bot:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n"));
  EXPECT_EQ(authenticator().challenge(), "Bearer realm=\"devices\"");
}

TEST_F(Accounts, RefuseFilesThatAreNone) {
  const std::pair<const char*, const char*> rows[] = {
      {"router-7\n", "line 1: no account: name:secret[:role,role] is wanted"},
      {"#\n:x\n", "line 2: no account: name:secret[:role,role] is wanted"},
      {"a:secret\n",
       "line 1: no scrypt or yescrypt hash, and no sha256: either; mkpasswd -m yescrypt makes one"},
      {"a:$6$salt$hash\n",
       "line 1: no scrypt or yescrypt hash, and no sha256: either; mkpasswd -m yescrypt makes one"},
      {"a:sha256:00\n", "line 1: sha256: wants 64 hexadecimal digits"},
      {"a:$y$x\na:$y$y\n", "line 2: the same name again"},
      {"a:sha256:989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\nb:sha256:"
       "989203ad85e03b374e0e199778901e347feb4bed3b076fc2ebe168c4288ff9b7\n",
       "line 2: the same token again"},
  };
  for (const auto& [text, message] : rows) {
    const Status configured = configure(text);
    ASSERT_FALSE(configured) << text;
    EXPECT_EQ(configured.error().detail,
              "pki.toml:4:8: authenticator.people.file: " + path_ + ": " + message);
  }
}

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
                   const std::string& crls = {}) {
    Settings settings("authenticator.devices", "pki.toml:3:1");
    settings.set("authorities", {std::move(authorities), "pki.toml:4:8"});
    settings.set("anchors", {anchors.empty() ? Settings::Value() : Settings::Value(anchors), "pki.toml:5:8"});
    settings.set("crls", {crls.empty() ? Settings::Value() : Settings::Value(crls), "pki.toml:3:1"});
    return plugin_->configure(settings, host_);
  }
  test::TemporaryFolder folder_;
  fakes::FakeHost host_;
  loader::Catalog catalog_{HANAPER_PLUGINS};
  std::unique_ptr<Plugin> plugin_ = *catalog_.create("authenticator", "mtls");
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
  Bytes forged = good;
  forged.back() ^= 1;
  EXPECT_EQ(ask_with(forged).error().detail,
            "the client certificate is of no authority that is trusted here");

  ours.revoke(serial(held), RevocationReason::remove_from_crl);
  EXPECT_TRUE(ask_with(held)) << "released from hold";
  ours.revoke(serial(good), RevocationReason::key_compromise);
  EXPECT_EQ(ask_with(good).error().detail, "the client certificate is revoked");
  host_.manual_clock.advance(std::chrono::days{2});
  EXPECT_EQ(ask_with(old).error().detail, "the client certificate has expired");
  ours.ledger_is_away = true;
  EXPECT_EQ(ask_with(held).error().code, Code::unavailable);
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
