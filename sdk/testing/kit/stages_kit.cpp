// What every authenticator, policy and validator must do: answer whatever comes, and change nothing that is
// not theirs.
#include "expect.hpp"
#include "subject.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>

#include <random>
#include <thread>

namespace hanaper::kit {
namespace {

using enum Code;

// Several threads at once, each with a number.
template <class Body>
void together(Body body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&, t] { body(t); });
  for (std::thread& thread : threads) thread.join();
}

class AuthenticatorKit : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(subject.status()) << subject.status().error().detail; }
  Authenticator& authenticator() { return dynamic_cast<Authenticator&>(subject.plugin()); }

  // Nobody knows who sends this.
  void expect_unknown(const std::vector<HeaderView>& headers, const TlsPeer* tls, const std::string& what,
                      ByteView body = {}) {
    Request request;
    request.method = Method::post;
    request.target = request.path = "/est/simpleenroll";
    request.tail = "/simpleenroll";
    request.headers = headers;
    request.body = body;
    request.address = "192.0.2.1";
    request.tls = tls;
    Call call = fakes::test_call();
    const auto identity =
        expect_kept("authenticate(" + what + ")", {unauthenticated, forbidden, rate_limited, unavailable},
                    [&] { return authenticator().authenticate(request, call); });
    EXPECT_FALSE(identity.has_value())
        << what << " passes for \"" << identity->name << "\"; nobody has shown who he is";
  }

  Subject subject;
};

TEST_F(AuthenticatorKit, KnowsNobodyWithoutCredentials) {
  expect_unknown({}, nullptr, "no credentials");
  expect_unknown({{"Host", "pki.example.test"}, {"Cookie", "session=1"}}, nullptr, "fields that are none");
}

TEST_F(AuthenticatorKit, KnowsNobodyByWrongCredentials) {
  const std::string long_one(16 * 1024, 'x');
  const std::string basic = base64::encode(as_bytes("nobody:wrong")), colon = base64::encode(as_bytes(":")),
                    none = base64::encode(as_bytes("nobody")), nul = base64::encode(as_bytes({"a\0:b", 4}));
  for (const std::string& value :
       {std::string(), std::string("Basic"), std::string("Basic "), "Basic " + basic, "Basic " + colon,
        "Basic " + none, "Basic " + nul, std::string("Basic !!!"), "Basic " + long_one, std::string("Bearer"),
        std::string("Bearer "), std::string("Bearer wrong"), "Bearer " + long_one, "bearer " + long_one,
        std::string("Digest username=\"x\""), std::string("\xff\xfe"), std::string(" Bearer x")})
    expect_unknown({{"Authorization", value}}, nullptr, "Authorization: " + value.substr(0, 40));
}

TEST_F(AuthenticatorKit, KnowsNobodyByWhatIsNoCertificate) {
  std::mt19937 random(20261129);
  for (int round = 0; round < 50; ++round) {
    Bytes octets(random() % 400);
    for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(random());
    if (round % 2 == 0 && !octets.empty()) octets[0] = 0x30;
    const TlsPeer peer{.chain = {octets}, .tls13 = true, .channel_binding = {}};
    expect_unknown({}, &peer, "a TLS peer with noise for a certificate");
  }
  const TlsPeer nobody{.chain = {}, .tls13 = true, .channel_binding = {}};
  expect_unknown({}, &nobody, "a TLS peer without a certificate");
}

TEST_F(AuthenticatorKit, KnowsNobodyByACertificateOfAStranger) {
  fakes::FakeAuthority stranger(subject.host().memory_storage, subject.host().manual_clock, 77, "stranger");
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const Bytes certificate = stranger.issue(7, key->spki());
  const TlsPeer peer{.chain = {certificate, stranger.certificate()}, .tls13 = true, .channel_binding = {}};
  expect_unknown({}, &peer, "a certificate of an authority that nobody named");
}

TEST_F(AuthenticatorKit, AsksInOneLine) {
  const std::string challenge = authenticator().challenge();
  EXPECT_EQ(challenge.find_first_of("\r\n"), std::string::npos) << "a field value is one line (RFC 9110 5.5)";
  EXPECT_EQ(challenge, authenticator().challenge()) << "the challenge changes";
}

TEST_F(AuthenticatorKit, AnswersManyThreadsAtOnce) {
  together([&](int t) {
    for (int i = 0; i < 20; ++i)
      expect_unknown({{"Authorization", t % 2 == 0 ? "Bearer wrong" : "Basic bm9ib2R5Ondyb25n"}}, nullptr,
                     "wrong credentials");
  });
}

// A draft with everything that it points to.
struct Drafted {
  explicit Drafted(Subject& subject,
                   std::vector<Identifier> identifiers = {{Identifier::Kind::dns, "a.example.test"}},
                   std::vector<NameAttribute> attributes = {{"2.5.4.3", "a.example.test"}}) {
    key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
    spki = to_bytes(key->spki());
    draft.pipeline = "web";
    draft.profile = "default";
    draft.authority = "issuing";
    draft.requester = "test:somebody";
    draft.spki = spki;
    draft.key = {KeyType::ec_p256, 0};
    draft.subject = std::move(attributes);
    draft.names = std::move(identifiers);
    draft.not_before = subject.host().manual_clock.now();
    draft.not_after = draft.not_before + std::chrono::days{90};
  }
  std::shared_ptr<crypto::SoftKey> key;
  Bytes spki, tbs;
  Draft draft;
};

std::vector<std::vector<Identifier>> name_cases() {
  using Kind = Identifier::Kind;
  std::vector<Identifier> many;
  for (int i = 0; i < 300; ++i) many.push_back({Kind::dns, "n" + std::to_string(i) + ".example.test"});
  return {{},
          {{Kind::dns, "a.example.test"}},
          {{Kind::dns, "*.example.test"}},
          {{Kind::dns, std::string(253, 'a')}},
          {{Kind::dns, ""}},
          {{Kind::dns, "xn--mnchen-3ya.example.test"}},
          {{Kind::ip, "192.0.2.1"}, {Kind::ip, "2001:db8::1"}},
          {{Kind::email, "somebody@example.test"}},
          {{Kind::uri, "urn:example:x"}},
          {{Kind::permanent_identifier, "SERIAL/1.2.3"}},
          {{Kind::hardware_module, "SERIAL/1.2.3"}},
          {{Kind::user_principal, "somebody@example.test"}},
          {{Kind::smtp_utf8_mailbox, "jemand\u00e4@example.test"}},
          {{Kind::dns, "a.example.test"}, {Kind::dns, "a.example.test"}},
          many};
}

class PolicyKit : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(subject.status()) << subject.status().error().detail; }
  Status decide(Drafted& drafted) {
    Call call = fakes::test_call();
    return expect_kept("decide", {rejected, forbidden, rate_limited, unavailable, conflict, bad_key},
                       [&] { return dynamic_cast<Policy&>(subject.plugin()).decide(drafted.draft, call); });
  }
  Subject subject;
};

TEST_F(PolicyKit, DecidesAboutEveryKindOfName) {
  for (std::vector<Identifier>& names : name_cases()) {
    Drafted drafted(subject, std::move(names));
    static_cast<void>(decide(drafted));
  }
}

TEST_F(PolicyKit, DecidesAboutEverySubject) {
  for (const std::vector<NameAttribute>& attributes :
       {std::vector<NameAttribute>{},
        {{"2.5.4.3", ""}},
        {{"2.5.4.3", std::string(64, 'x')}},
        {{"2.5.4.10", "Example"}, {"2.5.4.3", "Gr\xc3\xbc\xc3\x9f"}},
        {{"1.2.3.4.5", "unknown"}}}) {
    Drafted drafted(subject, {}, attributes);
    static_cast<void>(decide(drafted));
  }
}

TEST_F(PolicyKit, AmendsOnlyWhatIsAmendable) {
  Drafted drafted(subject);
  const Draft before = drafted.draft;
  if (!decide(drafted)) return;
  const Draft& after = drafted.draft;
  const auto kept = [](const auto& a, const auto& b) { return a.data() == b.data() && a.size() == b.size(); };
  EXPECT_TRUE(kept(before.pipeline, after.pipeline) && kept(before.profile, after.profile) &&
              kept(before.authority, after.authority) && kept(before.requester, after.requester) &&
              kept(before.csr, after.csr) && kept(before.spki, after.spki) && kept(before.tbs, after.tbs) &&
              kept(before.account_uri, after.account_uri) && kept(before.proofs, after.proofs))
      << "a policy may amend subject, names, not_before and not_after (stages.hpp), and has changed "
         "something else";
  EXPECT_LT(after.not_before, after.not_after) << "the amended certificate would never be valid";
  for (const Identifier& name : after.names) EXPECT_FALSE(name.value.empty()) << "an amended name is empty";
}

TEST_F(PolicyKit, DecidesOnManyThreadsAtOnce) {
  together([&](int t) {
    for (int i = 0; i < 20; ++i) {
      Drafted drafted(subject, {{Identifier::Kind::dns, "t" + std::to_string(t) + ".example.test"}});
      drafted.draft.requester = t % 2 == 0 ? "test:one" : "test:two";
      static_cast<void>(decide(drafted));
    }
  });
}

class ValidatorKit : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(subject.status()) << subject.status().error().detail; }
  Status validate(const Drafted& drafted, const std::string& what) {
    Call call = fakes::test_call();
    return expect_kept("validate(" + what + ")", {rejected, bad_csr, bad_key, forbidden, unavailable}, [&] {
      return dynamic_cast<Validator&>(subject.plugin()).validate(drafted.draft, call);
    });
  }
  // With the octets that would be signed.
  Drafted drawn_up(std::vector<Identifier> names = {{Identifier::Kind::dns, "a.example.test"}}) {
    Drafted drafted(subject, names);
    fakes::FakeAuthority authority(subject.host().memory_storage, subject.host().manual_clock, ++authorities_,
                                   "kit");
    const Bytes certificate = authority.issue(7, drafted.spki);
    drafted.tbs = to_bytes(x509::parse_certificate(certificate)->whole);
    drafted.draft.tbs = drafted.tbs;
    return drafted;
  }
  Subject subject;
  AuthorityId authorities_ = 100;
};

TEST_F(ValidatorKit, JudgesWhatWouldBeSigned) {
  const Drafted drafted = drawn_up();
  const Draft before = drafted.draft;
  static_cast<void>(validate(drafted, "a certificate"));
  EXPECT_EQ(before.names, drafted.draft.names) << "a validator may only refuse";
  EXPECT_EQ(before.subject, drafted.draft.subject) << "a validator may only refuse";
}

TEST_F(ValidatorKit, JudgesTheSameAlike) {
  const Drafted drafted = drawn_up();
  const Status first = validate(drafted, "a certificate"), second = validate(drafted, "the same again");
  EXPECT_EQ(first.has_value(), second.has_value()) << "what holds the first time holds the second";
}

// The host draws up what is well formed; a validator that reads for itself must bear what is not.
TEST_F(ValidatorKit, BearsEveryTruncationAndEveryChangedOctet) {
  Drafted drafted = drawn_up();
  const Bytes whole = drafted.tbs;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    drafted.draft.tbs = ByteView(whole).first(size);
    static_cast<void>(validate(drafted, "cut after " + std::to_string(size) + " octets"));
  }
  Bytes changed = whole;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    changed[at] = static_cast<std::uint8_t>(~whole[at]);
    drafted.draft.tbs = changed;
    static_cast<void>(validate(drafted, "octet " + std::to_string(at) + " changed"));
    changed[at] = whole[at];
  }
}

TEST_F(ValidatorKit, JudgesOnManyThreadsAtOnce) {
  const Drafted drafted = drawn_up();
  together([&](int) {
    for (int i = 0; i < 20; ++i) static_cast<void>(validate(drafted, "a certificate"));
  });
}

}  // namespace
}  // namespace hanaper::kit
