// policy/names as the host meets it: loaded from its shared object.
#include "loader/catalog.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

namespace hanaper {
namespace {

using Kind = Identifier::Kind;
using Texts = std::vector<std::string>;

class NamesPolicy {
 public:
  Status configure(Texts permit, Texts exclude) {
    Settings settings("policy.names", "pki.toml:7:1");
    settings.set("permit", {std::move(permit), "pki.toml:8:10"});
    settings.set("exclude", {std::move(exclude), "pki.toml:9:11"});
    return policy_->configure(settings, host_);
  }
  Status decide(std::vector<Identifier> names, std::vector<NameAttribute> subject = {}) {
    Draft draft;
    draft.names = std::move(names);
    draft.subject = std::move(subject);
    Call call = fakes::test_call();
    return static_cast<Policy&>(*policy_).decide(draft, call);
  }

 private:
  fakes::FakeHost host_;
  loader::Catalog catalog_{HANAPER_PLUGINS};
  std::unique_ptr<Plugin> policy_ = *catalog_.create("policy", "names");
};

struct Row {
  const char* name;
  Texts permit, exclude;
  std::vector<Identifier> wanted;
  const char* refusal;  // "": permitted
  std::vector<NameAttribute> subject = {};
};
std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }

Identifier dns(const char* name) { return {Kind::dns, name}; }
Identifier ip(const char* address) { return {Kind::ip, address}; }
Identifier mail(const char* address) { return {Kind::email, address}; }
Identifier device(const char* name) { return {Kind::permanent_identifier, name}; }
NameAttribute cn(const char* value) { return {"2.5.4.3", value}; }
NameAttribute organization(const char* value) { return {"2.5.4.10", value}; }
NameAttribute unit(const char* value) { return {"2.5.4.11", value}; }
Identifier account(const char* name) { return {Kind::user_principal, name}; }
Identifier module(const char* name) { return {Kind::hardware_module, name}; }

class NamesDecides : public ::testing::TestWithParam<Row> {};

TEST_P(NamesDecides, AsItsTableSays) {
  NamesPolicy policy;
  const Status configured = policy.configure(GetParam().permit, GetParam().exclude);
  ASSERT_TRUE(configured.has_value()) << configured.error().detail;
  const Status decided = policy.decide(GetParam().wanted, GetParam().subject);
  if (!decided) {
    EXPECT_EQ(decided.error().code, Code::rejected);
  }
  EXPECT_EQ(decided ? "" : decided.error().detail, GetParam().refusal);
}

const Row rows[] = {
    {"AnythingWithoutPatterns", {}, {}, {dns("a.test"), ip("192.0.2.1"), mail("a@b.test")}, ""},
    {"NoNamesAtAll", {"a.test"}, {}, {}, ""},

    {"ANameItself", {"host.example.test"}, {}, {dns("host.example.test")}, ""},
    {"ANamePatternInOtherLetters", {"Host.Example.TEST"}, {}, {dns("host.example.test")}, ""},
    {"NotANameBelowIt",
     {"example.test"},
     {},
     {dns("a.example.test")},
     "\"a.example.test\" is not among the permitted names"},
    {"NotANameThatEndsAlike",
     {"example.test"},
     {},
     {dns("badexample.test")},
     "\"badexample.test\" is not among the permitted names"},

    {"OneLabelBelow", {"*.example.test"}, {}, {dns("a.example.test")}, ""},
    {"TheWildcardItself", {"*.example.test"}, {}, {dns("*.example.test")}, ""},
    {"NotTwoLabelsBelow",
     {"*.example.test"},
     {},
     {dns("a.b.example.test")},
     "\"a.b.example.test\" is not among the permitted names"},
    {"NotTheDomainItself",
     {"*.example.test"},
     {},
     {dns("example.test")},
     "\"example.test\" is not among the permitted names"},
    {"NotAnotherEnding",
     {"*.example.test"},
     {},
     {dns("a.badexample.test")},
     "\"a.badexample.test\" is not among the permitted names"},

    {"AHostInWhateverDomain", {"router-7.*"}, {}, {dns("router-7.example.test"), dns("router-7.a.test")}, ""},
    {"NotThatHostAlone",
     {"router-7.*"},
     {},
     {dns("router-7")},
     "\"router-7\" is not among the permitted names"},
    {"NotAHostThatBeginsAlike",
     {"router-7.*"},
     {},
     {dns("router-77.example.test")},
     "\"router-77.example.test\" is not among the permitted names"},
    {"AMappedAddressOfARange", {"192.0.2.0/24"}, {}, {ip("::ffff:192.0.2.1")}, ""},
    {"NotAMappedAddressOfAnExcludedRange",
     {},
     {"10.0.0.0/8"},
     {ip("::ffff:10.1.2.3")},
     "\"::ffff:10.1.2.3\" is excluded by \"10.0.0.0/8\""},
    {"NotAnAddressThatARangeOfMappedOnesExcludes",
     {},
     {"::ffff:10.0.0.0/104"},
     {ip("10.1.2.3")},
     "\"10.1.2.3\" is excluded by \"::ffff:10.0.0.0/104\""},
    {"NotAMappedAddressAmongAllOfIpv6",
     {"::/0"},
     {},
     {ip("::ffff:10.1.2.3")},
     "\"::ffff:10.1.2.3\" is not among the permitted names"},
    {"AnAccount", {"user-principal-name:Joe@Example.test"}, {}, {account("joe@example.test")}, ""},
    {"AnAccountOfADomain", {"user-principal-name:@example.test"}, {}, {account("joe@example.test")}, ""},
    {"NotAnAccountByItsMailbox",
     {"@example.test"},
     {},
     {account("joe@example.test")},
     "\"joe@example.test\" is not among the permitted names"},
    {"AnInternationalMailbox",
     {"@example.test"},
     {},
     {{Kind::smtp_utf8_mailbox, "m\u00fcller@example.test"}},
     ""},
    {"NotAnInternationalMailboxElsewhere",
     {"@example.test"},
     {},
     {{Kind::smtp_utf8_mailbox, "m\u00fcller@other.test"}},
     "\"m\u00fcller@other.test\" is not among the permitted names"},

    {"AnyDepthBelow", {".example.test"}, {}, {dns("a.example.test"), dns("a.b.c.example.test")}, ""},
    {"WildcardsBelow", {".example.test"}, {}, {dns("*.a.example.test"), dns("*.example.test")}, ""},
    {"NotTheDomainOfASuffix",
     {".example.test"},
     {},
     {dns("example.test")},
     "\"example.test\" is not among the permitted names"},
    {"NotWhatOnlyEndsLikeASuffix",
     {".example.test"},
     {},
     {dns("badexample.test")},
     "\"badexample.test\" is not among the permitted names"},
    {"ASuffixOfOneLabel", {".test"}, {}, {dns("a.b.test")}, ""},

    {"ASingleLabel", {"*"}, {}, {dns("printer")}, ""},
    {"NoSecondLabelForASingleOne",
     {"*"},
     {},
     {dns("printer.test")},
     "\"printer.test\" is not among the permitted names"},
    {"AnAttributeItself", {"O=Example"}, {}, {}, "", {organization("EXAMPLE")}},
    {"AnAttributesBeginning", {"OU=Lab*"}, {}, {}, "", {unit("Laboratory 7")}},
    {"NoOtherValueOfAnAttribute",
     {"O=Example"},
     {},
     {},
     "\"O=Big Bank\" is not among the permitted attributes",
     {organization("Big Bank")}},
    {"NoAttributeThatNoPatternCovers",
     {"O=Example"},
     {},
     {},
     "\"OU=Payroll\" is not among the permitted attributes",
     {organization("Example"), unit("Payroll")}},
    {"AttributesWhereOnlyNamesArePermitted", {".test"}, {}, {dns("a.test")}, "", {organization("Any")}},
    {"NamesWhereOnlyAttributesArePermitted", {"O=Any"}, {}, {dns("a.test")}, "", {organization("Any")}},
    {"ACommonNameThatIsOneOfTheNames", {".test", "O=Any"}, {}, {dns("a.test")}, "", {cn("A.test")}},
    {"NotACommonNameThatIsNone",
     {".test", "O=Any"},
     {},
     {dns("a.test")},
     "\"CN=My Device\" is not among the permitted attributes",
     {cn("My Device")}},
    {"NotAnExcludedAttribute",
     {},
     {"OU=Pay*"},
     {},
     "\"OU=payroll\" is excluded by \"OU=Pay*\"",
     {unit("payroll")}},

    {"AnAddress", {"192.0.2.1"}, {}, {ip("192.0.2.1")}, ""},
    {"NotItsNeighbour",
     {"192.0.2.1"},
     {},
     {ip("192.0.2.2")},
     "\"192.0.2.2\" is not among the permitted names"},
    {"AnAddressOfARange", {"192.0.2.0/24"}, {}, {ip("192.0.2.0"), ip("192.0.2.255")}, ""},
    {"NotBesideTheRange",
     {"192.0.2.0/24"},
     {},
     {ip("192.0.3.0")},
     "\"192.0.3.0\" is not among the permitted names"},
    {"ALongAddressOfARange", {"2001:db8::/32"}, {}, {ip("2001:db8::1")}, ""},
    {"NotAShortAddressOfALongRange",
     {"::/0"},
     {},
     {ip("192.0.2.1")},
     "\"192.0.2.1\" is not among the permitted names"},

    {"AMailAddressOfAHost", {"@example.test"}, {}, {mail("a@example.test")}, ""},
    {"ADevice", {"permanent-identifier:C02/1.2.3"}, {}, {device("C02/1.2.3")}, ""},
    {"DevicesThatBeginAlike", {"permanent-identifier:C02*"}, {}, {device("C02"), device("C02X@y")}, ""},
    {"NotAnotherDevice",
     {"permanent-identifier:C02"},
     {},
     {device("C02X")},
     "\"C02X\" is not among the permitted names"},
    {"NotADeviceInOtherLetters",
     {"permanent-identifier:C02*"},
     {},
     {device("c02X")},
     "\"c02X\" is not among the permitted names"},
    {"NotASecureProcessorForADevice",
     {"permanent-identifier:*"},
     {},
     {module("AB/1.2.3")},
     "\"AB/1.2.3\" is not among the permitted names"},
    {"NotADeviceThatIsExcluded",
     {"hardware-module:*"},
     {"hardware-module:LOST*"},
     {module("LOST7/1.2.3")},
     "\"LOST7/1.2.3\" is excluded by \"hardware-module:LOST*\""},
    {"NotADeviceWhereHostsArePermitted",
     {".example.test"},
     {},
     {device("a.example.test")},
     "\"a.example.test\" is not among the permitted names"},
    {"NotOneOfAnotherHost",
     {"@example.test"},
     {},
     {mail("a@b.example.test")},
     "\"a@b.example.test\" is not among the permitted names"},
    {"NotAHostByAMailPattern",
     {"@example.test"},
     {},
     {dns("example.test")},
     "\"example.test\" is not among the permitted names"},
    {"NotAMailAddressByAHostPattern",
     {".example.test", "example.test"},
     {},
     {mail("a@example.test")},
     "\"a@example.test\" is not among the permitted names"},
    {"NotAUriByAHostPattern",
     {".example.test"},
     {},
     {{Kind::uri, "https://a.example.test/"}},
     "\"https://a.example.test/\" is not among the permitted names"},

    {"TheOneOfManyThatIsNotPermitted",
     {".example.test"},
     {},
     {dns("a.example.test"), dns("b.test")},
     "\"b.test\" is not among the permitted names"},
    {"AnyOfSeveralPatterns", {"a.test", "b.test"}, {}, {dns("b.test"), dns("a.test")}, ""},

    {"AnExcludedName",
     {},
     {"admin.example.test"},
     {dns("admin.example.test")},
     "\"admin.example.test\" is excluded by \"admin.example.test\""},
    {"OthersBesideAnExcludedName", {}, {"admin.example.test"}, {dns("www.example.test")}, ""},
    {"AnExclusionOfWhatIsPermitted",
     {".example.test"},
     {"*.secret.example.test"},
     {dns("a.secret.example.test")},
     "\"a.secret.example.test\" is excluded by \"*.secret.example.test\""},
    {"AWildcardThatCoversAnExcludedName",
     {".example.test"},
     {"admin.example.test"},
     {dns("*.example.test")},
     "\"*.example.test\" is excluded by \"admin.example.test\""},
    {"AWildcardBesideAnExcludedName",
     {".example.test"},
     {"admin.example.test"},
     {dns("*.www.example.test")},
     ""},
    {"AWildcardAboveAnExcludedName", {".example.test"}, {"a.b.example.test"}, {dns("*.example.test")}, ""},
    {"AWildcardBelowAnExcludedSuffix",
     {},
     {".secret.example.test"},
     {dns("*.secret.example.test")},
     "\"*.secret.example.test\" is excluded by \".secret.example.test\""},
    {"AnExcludedAddress",
     {"192.0.2.0/24"},
     {"192.0.2.128/25"},
     {ip("192.0.2.129")},
     "\"192.0.2.129\" is excluded by \"192.0.2.128/25\""},
    {"AnExcludedMailHost",
     {},
     {"@example.test"},
     {mail("a@example.test")},
     "\"a@example.test\" is excluded by \"@example.test\""},
};
INSTANTIATE_TEST_SUITE_P(Table, NamesDecides, ::testing::ValuesIn(rows),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(NamesRefuses, PatternsThatAreNone) {
  const struct {
    Texts permit, exclude;
    const char* begin;
  } table[] = {
      {{"a.test", "a b.test"}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{}, {"a_b.test"}, "pki.toml:9:11: policy.names.exclude: "},
      {{""}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{".1"}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"*."}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"."}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"*.*.test"}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"a.*.test"}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"192.0.2.0/33"}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"192.0.2.0/"}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"2001:db8::/129"}, {}, "pki.toml:8:10: policy.names.permit: "},
      {{"@"}, {}, "pki.toml:8:10: policy.names.permit: "},
  };
  for (const auto& row : table) {
    const std::string& pattern = row.permit.empty() ? row.exclude.back() : row.permit.back();
    const Status configured = NamesPolicy().configure(row.permit, row.exclude);
    ASSERT_FALSE(configured.has_value()) << pattern;
    EXPECT_EQ(configured.error().detail.rfind(row.begin, 0), 0u) << configured.error().detail;
  }
}

}  // namespace
}  // namespace hanaper
