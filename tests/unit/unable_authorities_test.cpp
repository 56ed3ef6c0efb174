// Authorities that cannot sign: they have expired, or somebody outside has yet to sign them. Everything else
// is served.
#include "authorities_support.hpp"
#include "socket_support.hpp"

namespace hanaper::test {
namespace {

using namespace std::chrono_literals;

class UnableAuthorities : public NodeFixture {
 protected:
  // Two pipelines, of which the second is that of the authority "old".
  static std::string tables(const std::string& old, const std::string& late_authority = "old") {
    return configuration("",
                         "[authority.old]\nkey = \"soft:old\"\nsubject = \"CN=old\"\n" + old +
                             "[pipeline.late]\nauthority = \"" + late_authority +
                             "\"\nprofiles = [\"web\"]\n"
                             "[listener.plain]\nbind = \"127.0.0.1:" +
                             std::to_string(sockets::free_port()) +
                             "\"\nurl = \"https://pki.example.test\"\nhealth = true\n"
                             "[protocol.crl]\nlistener = \"plain\"\npath = \"/crl\"\n"
                             "authorities = [\"issuing\", \"old\"]\n"
                             "[protocol.ocsp]\nlistener = \"plain\"\npath = \"/ocsp\"\n"
                             "authorities = [\"issuing\", \"old\"]\n"
                             "[protocol.est]\nlistener = \"plain\"\npath = \"/est\"\npipeline = \"late\"\n");
  }
  // The ledger has "old", whose certificate ends after so long.
  void put(const std::string& text, std::chrono::hours lifetime) {
    Node first(model(text), catalog_, logger_);
    ASSERT_TRUE(first.configure().empty());
    ASSERT_TRUE(first.start());
    const auto key = Outside::new_key();
    ASSERT_TRUE(first.keys("soft")->import("old", *key->to_pkcs8()));
    Write write;
    write.authority = AuthorityRow{.id = 0,
                                   .name = "old",
                                   .key = "soft:old",
                                   .certificate = Outside::certify({.spki = to_bytes(key->spki()),
                                                                    .subject = "old",
                                                                    .issuer = "old",
                                                                    .signer = key.get(),
                                                                    .lifetime = lifetime}),
                                   .chain = {}};
    ASSERT_TRUE(first.writer().commit(write, std::chrono::steady_clock::now() + 10s));
  }
  std::string check(const std::string& name) {
    for (const auto& outcome : node_->shared().readiness.report())
      if (outcome.name == name) return outcome.status ? "ok" : outcome.status.error().detail;
    return "there is none";
  }
  bool has_crl(const std::string& name) {
    return node_->shared().authorities->find(name)->second.crl(0, ByteCount{1 << 20}).has_value();
  }
};

struct Life {
  const char* name;
  std::chrono::hours left;
  const char* refusal;  // "": it issues
  const char* logged;   // "": nothing about it
};
std::ostream& operator<<(std::ostream& out, const Life& of) { return out << of.name; }

class Expiring : public UnableAuthorities, public ::testing::WithParamInterface<Life> {};

TEST_P(Expiring, KeepsNobodyElseFromBeingServed) {
  const Life& life = GetParam();
  const std::string text = tables("");
  put(text, life.left);
  serve(text);
  EXPECT_TRUE(issue("web"));
  const auto refused = issue("late");
  EXPECT_TRUE(comes([&] { return has_crl("issuing") && has_crl("old"); })) << "CRLs go on";
  EXPECT_TRUE(node_->shared().readiness.status(Purpose::issue)) << check("pipelines");
  const std::string said = log();
  EXPECT_EQ(count(said, "an authority ") != 0, *life.logged != '\0') << said;
  EXPECT_NE(said.find(life.logged), std::string::npos) << said;
  if (*life.refusal == '\0') {
    EXPECT_TRUE(refused) << refused.error().detail;
    EXPECT_EQ(check("pipeline.late"), "ok");
    return;
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(to_string(refused.error().code), to_string(Code::unavailable));
  EXPECT_NE(refused.error().detail.find(life.refusal), std::string::npos) << refused.error().detail;
  EXPECT_NE(check("pipeline.late").find(life.refusal), std::string::npos) << check("pipeline.late");
  EXPECT_EQ(check("pipeline.web"), "ok");
  // What has to be done is done by a reload.
  const auto reloaded = node_->reload(model(tables("", "issuing")));
  ASSERT_TRUE(reloaded) << reloaded.error().detail;
  EXPECT_TRUE(issue("late"));
  EXPECT_TRUE(comes([&] { return check("pipeline.late") == "ok"; }));
}

const Life lives[] = {
    {"one that has expired", -1h, "authority old expired at 20", "an authority has expired"},
    {"one that expires soon", std::chrono::days{20}, "", "an authority expires soon"},
    {"one that has long to live", std::chrono::days{900}, "", ""},
};
INSTANTIATE_TEST_SUITE_P(Lives, Expiring, ::testing::ValuesIn(lives));

TEST_F(UnableAuthorities, MakeANodeUnreadyWhereNothingElseIssues) {
  const std::string text = tables("", "old");
  const std::string late =
      text.substr(0, text.find("[pipeline.web]")) + text.substr(text.find("[authority.old]"));
  put(late, -1h);
  serve(late);
  const Status ready = node_->shared().readiness.status(Purpose::issue);
  ASSERT_FALSE(ready);
  EXPECT_TRUE(ready.error().detail.starts_with("pipelines: pipeline late: authority old expired at 20"))
      << ready.error().detail;
}

TEST_F(UnableAuthorities, LeaveTheirListenersWithoutCertificateAndOpenTheOthers) {
  const auto with_tls = [](const std::string& text) {
    return text + "[listener.tls]\nbind = \"127.0.0.1:" + std::to_string(sockets::free_port()) +
           "\"\nhealth = true\ncertificate = { issue = \"late\", names = [\"localhost\"] }\n";
  };
  const std::string text = with_tls(tables(""));
  put(text, -1h);
  serve(text);
  EXPECT_TRUE(issue("web"));
  EXPECT_NE(check("listeners").find("listener.tls has no certificate"), std::string::npos)
      << check("listeners");
  ASSERT_TRUE(node_->reload(model(with_tls(tables("", "issuing")))));
  EXPECT_TRUE(comes([&] { return check("listeners") == "ok"; }));
}

TEST_F(UnableAuthorities, ThatWaitForSomebodyOutsideKeepNothingElseFromBeingServed) {
  const std::string text = tables("issuer = \"external\"\n");
  serve(text);
  EXPECT_TRUE(issue("web"));
  EXPECT_TRUE(comes([&] { return has_crl("issuing"); }));
  EXPECT_FALSE(has_crl("old"));
  constexpr const char* why = "pipeline late: authority old has no certificate yet: an outside issuer";
  const auto refused = issue("late");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().detail.starts_with(why)) << refused.error().detail;
  EXPECT_TRUE(check("pipeline.late").starts_with(why)) << check("pipeline.late");
  EXPECT_TRUE(node_->shared().readiness.status(Purpose::issue));
  EXPECT_TRUE(comes([&] { return node_->shared().readiness.status(Purpose::status).has_value(); }))
      << node_->shared().readiness.status(Purpose::status).error().detail;
  EXPECT_FALSE(node_->can_serve(*find_instance(node_->instances(), "protocol", "est")));
  EXPECT_TRUE(node_->can_serve(*find_instance(node_->instances(), "protocol", "crl")));
  const auto reloaded = node_->reload(model(text));
  EXPECT_TRUE(reloaded) << reloaded.error().detail;
}

}  // namespace
}  // namespace hanaper::test
