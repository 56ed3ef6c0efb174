// One authority takes over from another: what clients are told, and what stays as it was.
#include "node_support.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::test {
namespace {

const std::string tables = node_tables + R"([profile.web]
lifetime = "90d"
usages = ["server-auth"]
)";

std::string authority_table(const std::string& name, const std::string& settings = {},
                            const std::string& subject = {}) {
  return "[authority." + name + "]\nkey = \"soft:" + name +
         "\"\nsubject = \"CN=" + (subject.empty() ? name : subject) + "\"\n" + settings + "\n";
}
std::string pipeline_table(const std::string& name, const std::string& of) {
  return "[pipeline." + name + "]\nauthority = \"" + of + "\"\nprofiles = [\"web\"]\n";
}

// Two generations, as host/README.md has them, and one that stands alone.
std::string generations(const std::string& web) {
  return tables + authority_table("root", "next = \"root-2\"") + authority_table("root-2") +
         authority_table("issuing", "issuer = \"root\"\nnext = \"issuing-2\"") +
         authority_table("issuing-2", "issuer = \"root-2\"") + authority_table("lone") +
         pipeline_table("web", web) + pipeline_table("of-root", "root") +
         pipeline_table("of-root-2", "root-2") + pipeline_table("of-issuing", "issuing") +
         pipeline_table("of-issuing-2", "issuing-2") + pipeline_table("of-lone", "lone");
}

// "subject<issuer" of each.
std::vector<std::string> named(const std::vector<Bytes>& certificates) {
  std::vector<std::string> names;
  for (const Bytes& certificate : certificates) {
    const auto view = *x509::parse_certificate(certificate);
    const auto name = [](ByteView of) { return x509::name_text(*x509::parse_name(of)).substr(3); };
    names.push_back(name(view.subject) + "<" + name(view.issuer));
  }
  return names;
}

struct Told {
  const char* authority;
  std::vector<std::string> path, next;
  std::set<std::string> others;
};
std::ostream& operator<<(std::ostream& out, const Told& of) { return out << of.authority; }

class RollOverOf : public NodeFixture, public ::testing::WithParamInterface<Told> {};

TEST_P(RollOverOf, TellsClientsOfItsNeighbours) {
  serve(generations("issuing"));
  const Told& told = GetParam();
  const auto found = node_->pipeline("of-" + std::string(told.authority));
  ASSERT_TRUE(found) << found.error().detail;
  Trust& trust = **found;
  EXPECT_EQ(named(trust.path()), told.path);
  const RollOver around = trust.roll_over();
  EXPECT_EQ(named(around.next), told.next);
  const std::vector<std::string> others = named(around.others);
  EXPECT_EQ(std::set<std::string>(others.begin(), others.end()), told.others);
  EXPECT_EQ(others.size(), told.others.size()) << "each once";
  const auto message = trust.next_message();
  if (told.next.empty()) {
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error().code, Code::not_found);
    return;
  }
  ASSERT_TRUE(message) << message.error().detail;
  EXPECT_EQ(*trust.next_message(), *message) << "the key signs once";
  const auto signed_data = cms::parse_signed(*message);
  ASSERT_TRUE(signed_data) << signed_data.error().detail;
  ASSERT_EQ(signed_data->certificates.size(), 1u);
  EXPECT_TRUE(
      equal(signed_data->certificates.front(), node_->authorities().find(told.authority)->certificate()));
}

const Told told[] = {
    {"root", {"root<root"}, {"root-2<root-2"}, {"root-2<root-2", "root-2<root", "root<root-2"}},
    {"root-2", {"root-2<root-2"}, {}, {"root<root", "root-2<root", "root<root-2"}},
    {"issuing",
     {"issuing<root", "root<root"},
     {"issuing-2<root-2", "root-2<root-2"},
     {"issuing-2<root-2", "root-2<root-2", "root-2<root", "root<root-2"}},
    {"issuing-2",
     {"issuing-2<root-2", "root-2<root-2"},
     {},
     {"issuing<root", "root<root", "root-2<root", "root<root-2"}},
    {"lone", {"lone<lone"}, {}, {}},
};
INSTANTIATE_TEST_SUITE_P(Authorities, RollOverOf, ::testing::ValuesIn(told), [](const auto& test) {
  std::string name = test.param.authority;
  std::ranges::replace(name, '-', '_');
  return name;
});

class RollOverNode : public NodeFixture {
 protected:
  // The lines of init about roll-overs.
  std::vector<std::string> init(const std::string& text) {
    node_.reset();
    node_ = std::make_unique<Node>(model(text), catalog_, logger_);
    for (const std::string& line : node_->configure()) return {line};
    if (const Status started = node_->start(); !started) return {started.error().detail};
    const auto outcomes = node_->init();
    if (!outcomes) return {outcomes.error().detail};
    std::vector<std::string> lines;
    for (const auto& [name, what] : *outcomes)
      if (what.find("takes over") != std::string::npos) lines.push_back(name + ": " + what);
    return lines;
  }
};

using Lines = std::vector<std::string>;

TEST_F(RollOverNode, HasRootsCertifyEachOtherOnce) {
  const std::string text = generations("issuing");
  EXPECT_EQ(init(text), (Lines{"issuing: issuing-2 takes over from it",
                               "root: root-2 takes over from it; each has certified the other now"}));
  EXPECT_EQ(init(text), (Lines{"issuing: issuing-2 takes over from it",
                               "root: root-2 takes over from it; each has certified the other"}));
}

TEST_F(RollOverNode, WaitsForThoseThatHaveNoCertificate) {
  const std::string text = tables + authority_table("old", "next = \"new\"") +
                           authority_table("new", "issuer = \"external\"") + pipeline_table("old", "old") +
                           pipeline_table("new", "new");
  EXPECT_EQ(init(text), (Lines{"old: new takes over from it, once both have a certificate"}));
  const auto pipeline = node_->pipeline("old");
  EXPECT_FALSE(pipeline) << "it had no certificate when the node started";
}

TEST_F(RollOverNode, LeavesRootsAloneWhereOnlyOneIsARoot) {
  const std::string text = tables + authority_table("root") + authority_table("old", "next = \"new\"") +
                           authority_table("new", "issuer = \"root\"") + pipeline_table("old", "old") +
                           pipeline_table("new", "new");
  EXPECT_EQ(init(text), (Lines{"old: new takes over from it"}));
}

// RFC 4210 4.4.1: from the generation time of the subject's key pair to the end of its certificate.
TEST_F(RollOverNode, GivesCrossCertificatesTheSubjectsNameKeyAndTime) {
  init(tables + authority_table("root") + pipeline_table("of-root", "root"));
  node_.reset();
  const auto second = [] {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  };
  for (const auto made = second(); second() == made;) std::this_thread::yield();
  serve(generations("issuing"));  // the next root is younger than the one that it certifies
  const auto root = node_->authorities().find("root"), next = node_->authorities().find("root-2");
  const RollOver around = (*node_->pipeline("of-root"))->roll_over();
  std::size_t seen = 0;
  for (const auto& [signer, subject] : {std::pair{root, next}, std::pair{next, root}})
    for (const Bytes& certificate : around.others) {
      const auto view = *x509::parse_certificate(certificate);
      if (!equal(view.issuer, signer->subject()) || !equal(view.subject, subject->subject())) continue;
      ++seen;
      EXPECT_TRUE(equal(view.spki, subject->spki()));
      EXPECT_EQ(view.not_before, subject->not_before());
      EXPECT_EQ(view.not_after, std::min(signer->not_after(), subject->not_after()));
      EXPECT_TRUE(crypto::verify(*x509::parse_signature_algorithm(view.signature_algorithm), signer->spki(),
                                 view.whole, view.signature));
      const auto row = node_->storage().ledger().certificate(signer->id(), view.serial);
      ASSERT_TRUE(row) << "the ledger has it";
      EXPECT_FALSE(row->signature.empty());
    }
  EXPECT_EQ(seen, 2u);
}

// Nothing but the key tells them apart.
TEST_F(RollOverNode, FindsTheRightOneOfTwoRootsWithOneName) {
  serve(tables + authority_table("root", "next = \"root-2\"", "Root") +
        authority_table("root-2", {}, "Root") + authority_table("a", "issuer = \"root\"") +
        authority_table("b", "issuer = \"root-2\"") + pipeline_table("web", "a") + pipeline_table("b", "b"));
  const auto top = [&](const char* name) { return (*node_->pipeline(name))->path().back(); };
  EXPECT_EQ(top("web"), node_->authorities().find("root")->certificate());
  EXPECT_EQ(top("b"), node_->authorities().find("root-2")->certificate());
}

TEST_F(RollOverNode, KnowsTheCertificatesOfBeforeOnceTheDayHasCome) {
  serve(generations("issuing"));
  const auto old = issue();
  ASSERT_TRUE(old) << old.error().detail;
  const auto reloaded = node_->reload(model(generations("issuing-2")));
  ASSERT_TRUE(reloaded) << reloaded.error().detail;
  const auto fresh = issue();
  ASSERT_TRUE(fresh) << fresh.error().detail;
  issuance::Pipeline& web = **node_->pipeline("web");
  EXPECT_EQ(web.authority(), fresh->authority);
  EXPECT_NE(old->authority, fresh->authority);
  struct Row {
    const char* name;
    const Issued& of;
    std::vector<std::string> chain;
  };
  for (const Row& row :
       {Row{"of before", *old, {"issuing<root"}}, Row{"of now", *fresh, {"issuing-2<root-2"}}}) {
    SCOPED_TRACE(row.name);
    const auto known = web.identify(row.of.certificate);
    ASSERT_TRUE(known) << known.error().detail;
    EXPECT_EQ(known->row.authority, row.of.authority);
    EXPECT_EQ(named(web.chain(row.of.authority)), row.chain);
    const auto authority =
        node_->authorities().find(row.chain.front().substr(0, row.chain.front().find('<')));
    EXPECT_TRUE(web.find(authority->key_identifier(), row.of.serial));
    Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{10}};
    EXPECT_TRUE(web.revoke({row.of.authority, row.of.serial}, RevocationReason::superseded, "test", call));
  }
  EXPECT_FALSE((*node_->pipeline("of-issuing"))->identify(fresh->certificate))
      << "who comes before knows nothing of who comes after";
}

}  // namespace
}  // namespace hanaper::test
