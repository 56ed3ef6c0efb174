// validator/caa as the host meets it: when it asks the DNS, when there is nothing to ask, and what records
// mean.
#include "loader/catalog.hpp"

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>

namespace hanaper {
namespace {

struct Row {
  const char* name;
  const char* requester;
  bool rehearsal;
  std::vector<Identifier> names;
  bool asked;    // the DNS, which names another authority
  bool allowed;  // therefore
};
std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }

// RDATA (RFC 8659 4.1.1)
Bytes caa(std::uint8_t flags, std::string_view tag, std::string_view value) {
  Bytes rdata{flags, static_cast<std::uint8_t>(tag.size())};
  rdata.insert(rdata.end(), tag.begin(), tag.end());
  rdata.insert(rdata.end(), value.begin(), value.end());
  return rdata;
}

std::unique_ptr<Plugin> configured(Host& host) {
  static loader::Catalog catalog{HANAPER_PLUGINS};
  std::unique_ptr<Plugin> plugin = *catalog.create("validator", "caa");
  Settings settings("validator.caa", "pki.toml:7:1");
  settings.set("identities", {std::vector<std::string>{"ca1.example.net"}, "pki.toml:8:14"});
  EXPECT_TRUE(plugin->configure(settings, host));
  return plugin;
}

class CaaValidator : public ::testing::TestWithParam<Row> {};

TEST_P(CaaValidator, AsksAsItsTableSays) {
  fakes::FakeHost host;
  bool asked = false;
  host.fake_outbound.look_up = [&](const std::string&, DnsType) -> Result<std::vector<Bytes>> {
    asked = true;
    return std::vector<Bytes>{caa(0, "issue", "other.example.test")};
  };
  const std::unique_ptr<Plugin> plugin = configured(host);
  Draft draft;
  draft.requester = GetParam().requester;
  draft.rehearsal = GetParam().rehearsal;
  draft.names = GetParam().names;
  Call call = fakes::test_call();
  const Status valid = static_cast<Validator&>(*plugin).validate(draft, call);
  EXPECT_EQ(asked, GetParam().asked);
  EXPECT_EQ(valid.has_value(), GetParam().allowed);
  if (!valid) {
    EXPECT_EQ(valid.error().code, Code::rejected) << valid.error().detail;
  }
}

const std::vector<Identifier> domain = {{Identifier::Kind::dns, "www.example.test"}};
const std::vector<Identifier> address = {{Identifier::Kind::ip, "192.0.2.1"}};
const Row rows[] = {
    {"a name", "acme:account/7", false, domain, true, false},
    {"an address, which CAA is not about", "acme:account/7", false, address, false, true},
    {"a self-test, whose names belong to nobody", "self-test", true, domain, false, true},
    {"a self-test under another name", "acme:account/7", true, domain, false, true},
    {"a requester that is called like a self-test", "self-test", false, domain, true, false},
    {"a requester that is called a rehearsal", "rehearsal", false, domain, true, false},
    {"a requester without a name", "", false, domain, true, false},
};
INSTANTIATE_TEST_SUITE_P(Rows, CaaValidator, ::testing::ValuesIn(rows));

using Zone = std::map<std::string, std::vector<Bytes>>;
struct Records {
  const char* name;
  const char* asked_for;
  Zone zone;
  const char* refusal;  // a part of it; null: it is allowed
  const char* account = "https://ca1.example.net/account/1";
  const char* method = "dns-01";
};
std::ostream& operator<<(std::ostream& out, const Records& row) { return out << row.name; }

Zone zone(std::vector<Bytes> records) { return {{"example.com", std::move(records)}}; }

class CaaRecords : public ::testing::TestWithParam<Records> {};

TEST_P(CaaRecords, MeanWhatTheirTableSays) {
  const Records& row = GetParam();
  fakes::FakeHost host;
  host.fake_outbound.look_up = [&](const std::string& at, DnsType) -> Result<std::vector<Bytes>> {
    const auto found = row.zone.find(at);
    return found == row.zone.end() ? std::vector<Bytes>{} : found->second;
  };
  const std::unique_ptr<Plugin> plugin = configured(host);
  Draft draft;
  draft.names = {{Identifier::Kind::dns, row.asked_for}};
  draft.account_uri = row.account;
  const Proof proof{draft.names.front(), row.method};
  draft.proofs = {&proof, 1};
  Call call = fakes::test_call();
  const Status valid = static_cast<Validator&>(*plugin).validate(draft, call);
  EXPECT_EQ(valid.has_value(), row.refusal == nullptr) << (valid ? "" : valid.error().detail);
  if (!valid && row.refusal != nullptr) {
    EXPECT_EQ(valid.error().code, Code::rejected);
    EXPECT_NE(valid.error().detail.find(row.refusal), std::string::npos) << valid.error().detail;
  }
}

constexpr auto name = "www.example.com", wildcard = "*.example.com";
constexpr auto another = "it names another issuer", forbidden = "does not allow it";
const Records records[] = {
    // RFC 8659 3: the closest ancestor with records decides, and it alone.
    {"no record up to the top", name, {}, nullptr},
    {"its own before its parent's",
     name,
     {{"www.example.com", {caa(0, "issue", "ca1.example.net")}}, {"example.com", {caa(0, "issue", ";")}}},
     nullptr},
    {"its parent's", name, zone({caa(0, "issue", "ca2.example.org")}), another},
    {"the top's", name, {{"com", {caa(0, "issue", "ca2.example.org")}}}, another},
    // 4.2 and its examples
    {"us", name, zone({caa(0, "issue", "ca1.example.net")}), nullptr},
    {"us in capitals", name, zone({caa(0, "ISSUE", "CA1.Example.NET")}), nullptr},
    {"us among others", name, zone({caa(0, "issue", "ca2.example.org"), caa(0, "issue", "ca1.example.net")}),
     nullptr},
    {"us with a parameter nobody defined", name, zone({caa(0, "issue", "ca1.example.net; account=230123")}),
     nullptr},
    {"us with blanks around everything", name, zone({caa(0, "issue", " ca1.example.net ;\t account = 1 ; ")}),
     nullptr},
    {"nobody", name, zone({caa(0, "issue", ";")}), another},
    {"nobody, as an empty value", name, zone({caa(0, "issue", "")}), another},
    {"a malformed value", name, zone({caa(0, "issue", "%%%%%")}), "its issuer is no domain"},
    {"a parameter without a value", name, zone({caa(0, "issue", "ca1.example.net; policy")}), "has no value"},
    {"a parameter whose name ends with a hyphen", name, zone({caa(0, "issue", "ca1.example.net; a-=1")}),
     "a parameter is malformed"},
    {"a parameter with a blank in it", name, zone({caa(0, "issue", "ca1.example.net; a=1 2")}),
     "a parameter is malformed"},
    {"an issuer that begins with a dot", name, zone({caa(0, "issue", ".ca1.example.net")}),
     "its issuer is no domain"},
    {"a value with octets that are no text", name, zone({caa(0, "issue", "\x01\xff")}), "issue \"??\""},
    // 4.3 and its examples
    {"a wildcard by issue", wildcard, zone({caa(0, "issue", "ca1.example.net")}), nullptr},
    {"a wildcard that issuewild gives to another", wildcard,
     zone({caa(0, "issue", "ca1.example.net"), caa(0, "issuewild", "ca2.example.org")}), another},
    {"a wildcard that issuewild gives to us", wildcard,
     zone({caa(0, "issue", "ca2.example.org"), caa(0, "issuewild", "ca1.example.net")}), nullptr},
    {"a wildcard that issuewild gives to nobody", wildcard, zone({caa(0, "issuewild", ";")}), forbidden},
    {"a name, about which issuewild says nothing", "example.com", zone({caa(0, "issuewild", ";")}), nullptr},
    // 4.1 and 4.5: properties that are critical
    {"iodef alone", name, zone({caa(0, "iodef", "mailto:security@example.com")}), nullptr},
    {"an unknown property", name, zone({caa(0, "tbs", "Unknown")}), nullptr},
    {"an unknown property that is critical", name,
     zone({caa(0, "issue", "ca1.example.net"), caa(128, "tbs", "Unknown")}), "critical property tbs"},
    {"issue that is critical", name, zone({caa(128, "issue", "ca1.example.net")}), nullptr},
    {"a reserved bit, which is ignored", name, zone({caa(1, "issue", "ca1.example.net")}), nullptr},
    {"a record without a tag", name, zone({Bytes{0, 0}}), "has no tag"},
    {"a record that is cut off", name, zone({Bytes{0}}), "is cut off"},
    {"a tag longer than its record", name, zone({Bytes{0, 9, 'i'}}), "has no tag"},
    {"a tag with a hyphen", name, zone({caa(0, "is-sue", "ca1.example.net")}), "strange tag"},
    // RFC 8657 3 and 4
    {"our account", name,
     zone({caa(0, "issue", "ca1.example.net; accounturi=https://ca1.example.net/account/1")}), nullptr},
    {"another account", name,
     zone({caa(0, "issue", "ca1.example.net; accounturi=https://ca1.example.net/account/2")}),
     "it is for another account"},
    {"an account where nobody has one", name,
     zone({caa(0, "issue", "ca1.example.net; accounturi=https://ca1.example.net/account/1")}),
     "it is for another account", ""},
    {"an account that is given twice", name,
     zone({caa(0, "issue",
               "ca1.example.net; accounturi=https://ca1.example.net/account/1; "
               "accounturi=https://ca1.example.net/account/1")}),
     "a parameter is given twice"},
    {"our method", name, zone({caa(0, "issue", "ca1.example.net; validationmethods=http-01,dns-01")}),
     nullptr},
    {"another method", name, zone({caa(0, "issue", "ca1.example.net; validationmethods=http-01")}),
     "it is for other validation methods"},
    {"no method at all", name, zone({caa(0, "issue", "ca1.example.net; validationmethods=")}),
     "it is for other validation methods"},
    {"a method where nothing was validated", name,
     zone({caa(0, "issue", "ca1.example.net; validationmethods=dns-01")}),
     "it is for other validation methods", "", ""},
    {"our account by another method", name,
     zone({caa(0, "issue",
               "ca1.example.net; accounturi=https://ca1.example.net/account/1; validationmethods=http-01")}),
     "it is for other validation methods"},
    {"one record for our account, one for all", name,
     zone({caa(0, "issue", "ca1.example.net; accounturi=urn:other"), caa(0, "issue", "ca1.example.net")}),
     nullptr},
};
INSTANTIATE_TEST_SUITE_P(Rows, CaaRecords, ::testing::ValuesIn(records));

TEST(CaaValidator, DoesNotIssueWhereTheDnsDoesNotAnswer) {
  fakes::FakeHost host;
  host.fake_outbound.look_up = [](const std::string&, DnsType) -> Result<std::vector<Bytes>> {
    return unavailable("no answer");
  };
  const std::unique_ptr<Plugin> plugin = configured(host);
  Draft draft;
  draft.names = domain;
  Call call = fakes::test_call();
  const Status valid = static_cast<Validator&>(*plugin).validate(draft, call);
  ASSERT_FALSE(valid.has_value());
  EXPECT_EQ(valid.error().code, Code::unavailable);
}

}  // namespace
}  // namespace hanaper
