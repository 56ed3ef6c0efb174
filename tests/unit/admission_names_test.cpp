// What of subjects and alternative names comes into certificates, and what does not.
#include "admission_support.hpp"

namespace hanaper::test {
namespace {

// Subjects that a profile takes over, before a policy that knows example.test alone.
struct Taken {
  const char* name;
  x509::Name subject;
  const char* usage;
  const char* refusal;                  // part of it; "": issued
  std::vector<std::string> names = {};  // of the certificate, when it is issued
};
std::ostream& operator<<(std::ostream& out, const Taken& of) { return out << of.name; }

NameAttribute cn(const char* value) { return {std::string(x509::common_name_oid), value}; }

class TakenSubject : public Admission, public ::testing::WithParamInterface<Taken> {};

TEST_P(TakenSubject, NamesNothingThatNobodyHasChecked) {
  const Taken& row = GetParam();
  Scene scene;
  scene.plan.profile.subject = config::ProfileConfig::Subject::request;
  scene.plan.profile.extended_usages = {extended_usage(row.usage)};
  scene.plan.profile.names = {Kind::dns, Kind::ip, Kind::email};
  scene.crafted.subject = x509::encode_name(row.subject);
  scene.policy = [](Draft& draft) -> Status {
    for (const Identifier& name : draft.names)
      if (!name.value.ends_with("example.test")) return rejected("\"" + name.value + "\" is not permitted");
    return {};
  };
  const auto issued = ask(scene);
  if (*row.refusal != '\0') {
    ASSERT_FALSE(issued.has_value());
    EXPECT_NE(issued.error().detail.find(row.refusal), std::string::npos) << issued.error().detail;
    return;
  }
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  EXPECT_EQ(*x509::parse_name(view.subject), row.subject);
  const auto parsed = *x509::parse_general_names(view.find(oid::subject_alt_name)->value);
  std::vector<std::string> names;
  for (const Identifier& name : parsed.names) names.push_back(name.value);
  EXPECT_EQ(names, row.names);
}

const std::vector<std::string> host = {"host.example.test"};
const Taken subjects[] = {
    {"ADevice", {cn("My Device"), {"2.5.4.10", "Example"}}, "client-auth", "", host},
    {"AWord", {cn("tsa")}, "client-auth", "", host},
    {"AHost", {cn("a.example.test")}, "client-auth", "", {"a.example.test", "host.example.test"}},
    {"AHostOfSomebodyElse", {cn("admin.other.test")}, "client-auth", "\"admin.other.test\" is not permitted"},
    {"ASecondHost", {cn("My Device"), cn("admin.other.test")}, "client-auth", "more than one common name"},
    {"ASecondWord", {cn("My Device"), cn("joe")}, "client-auth", "more than one common name"},
    {"AStarWithinALabel", {cn("ad*n.other.test")}, "client-auth", "subject: dns name"},
    {"ADotAtTheEnd", {cn("admin.other.test.")}, "client-auth", "subject: dns name"},
    {"AnUnderscore", {cn("admin_1.other.test")}, "client-auth", "subject: dns name"},
    {"ABlankInFront", {cn(" admin.other.test")}, "client-auth", "subject: dns name"},
    {"AnAddressOfSomebodyElse", {cn("192.0.2.1")}, "client-auth", "\"192.0.2.1\" is not permitted"},
    {"AMailbox",
     {cn("My Device"), {"1.2.840.113549.1.9.1", "joe@example.test"}},
     "client-auth",
     "",
     {"joe@example.test", "host.example.test"}},
    {"AMailboxOfSomebodyElse",
     {{"1.2.840.113549.1.9.1", "joe@other.test"}},
     "client-auth",
     "\"joe@other.test\" is not permitted"},
    {"AWordOfATimeStamper", {cn("tsa")}, "time-stamping", "", host},
    {"AWordOfASignerOfCode", {cn("Code")}, "code-signing", "", host},
    {"AWordOfAMailer", {cn("Code")}, "email-protection", "", host},
    {"AnOrganizationThatIsReadBackwards", {cn("tsa"), {"2.5.4.10", "a\u202eb"}}, "client-auth", "not seen"},
    {"AServersHost", {cn("host.example.test")}, "server-auth", "", host},
    {"AServersWord", {cn("tsa")}, "server-auth", "\"tsa\" is not permitted"},
    {"AServerThatIsNoHost", {cn("My Device")}, "server-auth", "\"My Device\" is no host"},
    {"AServersOrganization", {{"2.5.4.10", "Example"}}, "server-auth", "", host},
};
INSTANTIATE_TEST_SUITE_P(As, TakenSubject, ::testing::ValuesIn(subjects),
                         [](const auto& test) { return test.param.name; });

// An authority's name is no host's, whatever it may sign: an offline root certifies "Example Issuing CA 1".
TEST_F(Admission, LetsAnAuthorityHaveANameOfItsOwn) {
  Scene scene;
  scene.plan.profile.ca = true;
  scene.plan.profile.subject = config::ProfileConfig::Subject::request;
  scene.plan.profile.extended_usages = {};
  const x509::Name name = {{"2.5.4.10", "Example"}, cn("Example Issuing CA 1")};
  scene.crafted.subject = x509::encode_name(name);
  const auto issued = ask(scene);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  EXPECT_EQ(*x509::parse_name(x509::parse_certificate(issued->certificate)->subject), name);
}

// Names of Windows accounts and international mailboxes (RFC 9598), where a profile takes them.
struct OtherName {
  const char* name;
  Kind kind;
  const char* dotted;
  std::uint8_t tag;
  const char* value;
  const char* outcome;  // the name in the certificate, or part of the refusal behind '!'
};
std::ostream& operator<<(std::ostream& out, const OtherName& of) { return out << of.name; }
class OtherNames : public Admission, public ::testing::WithParamInterface<OtherName> {};

TEST_P(OtherNames, AreTakenWhereTheProfileHasTheirKind) {
  const OtherName& row = GetParam();
  Scene scene;
  scene.plan.profile.names.insert(row.kind);
  der::Writer writer;
  writer.sequence([&] {
    writer.constructed(der::context(0), [&] {
      writer.constructed(der::context(0), [&] { writer.text(row.tag, row.value); });
      writer.oid(*der::oid_from_text(row.dotted));
    });
  });
  scene.alternative(writer.bytes());
  const auto issued = ask(scene);
  if (*row.outcome == '!') {
    ASSERT_FALSE(issued.has_value());
    EXPECT_NE(issued.error().detail.find(row.outcome + 1), std::string::npos) << issued.error().detail;
    return;
  }
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  const auto names = *x509::parse_general_names(view.find(oid::subject_alt_name)->value);
  EXPECT_EQ(names.names, (std::vector<Identifier>{{row.kind, row.outcome}}));
  EXPECT_EQ(names.others, 0u);
}

constexpr const char* upn = "1.3.6.1.4.1.311.20.2.3";
constexpr const char* mailbox = "1.3.6.1.5.5.7.8.9";
constexpr Kind account_kind = Kind::user_principal, mailbox_kind = Kind::smtp_utf8_mailbox;
const OtherName other_names[] = {
    {"AnAccount", account_kind, upn, der::utf8_string, "Joe@Corp.Example.test", "joe@corp.example.test"},
    {"AnAccountOfAnotherProfile", Kind::dns, upn, der::utf8_string, "joe@example.test",
     "!no names of kind user-principal-name"},
    {"AnAccountOfNoDomain", account_kind, upn, der::utf8_string, "joe", "!not of the form user@domain"},
    {"AnAccountOfTwoDomains", account_kind, upn, der::utf8_string, "joe@a.test@b.test", "!not of the form"},
    {"AnAccountThatIsReadBackwards", account_kind, upn, der::utf8_string, "a\u202e@example.test",
     "!not seen"},
    {"AnAccountInAnotherStringType", account_kind, upn, der::ia5_string, "joe@example.test",
     "!other than dns"},
    {"AMailbox", mailbox_kind, mailbox, der::utf8_string, "m\u00fcller@Example.test",
     "m\u00fcller@example.test"},
    {"AMailboxOfAnotherProfile", Kind::email, mailbox, der::utf8_string, "m\u00fcller@example.test",
     "!no names of kind smtp-utf8-mailbox"},
    {"AMailboxInAscii", mailbox_kind, mailbox, der::utf8_string, "joe@example.test", "!rfc822Name is for it"},
    {"AMailboxBelowAForeignLabel", mailbox_kind, mailbox, der::utf8_string, "m\u00fcller@m\u00fcnchen.test",
     "!only letters"},
};
INSTANTIATE_TEST_SUITE_P(As, OtherNames, ::testing::ValuesIn(other_names),
                         [](const auto& test) { return test.param.name; });

// At whichever door a name comes in, here it is judged: as an alternative name and as a common name.
struct NoHost {
  const char* name;
  const char* text;
  bool is_common;
  const char* refusal;
};
std::ostream& operator<<(std::ostream& out, const NoHost& of) { return out << of.name; }
class NoHosts : public Admission, public ::testing::WithParamInterface<NoHost> {};

TEST_P(NoHosts, AreNotCertified) {
  const NoHost& row = GetParam();
  Scene scene;
  scene.plan.profile.subject = config::ProfileConfig::Subject::request;
  scene.plan.profile.extended_usages = {extended_usage("server-auth")};
  if (row.is_common)
    scene.crafted.subject = x509::encode_name({cn(row.text)});
  else
    scene.names({{Kind::dns, row.text}});
  const auto issued = ask(scene);
  ASSERT_FALSE(issued);
  EXPECT_EQ(issued.error().code, Code::bad_csr);
  EXPECT_NE(issued.error().detail.find(row.refusal), std::string::npos) << issued.error().detail;
}

constexpr const char* is_empty = "a label that encodes nothing";
constexpr const char* is_number = "the last label is a number";
const NoHost no_hosts[] = {
    {"ALabelOfNothing", "xn--99999999.test", false, is_empty},
    {"ALabelOfNothingBelow", "www.xn--99999999.example.test", false, is_empty},
    {"ALabelOfNothingAsCommonName", "xn--99999999.test", true, is_empty},
    {"AHexadecimalNumber", "0x7f000001", false, is_number},
    {"AHexadecimalNumberAsCommonName", "0x7f000001", true, is_number},
    {"AHexadecimalLastLabel", "host.0x7f", false, is_number},
    {"AShortAddress", "127.1", false, is_number},
    {"AShortAddressAsCommonName", "127.1", true, is_number},
};
INSTANTIATE_TEST_SUITE_P(As, NoHosts, ::testing::ValuesIn(no_hosts),
                         [](const auto& test) { return test.param.name; });

// RFC 9598 6: constraints on mail addresses hold for all of them.
TEST_F(Admission, RefusesInternationalMailboxesOfDomainsThatTheAuthorityMayNotCertify) {
  Scene scene;
  scene.plan.profile.names.insert(Kind::smtp_utf8_mailbox);
  x509::NameConstraints constraints;
  constraints.excluded = {*x509::parse_subtree("@evil.test")};
  scene.plan.of_the_authority = {
      {to_bytes(oid::name_constraints), true, x509::name_constraints(constraints)}};
  scene.names({{Kind::smtp_utf8_mailbox, "m\u00fcller@evil.test"}});
  EXPECT_EQ(ask(scene).error().code, Code::rejected);
}

// IEEE 802.1AR 8.6 and Cisco's routers: common name and serial number in one part.
TEST_F(Admission, TakesOverPartsOfSeveralAttributes) {
  Scene scene;
  scene.plan.profile.subject = config::ProfileConfig::Subject::request;
  scene.plan.profile.extended_usages = {extended_usage("client-auth")};
  const x509::Name subject = *x509::parse_name_text("serialNumber=FTX1234+CN=router,O=Example");
  scene.crafted.subject = x509::encode_name(subject);
  const auto issued = ask(scene);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  EXPECT_TRUE(equal(x509::parse_certificate(issued->certificate)->subject, scene.crafted.subject));
}

// certreq writes extensions into an attribute of Microsoft's own.
TEST_F(Admission, ReadsMicrosoftsListOfExtensions) {
  Scene scene;
  Bytes& attribute = scene.crafted.attributes.front();
  der::Writer writer;
  const auto fields = *der::open(attribute, der::sequence);
  der::Reader reader = fields;
  static_cast<void>(reader.read_oid());
  const Bytes values = to_bytes(reader.rest());
  writer.sequence([&] {
    writer.raw(values);
    writer.oid(oid::microsoft_extension_request);
  });
  attribute = writer.bytes();
  const auto issued = ask(scene);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
}

TEST_F(Admission, RefusesTwoListsOfExtensions) {
  Scene scene;
  Scene other;
  Bytes attribute = other.crafted.attributes.front();
  der::Writer writer;
  der::Reader reader = *der::open(attribute, der::sequence);
  static_cast<void>(reader.read_oid());
  const Bytes values = to_bytes(reader.rest());
  writer.sequence([&] {
    writer.raw(values);
    writer.oid(oid::microsoft_extension_request);
  });
  scene.crafted.attributes.push_back(writer.bytes());
  EXPECT_EQ(ask(scene).error().code, Code::bad_csr);
}

TEST_F(Admission, TakesOfASubjectOnlyWhatTheOrderHasProven) {
  Scene scene;
  scene.plan.profile.subject = config::ProfileConfig::Subject::request;
  scene.request.names = {{Kind::dns, "host.example.test"}};
  scene.crafted.subject = x509::encode_name(
      {{"2.5.4.10", "Big Bank"}, {"1.2.840.113549.1.9.1", "joe@bank.test"}, cn("Host.Example.test")});
  const auto issued = ask(scene);
  ASSERT_TRUE(issued.has_value()) << issued.error().detail;
  const auto view = *x509::parse_certificate(issued->certificate);
  EXPECT_EQ(x509::name_text(*x509::parse_name(view.subject)), "CN=Host.Example.test");
}

TEST_F(Admission, RefusesASecondCommonNameThatTheOrderHasNotProven) {
  Scene scene;
  scene.plan.profile.subject = config::ProfileConfig::Subject::request;
  scene.plan.profile.extended_usages = {extended_usage("client-auth")};
  scene.request.names = {{Kind::dns, "host.example.test"}};
  scene.crafted.subject = x509::encode_name({cn("host.example.test"), cn("admin.other.test")});
  EXPECT_FALSE(ask(scene).has_value());
}

}  // namespace
}  // namespace hanaper::test
