// validator/caa as the host meets it: when it asks the DNS, and when there is nothing to ask.
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

// RDATA of: CAA 0 issue "other.example.test" (RFC 8659 4.1.1)
Bytes for_somebody_else() {
  constexpr std::string_view tag = "issue", value = "other.example.test";
  Bytes rdata{0, static_cast<std::uint8_t>(tag.size())};
  rdata.insert(rdata.end(), tag.begin(), tag.end());
  rdata.insert(rdata.end(), value.begin(), value.end());
  return rdata;
}

class CaaValidator : public ::testing::TestWithParam<Row> {};

TEST_P(CaaValidator, AsksAsItsTableSays) {
  fakes::FakeHost host;
  bool asked = false;
  host.fake_outbound.look_up = [&](const std::string&, DnsType) -> Result<std::vector<Bytes>> {
    asked = true;
    return std::vector<Bytes>{for_somebody_else()};
  };
  loader::Catalog catalog{HANAPER_PLUGINS};
  const std::unique_ptr<Plugin> plugin = *catalog.create("validator", "caa");
  Settings settings("validator.caa", "pki.toml:7:1");
  settings.set("identities", {std::vector<std::string>{"ca.example.test"}, "pki.toml:8:14"});
  ASSERT_TRUE(plugin->configure(settings, host));
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

}  // namespace
}  // namespace hanaper
