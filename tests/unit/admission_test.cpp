// Requests that are refused, each with its reason and without a trace; and some that are not.
#include "admission_support.hpp"

namespace hanaper::test {
namespace {

struct Case {
  const char* name;
  Code code;
  const char* says;
  void (*spoil)(Scene&);
};

std::ostream& operator<<(std::ostream& out, const Case& of) { return out << of.name; }

class Refuses : public Admission, public ::testing::WithParamInterface<Case> {};

TEST_P(Refuses, ThisRequestAndLeavesNoTrace) {
  Scene scene;
  GetParam().spoil(scene);
  const auto issued = ask(scene);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(to_string(issued.error().code), to_string(GetParam().code)) << issued.error().detail;
  EXPECT_NE(issued.error().detail.find(GetParam().says), std::string::npos) << issued.error().detail;
  EXPECT_EQ(issued.error().detail.find('\n'), std::string::npos);
  EXPECT_EQ(key_->asked, 0);
  EXPECT_TRUE(ledger().empty());
  EXPECT_TRUE(audit().empty());
  EXPECT_EQ(log_.lines().size(), 1u);
}

const Case of_form[] = {
    {"AnEmptyRequest", Code::bad_csr, "", [](Scene& s) { s.csr = Bytes{}; }},
    {"AText", Code::bad_csr, "", [](Scene& s) { s.csr = to_bytes(as_bytes("-----BEGIN")); }},
    {"OneThatIsCutOff", Code::bad_csr, "",
     [](Scene& s) {
       s.csr = s.crafted.build();
       s.csr->pop_back();
     }},
    {"OneWithOctetsBehindIt", Code::bad_csr, "",
     [](Scene& s) {
       s.csr = s.crafted.build();
       s.csr->push_back(0);
     }},
    {"OneOfMoreThan64KiB", Code::bad_csr, "64 KiB", [](Scene& s) { s.csr = Bytes(70'000, 0x30); }},
    {"ACertificateInstead", Code::bad_csr, "",
     [](Scene& s) { s.csr = self_signed(s.plan, *s.key, Time{} + std::chrono::hours{1}).certificate; }},
    {"ASpoiltSignature", Code::bad_csr, "does not verify",
     [](Scene& s) {
       s.csr = s.crafted.build();
       s.csr->back() ^= 1;
     }},
    {"ASignatureOfAnotherKey", Code::bad_csr, "does not verify",
     [](Scene& s) { s.crafted.spki = to_bytes(new_key()->spki()); }},
    {"ASignatureAlgorithmOfAnotherKeyType", Code::bad_key, "does not fit",
     [](Scene& s) {
       s.crafted.algorithm = to_bytes(x509::algorithm_identifier(SignatureScheme::rsa_pkcs1_sha256));
     }},
    {"ASignatureAlgorithmNobodyKnows", Code::bad_csr, "",
     [](Scene& s) {
       der::Writer writer;
       writer.sequence([&] { writer.raw(oid_element("1.2.3.4")); });
       s.crafted.algorithm = writer.bytes();
     }},
    {"SignaturesWithSha1", Code::bad_csr, "",
     [](Scene& s) {
       der::Writer writer;
       writer.sequence([&] { writer.raw(oid_element("1.2.840.10045.4.1")); });
       s.crafted.algorithm = writer.bytes();
     }},
    {"AnExtensionGivenTwice", Code::bad_csr, "",
     [](Scene& s) {
       const Bytes names = alternative_name(0x82, "host.example.test");
       s.extensions({{to_bytes(oid::subject_alt_name), false, names},
                     {to_bytes(oid::subject_alt_name), false, names}});
     }},
    {"ExtensionsGivenTwice", Code::bad_csr, "extensionRequest twice",
     [](Scene& s) { s.crafted.attributes.push_back(s.crafted.attributes.front()); }},
    {"AnAttributeThatIsNone", Code::bad_csr, "",
     [](Scene& s) {
       s.crafted.attributes = {Bytes{0x30, 0}};
     }},
};

const Case of_keys[] = {
    {"AKeyTypeTheProfileDoesNotTake", Code::bad_key, "does not take keys of type ec-p521",
     [](Scene& s) {
       s.signed_by({KeyType::ec_p521, 0});
     }},
    {"AnotherOne", Code::bad_key, "does not take keys of type ed25519",
     [](Scene& s) {
       s.signed_by({KeyType::ed25519, 0});
     }},
    {"AnRsaKeyOfAnotherSize", Code::bad_key, "rsa-3072",
     [](Scene& s) {
       s.signed_by({KeyType::rsa, 3072});
     }},
    {"AShortRsaKey", Code::bad_key, "rsa-1024",
     [](Scene& s) {
       Bytes modulus = some_modulus();
       modulus.resize(128);
       s.crafted.spki = x509::rsa_spki(modulus, Bytes{1, 0, 1});
     }},
    {"AnEvenRsaModulus", Code::bad_key, "modulus is even",
     [](Scene& s) {
       Bytes modulus = some_modulus();
       modulus.back() &= 0xfe;
       s.crafted.spki = x509::rsa_spki(modulus, Bytes{1, 0, 1});
     }},
    {"AnEvenRsaExponent", Code::bad_key, "exponent is even",
     [](Scene& s) {
       s.crafted.spki = x509::rsa_spki(some_modulus(), Bytes{1, 0, 2});
     }},
    {"ALowRsaExponent", Code::bad_key, "exponent is below",
     [](Scene& s) { s.crafted.spki = x509::rsa_spki(some_modulus(), Bytes{3}); }},
    {"ALongRsaExponent", Code::bad_key, "exponent is longer",
     [](Scene& s) {
       s.crafted.spki = x509::rsa_spki(some_modulus(), Bytes{1, 0, 0, 0, 0, 0, 0, 0, 1});
     }},
    {"AnRsaKeyWithTheRocaFlaw", Code::bad_key, "ROCA",
     [](Scene& s) {
       s.crafted.spki = x509::rsa_spki(roca_modulus(), Bytes{1, 0, 1});
     }},
    {"AnRsaModulusThatThreeDivides", Code::bad_key, "small factor",
     [](Scene& s) {
       // 4 is 1 modulo 3: the sum of the octets' own remainders decides, because 256 is 1 as well.
       Bytes modulus = some_modulus();
       unsigned sum = 0;
       for (std::uint8_t octet : modulus) sum += octet;
       modulus[100] = static_cast<std::uint8_t>(modulus[100] >= 3 ? modulus[100] - sum % 3
                                                                  : modulus[100] + (3 - sum % 3) % 3);
       s.crafted.spki = x509::rsa_spki(modulus, Bytes{1, 0, 1});
     }},
    {"APointOffItsCurve", Code::bad_key, "not a point of its curve",
     [](Scene& s) {
       Bytes point = to_bytes(x509::parse_public_key(s.key->spki())->point);
       point.back() ^= 1;
       s.crafted.spki = x509::ec_spki(KeyType::ec_p256, point);
     }},
    {"ACompressedPoint", Code::bad_key, "",
     [](Scene& s) {
       Bytes point = to_bytes(x509::parse_public_key(s.key->spki())->point);
       point.resize(33);
       point[0] = 0x02;
       s.crafted.spki = x509::ec_spki(KeyType::ec_p256, point);
     }},
    {"ThePointAtInfinity", Code::bad_key, "",
     [](Scene& s) { s.crafted.spki = x509::ec_spki(KeyType::ec_p256, Bytes{0}); }},
    {"ACurveNobodyUses", Code::bad_key, "",
     [](Scene& s) {
       Bytes point(65, 1);
       point[0] = 0x04;
       s.crafted.spki = key_info(oid::ec_public_key, oid_element("1.3.132.0.10"), point);
     }},
    {"ACurveGivenByItsParameters", Code::bad_key, "",
     [](Scene& s) {
       s.crafted.spki = key_info(oid::ec_public_key, Bytes{0x30, 0}, Bytes(65, 4));
     }},
    {"ADsaKey", Code::bad_key, "not supported",
     [](Scene& s) {
       s.crafted.spki = key_info(*der::oid_from_text("1.2.840.10040.4.1"), {}, Bytes{2, 1, 5});
     }},
    {"AKeyTheOperatorHasBlocked", Code::bad_key, "blocked",
     [](Scene& s) { s.blocked = {crypto::sha256(s.key->spki())}; }},
};

const Case of_names[] = {
    {"AnAlternativeNameThatIsNoList", Code::bad_csr, "subjectAltName",
     [](Scene& s) {
       s.alternative(Bytes{0x04, 0});
     }},
    {"AnEmptyListOfAlternativeNames", Code::bad_csr, "",
     [](Scene& s) {
       s.alternative(Bytes{0x30, 0});
     }},
    {"AnOtherName", Code::bad_csr, "other than dns",
     [](Scene& s) {
       s.alternative(Bytes{0x30, 9, 0xa0, 7, 0x06, 1, 0x2a, 0xa0, 2, 0x05, 0});
     }},
    {"ANameWithAnUnderscore", Code::bad_csr, "a_b.example.test",
     [](Scene& s) { s.alternative(alternative_name(0x82, "a_b.example.test")); }},
    {"ANameWithANul", Code::bad_csr, "subjectAltName",
     [](Scene& s) { s.alternative(alternative_name(0x82, std::string_view("a.test\0.example.test", 20))); }},
    {"ANameWithALineEnd", Code::bad_csr, "subjectAltName",
     [](Scene& s) { s.alternative(alternative_name(0x82, "a.test\nb.test")); }},
    {"AnEmptyName", Code::bad_csr, "subjectAltName",
     [](Scene& s) { s.alternative(alternative_name(0x82, "")); }},
    {"ALabelOf64", Code::bad_csr, "subjectAltName",
     [](Scene& s) { s.alternative(alternative_name(0x82, std::string(64, 'a') + ".test")); }},
    {"AWildcardInTheMiddle", Code::bad_csr, "subjectAltName",
     [](Scene& s) { s.alternative(alternative_name(0x82, "a.*.example.test")); }},
    {"AnAddressOfFiveOctets", Code::bad_csr, "",
     [](Scene& s) { s.alternative(alternative_name(0x87, "12345")); }},
    {"ANameOfAKindTheProfileDoesNotAllow", Code::rejected, "no names of kind email",
     [](Scene& s) {
       s.names({{Kind::email, "a@example.test"}});
     }},
    {"MoreNamesThanTheProfileAllows", Code::rejected, "6 names; profile web allows 5",
     [](Scene& s) {
       std::vector<Identifier> names;
       for (char c = 'a'; c < 'g'; ++c) names.push_back({Kind::dns, std::string(1, c) + ".example.test"});
       s.names(names);
     }},
    {"NoNameAtAll", Code::bad_csr, "names nothing", [](Scene& s) { s.crafted.attributes.clear(); }},
    {"ANameTheOrderDoesNotHave", Code::bad_csr, "instead of other.example.test",
     [](Scene& s) {
       s.request.names = {{Kind::dns, "other.example.test"}};
     }},
    {"OneNameMoreThanTheOrder", Code::bad_csr, "instead of host.example.test",
     [](Scene& s) {
       s.names({{Kind::dns, "host.example.test"}, {Kind::dns, "more.example.test"}});
       s.request.names = {{Kind::dns, "host.example.test"}};
     }},
    {"OneNameFewerThanTheOrder", Code::bad_csr, "instead of",
     [](Scene& s) {
       s.request.names = {{Kind::dns, "host.example.test"}, {Kind::dns, "more.example.test"}};
     }},
    {"ACommonNameTheOrderDoesNotHave", Code::bad_csr, "cn.example.test",
     [](Scene& s) {
       s.subject(oid::common_name, der::utf8_string, "cn.example.test");
       s.request.names = {{Kind::dns, "host.example.test"}};
     }},
    {"ANameTheAuthorityMayNotIssueFor", Code::rejected, "name constraints of authority issuing",
     [](Scene& s) {
       x509::NameConstraints constraints;
       constraints.permitted = {*x509::parse_subtree("elsewhere.test")};
       s.plan.of_the_authority = {
           {to_bytes(oid::name_constraints), true, x509::name_constraints(constraints)}};
     }},
    {"ASubjectThatIsNone", Code::bad_csr, "",
     [](Scene& s) {
       s.crafted.subject = Bytes{0x30, 2, 0x05, 0};
     }},
    {"ASubjectWithControlCharacters", Code::bad_csr, "subject",
     [](Scene& s) { s.subject(oid::organization, der::utf8_string, "a\x01z"); }},
    {"ASubjectThatIsNotUtf8", Code::bad_csr, "subject",
     [](Scene& s) { s.subject(oid::organization, der::utf8_string, "\xc3\x28"); }},
    {"ACountryOfThreeLetters", Code::bad_csr, "subject",
     [](Scene& s) { s.subject(oid::country, der::printable_string, "GBR"); }},
    {"ACommonNameOf65", Code::bad_csr, "subject",
     [](Scene& s) { s.subject(oid::common_name, der::utf8_string, std::string(65, 'a')); }},
};

const Case of_wishes[] = {
    {"AProfileThatIsNotThere", Code::unsupported, "no profile \"mail\"",
     [](Scene& s) { s.request.profile = "mail"; }},
    {"AnAuthoritysCertificate", Code::bad_csr, "authority's certificate",
     [](Scene& s) { s.and_extension(oid::basic_constraints, x509::basic_constraints(true, std::nullopt)); }},
    {"BasicConstraintsThatAreNone", Code::bad_csr, "basicConstraints",
     [](Scene& s) {
       s.and_extension(oid::basic_constraints, Bytes{0x04, 0});
     }},
    {"AStartWhereTheProfileTakesNone", Code::rejected, "not taken",
     [](Scene& s) { s.request.not_before = fakes::ManualClock().now(); }},
    {"AnEndWhereTheProfileTakesNone", Code::rejected, "not taken",
     [](Scene& s) { s.request.not_after = fakes::ManualClock().now() + std::chrono::days{1}; }},
    {"AStartMoreThanAnHourAgo", Code::rejected, "more than an hour ago",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.request.not_before = fakes::ManualClock().now() - std::chrono::minutes{61};
     }},
    {"AStartBeforeTheAuthoritysOwn", Code::rejected, "before the authority's own",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.plan.authority_age = std::chrono::minutes{10};
       s.request.not_before = fakes::ManualClock().now() - std::chrono::minutes{11};
     }},
    {"AStartThatThePolicyHasPutBeforeTheAuthoritysOwn", Code::rejected, "before the authority's own",
     [](Scene& s) {
       s.policy = [](Draft& draft) -> Status {
         draft.not_before -= std::chrono::days{1};
         return {};
       };
     }},
    {"AnEndThatThePolicyHasPutBeyondTheAuthoritysOwn", Code::rejected, "beyond the authority's own",
     [](Scene& s) {
       s.policy = [](Draft& draft) -> Status {
         draft.not_after += std::chrono::days{5000};
         return {};
       };
     }},
    {"ASubjectThatThePolicyHasGivenAnotherHost", Code::rejected, "not among the names",
     [](Scene& s) {
       s.policy = [](Draft& draft) -> Status {
         draft.subject.push_back({std::string(x509::common_name_oid), "admin.other.test"});
         return {};
       };
     }},
    {"AStartFarInTheFuture", Code::rejected, "notBefore",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.request.not_before = fakes::ManualClock().now() + std::chrono::days{91};
     }},
    {"AStartFarInThePast", Code::rejected, "notBefore",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.request.not_before = fakes::ManualClock().now() - std::chrono::days{91};
     }},
    {"AnEndBeyondTheLifetime", Code::rejected, "beyond the lifetime of profile web",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.request.not_after = fakes::ManualClock().now() + std::chrono::days{90};
     }},
    {"AnEndInThePast", Code::rejected, "expired",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.request.not_after = fakes::ManualClock().now() - std::chrono::seconds{1};
     }},
    {"AnEndBeforeTheStart", Code::rejected, "expired",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.request.not_before = fakes::ManualClock().now() + std::chrono::days{2};
       s.request.not_after = fakes::ManualClock().now() + std::chrono::days{1};
     }},
    {"AnEndBeyondTheAuthoritysOwn", Code::rejected, "beyond the authority's own",
     [](Scene& s) {
       s.plan.profile.validity_by_request = true;
       s.plan.authority_lifetime = std::chrono::days{10};
       s.request.not_after = fakes::ManualClock().now() + std::chrono::days{11};
     }},
    {"WhatThePolicyRefuses", Code::forbidden, "not for you",
     [](Scene& s) { s.policy = [](Draft&) -> Status { return forbidden("not for you"); }; }},
    {"WhatThePolicyLeavesWithoutNames", Code::bad_csr, "names nothing",
     [](Scene& s) {
       s.policy = [](Draft& draft) -> Status {
         draft.names.clear();
         draft.subject.clear();
         return {};
       };
     }},
    {"NamesThePolicyHasAddedAgainstTheProfile", Code::rejected, "no names of kind uri",
     [](Scene& s) {
       s.policy = [](Draft& draft) -> Status {
         draft.names.push_back({Kind::uri, "https://example.test/"});
         return {};
       };
     }},
    {"WhatAValidatorRefuses", Code::rejected, "not pretty",
     [](Scene& s) { s.validator = [](const Draft&) -> Status { return rejected("not pretty"); }; }},
};

const auto case_name = [](const ::testing::TestParamInfo<Case>& test) { return test.param.name; };
INSTANTIATE_TEST_SUITE_P(ForItsForm, Refuses, ::testing::ValuesIn(of_form), case_name);
INSTANTIATE_TEST_SUITE_P(ForItsKey, Refuses, ::testing::ValuesIn(of_keys), case_name);
INSTANTIATE_TEST_SUITE_P(ForItsNames, Refuses, ::testing::ValuesIn(of_names), case_name);
INSTANTIATE_TEST_SUITE_P(ForItsWishes, Refuses, ::testing::ValuesIn(of_wishes), case_name);

TEST_F(Admission, TakesTheRequestThatTheOthersWereSpoiltFrom) {
  Scene scene;
  const auto issued = ask(scene);
  EXPECT_TRUE(issued.has_value()) << issued.error().detail;
}

TEST_F(Admission, TakesTheOrdersNamesInAnyOrder) {
  Scene scene;
  scene.names({{Kind::ip, "192.0.2.1"}, {Kind::dns, "host.example.test"}});
  scene.request.names = {{Kind::dns, "host.example.test"}, {Kind::ip, "192.0.2.1"}};
  EXPECT_TRUE(ask(scene).has_value());
}

TEST_F(Admission, TakesACommonNameForAName) {
  Scene scene;
  scene.crafted.attributes.clear();
  scene.subject(oid::common_name, der::utf8_string, "CN.Example.Test");
  const auto issued = ask(scene);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  EXPECT_EQ(x509::parse_general_names(view.find(oid::subject_alt_name)->value)->names.front().value,
            "cn.example.test");
}

// certbot, which reads every common name as a domain, cannot list its certificates after one of "192.0.2.1".
struct Unnamed {
  const char* name;
  std::vector<Identifier> names;
  const char* subject;
};
std::ostream& operator<<(std::ostream& out, const Unnamed& of) { return out << of.name; }

class UnnamedSubject : public Admission, public ::testing::WithParamInterface<Unnamed> {};

TEST_P(UnnamedSubject, HasNoAddressForACommonName) {
  const Unnamed& row = GetParam();
  Scene scene;
  scene.plan.profile.names = {Kind::dns, Kind::ip, Kind::email};
  scene.names(row.names);
  const auto issued = ask(scene);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  EXPECT_EQ(x509::name_text(*x509::parse_name(view.subject)), row.subject);
  EXPECT_EQ(view.find(oid::subject_alt_name)->critical, *row.subject == '\0') << "RFC 5280 4.2.1.6";
}

const Unnamed unnamed[] = {{"AnAddress", {{Kind::ip, "192.0.2.1"}}, ""},
                           {"AnAddressOfVersion6", {{Kind::ip, "2001:db8::1"}}, ""},
                           {"AnAddressAndAHost",
                            {{Kind::ip, "192.0.2.1"}, {Kind::dns, "host.example.test"}},
                            "CN=host.example.test"},
                           {"AMailboxAndAHost",
                            {{Kind::email, "joe@example.test"}, {Kind::dns, "host.example.test"}},
                            "CN=host.example.test"},
                           {"AnAddressAndAMailbox",
                            {{Kind::ip, "192.0.2.1"}, {Kind::email, "joe@example.test"}},
                            "CN=joe@example.test"}};
INSTANTIATE_TEST_SUITE_P(Of, UnnamedSubject, ::testing::ValuesIn(unnamed),
                         [](const auto& test) { return test.param.name; });

TEST_F(Admission, BelievesNothingOfTheSubjectButItsCommonName) {
  Scene scene;
  scene.subject(oid::organization, der::utf8_string, "Somebody Important");
  const auto issued = ask(scene);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  EXPECT_EQ(x509::name_text(*x509::parse_name(view.subject)), "CN=host.example.test");
}

TEST_F(Admission, TakesFromPoliciesOnlyWhatIsAmendable) {
  open();
  policy_.decision = [](Draft& draft) -> Status {
    draft.pipeline = draft.profile = draft.authority = draft.requester = draft.account_uri = "another";
    draft.rehearsal = true;
    draft.names = {{Kind::dns, "amended.example.test"}};
    return {};
  };
  bool seen = false;
  validator_.judgement = [&](const Draft& draft) -> Status {
    seen = true;
    EXPECT_EQ(draft.pipeline, "web");
    EXPECT_EQ(draft.profile, "web");
    EXPECT_EQ(draft.authority, "issuing");
    EXPECT_EQ(draft.requester, "test:somebody");
    EXPECT_EQ(draft.account_uri, "");
    EXPECT_FALSE(draft.rehearsal);
    EXPECT_EQ(draft.names, (std::vector<Identifier>{{Kind::dns, "amended.example.test"}}));
    return {};
  };
  ASSERT_TRUE(issue(request_for(*new_key(), {{Kind::dns, "host.example.test"}})));
  EXPECT_TRUE(seen);
  EXPECT_EQ(ledger().front().requester, "test:somebody");
}

TEST_F(Admission, SaysBeforehandWhatWouldBeRefused) {
  open();
  policy_.decision = [](Draft& draft) -> Status {
    if (draft.names.front().value == "bad.example.test") return rejected("not that one");
    return {};
  };
  Call call{"call-1", soon()};
  const auto permits = [&](std::string_view profile, std::vector<Identifier> names) {
    return pipeline_.permits(profile, names, "test:somebody", call);
  };
  EXPECT_TRUE(permits("", {{Kind::dns, "host.example.test"}}).has_value());
  EXPECT_EQ(permits("", {{Kind::dns, "bad.example.test"}}).error().code, Code::rejected);
  EXPECT_EQ(permits("", {{Kind::email, "a@example.test"}}).error().code, Code::rejected);
  EXPECT_EQ(permits("mail", {{Kind::dns, "host.example.test"}}).error().code, Code::unsupported);
}

}  // namespace
}  // namespace hanaper::test
