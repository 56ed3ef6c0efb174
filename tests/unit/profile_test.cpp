// What a profile makes of requests: the extensions of its certificates, seen from outside.
#include "admission_support.hpp"

#include <openssl/x509v3.h>

namespace hanaper::test {
namespace {

class Profiles : public IssuanceFixture {
 protected:
  // The certificate for a request with these extensions; a new authority each time would cost a key.
  x509::CertificateView issue_with(const Plan& plan, std::vector<x509::Extension> extensions = {},
                                   KeySpec spec = {KeyType::ec_p256, 0}) {
    open(plan);
    csr_ = request_for(*new_key(spec), {{Kind::dns, "host.example.test"}}, {}, std::move(extensions));
    auto issued = issue(csr_);
    if (!issued) throw std::runtime_error(issued.error().detail);
    certificate_ = issued->certificate;
    return *x509::parse_certificate(certificate_);
  }
  static std::string usages(const x509::CertificateView& view) {
    const auto* extension = view.find(oid::extended_key_usage);
    if (extension == nullptr) return "any";
    std::string text = extension->critical ? "critical" : "";
    const auto listed = *x509::parse_extended_key_usage(extension->value);
    for (ByteView usage : listed) text += (text.empty() ? "" : " ") + x509::extended_usage_name(usage);
    return text;
  }
  static std::uint16_t key_usage(const x509::CertificateView& view) {
    return *x509::parse_key_usage(view.find(oid::key_usage)->value);
  }
  static std::size_t times(const x509::CertificateView& view, ByteView oid) {
    return static_cast<std::size_t>(std::ranges::count_if(
        view.extensions, [&](const x509::ExtensionView& extension) { return equal(extension.oid, oid); }));
  }

  Bytes csr_, certificate_;
};

x509::Extension usage_extension(std::string_view usage) {
  return {to_bytes(oid::extended_key_usage), false, x509::extended_key_usage({extended_usage(usage)})};
}
x509::Extension staple_extension() {
  return {to_bytes(oid::tls_feature), false, x509::tls_feature_status_request()};
}

TEST_F(Profiles, GiveTheirOwnPurposesWhateverTheRequestSays) {
  EXPECT_EQ(usages(issue_with({}, {usage_extension("code-signing")})), "server-auth");
}

// What a request may choose where the profile honours its wishes: `usages` and `key_usages` are the ceiling.
struct Wish {
  const char* name;
  std::vector<const char*> given;   // usages of the profile
  std::vector<const char*> wished;  // extended key usages
  const char* outcome;              // usages of the certificate, or part of the refusal
};
std::ostream& operator<<(std::ostream& out, const Wish& of) { return out << of.name; }
class Wishes : public Profiles, public ::testing::WithParamInterface<Wish> {};

TEST_P(Wishes, ForPurposesStayBelowTheProfiles) {
  Plan plan;
  plan.profile.honour = {to_bytes(oid::extended_key_usage)};
  plan.profile.extended_usages.clear();
  for (const char* usage : GetParam().given) plan.profile.extended_usages.push_back(extended_usage(usage));
  std::vector<Bytes> wished;
  for (const char* usage : GetParam().wished) wished.push_back(extended_usage(usage));
  std::string outcome;
  try {
    outcome = usages(
        issue_with(plan, {{to_bytes(oid::extended_key_usage), true, x509::extended_key_usage(wished)}}));
  } catch (const std::runtime_error& error) {
    outcome = error.what();
  }
  EXPECT_NE(outcome.find(GetParam().outcome), std::string::npos) << outcome;
}

const Wish wishes[] = {
    {"OneOfTwo", {"server-auth", "client-auth"}, {"client-auth"}, "client-auth"},
    {"AllInAnotherOrder",
     {"server-auth", "client-auth"},
     {"client-auth", "server-auth"},
     "client-auth server-auth"},
    {"TheSameTwice", {"client-auth"}, {"client-auth", "client-auth"}, "client-auth"},
    {"AnotherThanGiven", {"server-auth"}, {"client-auth"}, "client-auth, which profile web does not give"},
    {"OneMoreThanGiven", {"server-auth"}, {"server-auth", "code-signing"}, "code-signing, which"},
    {"AnyOfAnyPurpose", {}, {"code-signing"}, "code-signing"},
    {"OcspSigning", {"client-auth"}, {"ocsp-signing"}, "ocsp-signing, which"},
    {"OcspSigningAmongAny", {}, {"ocsp-signing"}, "ocsp-signing, which"},
    {"ARegistrationAuthority", {}, {"client-auth", "cmc-ra"}, "cmc-ra, which"},
    {"EveryPurpose", {}, {"any"}, "any, which"},
    {"EveryPurposeAmongGiven", {"server-auth"}, {"any"}, "any, which"},
    {"AnAuthorityOfCmc", {}, {"1.3.6.1.5.5.7.3.27"}, "1.3.6.1.5.5.7.3.27, which"},
    {"AnAgentOfMicrosoft", {}, {"1.3.6.1.4.1.311.20.2.1"}, "1.3.6.1.4.1.311.20.2.1, which"},
    {"ASignerOfPrecertificates", {}, {"1.3.6.1.4.1.11129.2.4.4"}, "1.3.6.1.4.1.11129.2.4.4, which"},
    {"ARouter", {}, {"1.3.6.1.5.5.7.3.30"}, "1.3.6.1.5.5.7.3.30, which"},
};
INSTANTIATE_TEST_SUITE_P(Are, Wishes, ::testing::ValuesIn(wishes),
                         [](const auto& test) { return test.param.name; });

// Likewise for keyUsage: what the profile says, what the key can do, and nothing of an authority.
struct UsageWish {
  const char* name;
  KeySpec key;
  int given;  // key_usages of the profile; -1: none said
  int wished;
  int outcome;  // -1: refused
};
std::ostream& operator<<(std::ostream& out, const UsageWish& of) { return out << of.name; }
class UsageWishes : public Profiles, public ::testing::WithParamInterface<UsageWish> {};

TEST_P(UsageWishes, ForTheKeyStayBelowTheProfiles) {
  const UsageWish& row = GetParam();
  Plan plan;
  plan.profile.honour = {to_bytes(oid::key_usage)};
  if (row.given >= 0) plan.profile.key_usage = static_cast<std::uint16_t>(row.given);
  int outcome = -1;
  try {
    const auto view = issue_with(
        plan, {{to_bytes(oid::key_usage), false, x509::key_usage(static_cast<std::uint16_t>(row.wished))}},
        row.key);
    outcome = key_usage(view);
    EXPECT_TRUE(view.find(oid::key_usage)->critical);
  } catch (const std::runtime_error&) {}
  EXPECT_EQ(outcome, row.outcome);
}

constexpr KeySpec ec{KeyType::ec_p256, 0}, rsa{KeyType::rsa, 2048};
const UsageWish usage_wishes[] = {
    {"Signing", ec, -1, x509::digital_signature, x509::digital_signature},
    {"Agreement", ec, -1, x509::key_agreement, x509::key_agreement},
    {"AgreementOfRsa", rsa, -1, x509::digital_signature | x509::key_agreement, x509::digital_signature},
    {"EnciphermentOfAnEcKey", ec, -1, x509::digital_signature | x509::key_encipherment,
     x509::digital_signature},
    {"OnlyWhatTheKeyCannotDo", ec, -1, x509::key_encipherment, x509::digital_signature},
    {"EnciphermentAlone", rsa, -1, x509::key_encipherment, x509::key_encipherment},
    {"CertSign", ec, -1, x509::digital_signature | x509::key_cert_sign, -1},
    {"CrlSign", ec, -1, x509::crl_sign, -1},
    {"CrlSignOfRsa", rsa, -1, x509::digital_signature | x509::crl_sign, -1},
    {"MoreThanGiven", ec, x509::digital_signature, x509::non_repudiation, -1},
    {"LessThanGiven", rsa, x509::digital_signature | x509::key_encipherment, x509::key_encipherment,
     x509::key_encipherment},
};
INSTANTIATE_TEST_SUITE_P(Are, UsageWishes, ::testing::ValuesIn(usage_wishes),
                         [](const auto& test) { return test.param.name; });

// The bits that a profile gives of its own accord, by type of key and purpose (RFC 5280 4.2.1.12).
struct OwnUsage {
  const char* name;
  KeySpec key;
  std::vector<const char*> purposes;
  int outcome;
};
std::ostream& operator<<(std::ostream& out, const OwnUsage& of) { return out << of.name; }
class OwnUsages : public Profiles, public ::testing::WithParamInterface<OwnUsage> {};

TEST_P(OwnUsages, FitKeyAndPurpose) {
  Plan plan;
  plan.profile.extended_usages.clear();
  for (const char* usage : GetParam().purposes) plan.profile.extended_usages.push_back(extended_usage(usage));
  EXPECT_EQ(key_usage(issue_with(plan, {}, GetParam().key)), GetParam().outcome);
}

constexpr int both = x509::digital_signature | x509::key_encipherment;
const OwnUsage own_usages[] = {
    {"RsaServer", rsa, {"server-auth"}, both},
    {"RsaClient", rsa, {"client-auth"}, both},
    {"RsaMail", rsa, {"email-protection"}, both},
    {"RsaAnything", rsa, {}, both},
    {"RsaTimeStamping", rsa, {"time-stamping"}, x509::digital_signature},
    {"RsaCodeSigning", rsa, {"code-signing"}, x509::digital_signature},
    {"RsaResponder", rsa, {"ocsp-signing"}, x509::digital_signature},
    {"RsaCodeSigningAndMail", rsa, {"code-signing", "email-protection"}, both},
    {"EcServer", ec, {"server-auth"}, x509::digital_signature},
    {"EcTimeStamping", ec, {"time-stamping"}, x509::digital_signature},
};
INSTANTIATE_TEST_SUITE_P(Of, OwnUsages, ::testing::ValuesIn(own_usages),
                         [](const auto& test) { return test.param.name; });

TEST_F(Profiles, LeaveOutUsagesThatTheKeyCannotHave) {
  Plan plan;
  plan.profile.key_usage = static_cast<std::uint16_t>(both);
  EXPECT_EQ(key_usage(issue_with(plan)), x509::digital_signature);
}

// Extensions that a configuration may let requests bring, by RFC 5280 4.2 and the registries of others.
TEST(Extensions, OfAuthoritiesNeverComeFromRequests) {
  for (const char* dotted : {"2.5.29.15", "2.5.29.37", "1.3.6.1.5.5.7.1.24", "1.2.3.4",
                             "1.3.6.1.4.1.311.20.2", "1.3.6.1.4.1.99999.1"})
    EXPECT_TRUE(x509::may_be_requested(*der::oid_from_text(dotted))) << dotted;
  for (const char* dotted : {"2.5.29.9",
                             "2.5.29.14",
                             "2.5.29.16",
                             "2.5.29.17",
                             "2.5.29.18",
                             "2.5.29.19",
                             "2.5.29.20",
                             "2.5.29.28",
                             "2.5.29.30",
                             "2.5.29.31",
                             "2.5.29.32",
                             "2.5.29.33",
                             "2.5.29.35",
                             "2.5.29.36",
                             "2.5.29.46",
                             "2.5.29.54",
                             "1.3.6.1.5.5.7.1.1",
                             "1.3.6.1.5.5.7.1.3",
                             "1.3.6.1.5.5.7.1.7",
                             "1.3.6.1.5.5.7.1.11",
                             "1.3.6.1.5.5.7.1.14",
                             "1.3.6.1.5.5.7.1.26",
                             "1.3.6.1.5.5.7.1.28",
                             "1.3.6.1.5.5.7.1.31",
                             "1.3.6.1.5.5.7.48.1.5",
                             "1.3.6.1.4.1.11129.2.4.2",
                             "1.3.6.1.4.1.11129.2.4.3",
                             "2.16.840.1.113730.1.1",
                             "1.3.6.1.4.1.311.21.10",
                             "1.3.6.1.4.1.311.25.2"})
    EXPECT_FALSE(x509::may_be_requested(*der::oid_from_text(dotted))) << dotted;
}

TEST_F(Profiles, ThatHonourPurposesFallBackOnTheirOwn) {
  Plan plan;
  plan.profile.honour = {to_bytes(oid::extended_key_usage)};
  EXPECT_EQ(usages(issue_with(plan)), "server-auth");
}

TEST_F(Profiles, MarkTimeStampingCritical) {
  Plan plan;
  plan.profile.extended_usages = {extended_usage("time-stamping")};
  EXPECT_EQ(usages(issue_with(plan)), "critical time-stamping");
}

TEST_F(Profiles, GiveEachKeyTypeWhatItCanDo) {
  EXPECT_EQ(key_usage(issue_with({})), x509::digital_signature);
}
TEST_F(Profiles, GiveRsaKeysEnciphermentToo) {
  EXPECT_EQ(key_usage(issue_with({}, {}, {KeyType::rsa, 2048})),
            x509::digital_signature | x509::key_encipherment);
}

TEST_F(Profiles, ThatHonourKeyUsageTakeItOnce) {
  Plan plan;
  plan.profile.honour = {to_bytes(oid::key_usage)};
  const auto view = issue_with(plan, {{to_bytes(oid::key_usage), true,
                                       x509::key_usage(x509::digital_signature | x509::non_repudiation)}});
  EXPECT_EQ(key_usage(view), x509::digital_signature | x509::non_repudiation);
  EXPECT_EQ(times(view, oid::key_usage), 1u);
}

TEST_F(Profiles, ThatHonourKeyUsageFallBackOnTheirOwn) {
  Plan plan;
  plan.profile.honour = {to_bytes(oid::key_usage)};
  EXPECT_EQ(key_usage(issue_with(plan)), x509::digital_signature);
}

TEST_F(Profiles, GiveMustStapleOnceThoughTheRequestBringsIt) {
  Plan plan;
  plan.profile.must_staple = true;
  plan.profile.honour = {to_bytes(oid::tls_feature)};
  EXPECT_EQ(times(issue_with(plan, {staple_extension()}), oid::tls_feature), 1u);
}
TEST_F(Profiles, ThatHonourMustStapleTakeItFromTheRequest) {
  Plan plan;
  plan.profile.honour = {to_bytes(oid::tls_feature)};
  EXPECT_EQ(times(issue_with(plan, {staple_extension()}), oid::tls_feature), 1u);
}
TEST_F(Profiles, LeaveOutWhatTheyDoNotHonour) {
  const auto view =
      issue_with({}, {staple_extension(), {*der::oid_from_text("1.2.3.4"), true, Bytes{0x05, 0}}});
  EXPECT_EQ(times(view, oid::tls_feature), 0u);
  EXPECT_EQ(times(view, *der::oid_from_text("1.2.3.4")), 0u);
}

TEST_F(Profiles, WriteTheAddressesOfTheAuthority) {
  Plan plan;
  plan.status.urls[0] = {.ocsp = {"http://pki.example.test/ocsp"},
                         .issuer = {"http://pki.example.test/a.cer"},
                         .crl = {"http://pki.example.test/a.crl"},
                         .delta_crl = {}};
  const auto view = issue_with(plan);
  const auto access = *x509::parse_info_access(view.find(oid::authority_info_access)->value);
  ASSERT_EQ(access.size(), 2u);
  EXPECT_EQ(as_text(access[0].location), "http://pki.example.test/ocsp");
  EXPECT_EQ(as_text(access[1].location), "http://pki.example.test/a.cer");
  EXPECT_NE(view.find(oid::crl_distribution_points), nullptr);
}

class SplitProfiles : public Profiles, public ::testing::WithParamInterface<bool> {};

TEST_P(SplitProfiles, SendTheirCertificatesToTheListThatWouldHaveThem) {
  Plan plan;
  plan.profile.ca = GetParam();
  plan.status.urls[1].crl = {"http://pki.example.test/a-1.crl"};
  plan.status.urls[authority_shard].crl = {"http://pki.example.test/a-ca.crl"};
  plan.status.shards = 1;
  plan.status.split = true;
  const auto view = issue_with(plan);
  const std::string points(as_text(view.find(oid::crl_distribution_points)->value));
  EXPECT_NE(points.find(GetParam() ? "http://pki.example.test/a-ca.crl" : "http://pki.example.test/a-1.crl"),
            std::string::npos);
  EXPECT_EQ(storage_.memory.certificate(1, view.serial)->shard, GetParam() ? authority_shard : 1u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SplitProfiles, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "OfAuthorities" : "OfUsers"; });

TEST_F(Profiles, NameWhoSignsTheListWhenItIsAnother) {
  Plan plan;
  plan.status.urls[0].crl = {"http://pki.example.test/crls.crl"};
  plan.status.urls[0].delta_crl = {"http://pki.example.test/crls-delta.crl"};
  plan.status.crl_issuer = x509::encode_name({{std::string(x509::common_name_oid), "CRL Signer"}});
  const auto view = issue_with(plan);
  for (const der::Oid& oid : {oid::crl_distribution_points, oid::freshest_crl}) {
    const unsigned char* data = view.find(oid)->value.data();
    CRL_DIST_POINTS* points =
        d2i_CRL_DIST_POINTS(nullptr, &data, static_cast<long>(view.find(oid)->value.size()));
    ASSERT_TRUE(points);
    const DIST_POINT* point = sk_DIST_POINT_value(points, 0);
    ASSERT_TRUE(point->CRLissuer);
    char text[100] = {};
    X509_NAME_get_text_by_NID(sk_GENERAL_NAME_value(point->CRLissuer, 0)->d.directoryName, NID_commonName,
                              text, sizeof text);
    EXPECT_STREQ(text, "CRL Signer");
    CRL_DIST_POINTS_free(points);
  }
}

TEST_F(Profiles, OverrideOrLeaveOutAddresses) {
  Plan plan;
  plan.status.urls[0] = {.ocsp = {"http://pki.example.test/ocsp"},
                         .issuer = {"http://pki.example.test/a.cer"},
                         .crl = {"http://pki.example.test/a.crl"},
                         .delta_crl = {}};
  plan.profile.ocsp_url = "http://elsewhere.example.test/";
  plan.profile.crl_url = "none";
  plan.profile.issuer_url = "none";
  const auto view = issue_with(plan);
  const auto access = *x509::parse_info_access(view.find(oid::authority_info_access)->value);
  ASSERT_EQ(access.size(), 1u);
  EXPECT_EQ(as_text(access[0].location), "http://elsewhere.example.test/");
  EXPECT_EQ(view.find(oid::crl_distribution_points), nullptr);
}

TEST_F(Profiles, WithoutSubjectMarkTheNamesCritical) {
  Plan plan;
  plan.profile.subject = config::ProfileConfig::Subject::none;
  const auto view = issue_with(plan);
  EXPECT_TRUE(x509::parse_name(view.subject)->empty());
  EXPECT_TRUE(view.find(oid::subject_alt_name)->critical);
}

TEST_F(Profiles, NeverOutliveTheirAuthority) {
  Plan plan;
  plan.authority_lifetime = std::chrono::days{10};
  const auto view = issue_with(plan);
  EXPECT_EQ(view.not_after, authority_->not_after());
}

TEST_F(Profiles, BeginNoEarlierThanTheirAuthority) {
  Plan plan;
  plan.authority_age = std::chrono::minutes{2};
  const auto view = issue_with(plan);
  EXPECT_EQ(view.not_before, authority_->not_before());
  EXPECT_EQ(view.not_after - view.not_before, std::chrono::days{90} - std::chrono::seconds{1});
}

// RFC 8555 7.1.3 has clients wish; a profile says whether they may.
TEST_F(Profiles, TakeWishesOfClientsWhereTheySaySo) {
  Plan plan;
  plan.profile.validity_by_request = true;
  open(plan);
  csr_ = request_for(*new_key(), {{Kind::dns, "host.example.test"}});
  IssueRequest wish = request(csr_);
  wish.not_before = clock_.now() + std::chrono::hours{1};
  wish.not_after = clock_.now() + std::chrono::hours{5};
  const auto issued = issue(wish);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  EXPECT_EQ(issued->not_before, *wish.not_before);
  EXPECT_EQ(issued->not_after, *wish.not_after);
}

// RFC 8739 3.1.1: certificates that renew themselves begin earlier by a time that the order says.
TEST_F(Profiles, CutThePeriodOfAProtocolToTheirAuthority) {
  open();
  csr_ = request_for(*new_key(), {{Kind::dns, "host.example.test"}});
  IssueRequest renewal = request(csr_);
  renewal.own_period = true;
  renewal.not_before = clock_.now() - std::chrono::days{1};
  renewal.not_after = clock_.now() + std::chrono::days{1};
  const auto issued = issue(renewal);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  EXPECT_EQ(issued->not_before, authority_->not_before());
  EXPECT_EQ(issued->not_after, *renewal.not_after);
}

TEST_F(Profiles, LastAsLongAsTheySayCountingBothEnds) {
  const auto view = issue_with({});
  EXPECT_EQ(view.not_before, clock_.now() - std::chrono::minutes{5});
  EXPECT_EQ(view.not_after - view.not_before, std::chrono::days{90} - std::chrono::seconds{1});
}

TEST_F(Profiles, OfAuthoritiesMakeAuthorities) {
  Plan plan;
  plan.profile.ca = true;
  plan.profile.path_length = 0;
  plan.profile.extended_usages.clear();
  const auto view = issue_with(plan);
  const auto constraints = *x509::parse_basic_constraints(view.find(oid::basic_constraints)->value);
  EXPECT_TRUE(constraints.ca);
  EXPECT_EQ(constraints.path_length, 0u);
  EXPECT_EQ(key_usage(view), x509::key_cert_sign | x509::crl_sign);
  EXPECT_EQ(usages(view), "any");
}

TEST_F(Profiles, AreTriedBeforeAnybodyNeedsThem) {
  open();
  EXPECT_TRUE(pipeline_.self_test().has_value());
  EXPECT_TRUE(ledger().empty());
  validator_.judgement = [](const Draft& draft) -> Status {
    return draft.key.type == KeyType::rsa ? Status(rejected("no rsa here")) : Status{};
  };
  const Status tested = pipeline_.self_test();
  ASSERT_FALSE(tested.has_value());
  EXPECT_EQ(tested.error().detail, "profile.web with a key of type rsa-2048: no rsa here");
}

TEST_F(Profiles, AreTriedWithDraftsThatSaySo) {
  open();
  std::vector<bool> seen;
  validator_.judgement = [&](const Draft& draft) -> Status {
    seen.push_back(draft.rehearsal);
    return {};
  };
  EXPECT_TRUE(pipeline_.self_test().has_value());
  EXPECT_FALSE(seen.empty());
  EXPECT_TRUE(std::ranges::all_of(seen, [](bool rehearsal) { return rehearsal; }));
}

// A requester may be called whatever it likes.
TEST_F(Profiles, AreNotTriedByAnybodyWhoIsCalledLikeASelfTest) {
  open();
  for (const char* name : {"self-test", "rehearsal", "SELF-TEST", "host"}) {
    bool called = false, rehearsal = true;
    validator_.judgement = [&](const Draft& draft) -> Status {
      called = true;
      EXPECT_EQ(draft.requester, name);
      rehearsal = draft.rehearsal;
      return {};
    };
    csr_ = request_for(*new_key(), {{Kind::dns, "host.example.test"}});
    IssueRequest wish = request(csr_);
    wish.requester = name;
    ASSERT_TRUE(issue(wish)) << name;
    EXPECT_TRUE(called) << name;
    EXPECT_FALSE(rehearsal) << name;
  }
}

TEST(Authorities, TakeOnlyTheKeyOfTheirCertificate) {
  const Plan plan;
  const fakes::ManualClock clock;
  const auto key = new_key(), other = new_key();
  const auto assembled = issuance::Authority::assemble(plan.authority, self_signed(plan, *key, clock.now()),
                                                       other, std::make_shared<ListedSerials>(), {});
  ASSERT_FALSE(assembled.has_value());
  EXPECT_NE(assembled.error().detail.find("the key soft:issuing does not match"), std::string::npos)
      << assembled.error().detail;
}

TEST(Authorities, CannotBeRenamed) {
  Plan plan;
  const fakes::ManualClock clock;
  const auto key = new_key();
  const AuthorityRow row = self_signed(plan, *key, clock.now());
  plan.authority.subject.front().value = "Another Name";
  const auto assembled =
      issuance::Authority::assemble(plan.authority, row, key, std::make_shared<ListedSerials>(), {});
  ASSERT_FALSE(assembled.has_value());
  EXPECT_NE(assembled.error().detail.find("cannot be renamed"), std::string::npos);
}

}  // namespace
}  // namespace hanaper::test
