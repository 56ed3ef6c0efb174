// Authorities of one name: their CRLs say whose they are.
#include "node_support.hpp"
#include "socket_support.hpp"

#include <hanaper/toolkit/oids.hpp>

namespace hanaper::test {
namespace {

struct Namesakes {
  const char* name;
  std::string subject;  // of the second root; empty: there is only one
  std::string url = "http://pki.example.test";
  std::string settings = {};  // of protocol.crl
  bool told_apart = true;
};
std::ostream& operator<<(std::ostream& out, const Namesakes& of) { return out << of.name; }

class CrlsOfNamesakes : public NodeFixture, public ::testing::WithParamInterface<Namesakes> {
 protected:
  static std::string tables(const Namesakes& of, bool second) {
    std::string text = node_tables + R"([authority.root]
key = "soft:root"
subject = "CN=Example Root CA"
)";
    if (second)
      text +=
          "[profile.web]\nlifetime = \"90d\"\n[pipeline.web]\nauthority = \"root-2\"\nprofiles = [\"web\"]\n"
          "[authority.root-2]\nkey = \"soft:root-2\"\nsubject = \"" +
          of.subject + "\"\n";
    text += "[listener.plain]\nbind = \"127.0.0.1:" + std::to_string(sockets::free_port()) + "\"\n";
    if (!of.url.empty()) text += "url = \"" + of.url + "\"\n";
    text += "[protocol.crl]\npath = \"/crl\"\nlistener = \"plain\"\nauthorities = [\"root\"]\n" + of.settings;
    return text;
  }
  // The CRL of the first root that this node serves now; empty while there is none.
  std::string crl() {
    auto made = node_->shared().authorities->find("root")->second.crl(0, ByteCount{1 << 20});
    return made ? std::string(as_text(*made)) : "";
  }
  static bool names_its_place(const std::string& crl) {
    return crl.find(as_text(oid::issuing_distribution_point)) != std::string::npos &&
           crl.find("http://pki.example.test/crl/root.crl") != std::string::npos;
  }
};

TEST_P(CrlsOfNamesakes, SayWhosePlaceTheyHave) {
  const Namesakes& of = GetParam();
  const std::string alone = tables(of, false);
  serve(alone);
  ASSERT_TRUE(comes([&] { return !crl().empty(); }));
  const std::string before = crl();
  EXPECT_EQ(before.find(as_text(oid::issuing_distribution_point)), std::string::npos);
  node_.reset();
  serve(of.subject.empty() ? alone : tables(of, true));
  if (of.told_apart) {
    EXPECT_TRUE(comes([&] { return names_its_place(crl()); })) << "the one of before is replaced";
    const std::string after = crl();
    node_.reset();
    serve(tables(of, true));
    ASSERT_TRUE(comes([&] { return !crl().empty(); }));
    EXPECT_EQ(crl(), after) << "one that says so stays";
  } else {
    ASSERT_TRUE(comes([&] { return !crl().empty(); }));
    EXPECT_EQ(crl(), before);
  }
}

const Namesakes namesakes[] = {
    {"one alone", "", "http://pki.example.test", "", false},
    {"two names", "CN=Example Root CA 2", "http://pki.example.test", "", false},
    {"one name", "CN=Example Root CA"},
    {"one name in another case", "CN=EXAMPLE ROOT CA"},
    {"one name, and nothing that a revocation would make", "CN=Example Root CA", "http://pki.example.test",
     "on_revoke = false\n"},
};
INSTANTIATE_TEST_SUITE_P(Roots, CrlsOfNamesakes, ::testing::ValuesIn(namesakes));

}  // namespace
}  // namespace hanaper::test
