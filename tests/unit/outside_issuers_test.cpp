// What stands above authorities that somebody outside has signed: kept when it comes with the answer, taken
// later when it does not.
#include "authorities_support.hpp"

namespace hanaper::test {
namespace {

using Files = std::function<std::string(Outside&, const Outside::Form&)>;

struct Later {
  const char* name;
  Files answer, later;                   // no `later`: nothing comes
  std::vector<std::string> chain, path;  // of an authority below; the path first of all what the chain has
  const char* refusal = "";              // of what comes later
};
std::ostream& operator<<(std::ostream& out, const Later& of) { return out << of.name; }

class WhatStandsAbove : public AuthorityNode, public ::testing::WithParamInterface<Later> {
 protected:
  static std::vector<std::string> named(const std::vector<Bytes>& certificates) {
    std::vector<std::string> names;
    for (const Bytes& certificate : certificates)
      names.push_back(x509::name_text(*x509::parse_name(x509::parse_certificate(certificate)->subject)));
    return names;
  }
};

TEST_P(WhatStandsAbove, IsWhatClientsAreGiven) {
  const Later& later = GetParam();
  const std::string all = authority("sub", "issuer = \"external\"") + authority("leaf", "issuer = \"sub\"");
  ASSERT_EQ(open(all), "");
  ASSERT_TRUE(node_->init());
  Outside outside;
  const Bytes csr = pem::decode(text_of(scratch_ / "state/sub.csr"))->front().der;
  const Outside::Form form{
      .spki = to_bytes(x509::parse_csr(csr)->spki), .subject = "sub", .signer = outside.key.get()};
  const auto installed = node_->authorities().install(later.answer(outside, form));
  ASSERT_TRUE(installed) << installed.error().detail;
  ASSERT_TRUE(node_->init());
  if (later.later) {
    const std::string file = later.later(outside, form);
    const auto taken = node_->authorities().install(file);
    if (*later.refusal == '\0') {
      ASSERT_TRUE(taken) << taken.error().detail;
      EXPECT_EQ(taken->authority, "sub");
      EXPECT_TRUE(taken->text.starts_with("has above it now: CN=")) << taken->text;
      EXPECT_FALSE(node_->authorities().install(file)) << "what is there is taken once";
    } else {
      ASSERT_FALSE(taken);
      EXPECT_NE(taken.error().detail.find(later.refusal), std::string::npos) << taken.error().detail;
    }
  }
  for (const bool again : {false, true}) {
    if (again) {
      ASSERT_EQ(open(all), "");
    }
    EXPECT_EQ(named(node_->authorities().find("leaf")->chain()), later.chain);
    EXPECT_EQ(named(node_->authorities().path("leaf")), later.path);
    const bool whole = later.path.back() == "CN=outside";
    EXPECT_EQ(node_->authorities().roots_pem(), whole ? pem_of({outside.root}) : "");
  }
}

std::string alone(Outside&, const Outside::Form& form) { return pem_of({Outside::certify(form)}); }
std::string root(Outside& outside, const Outside::Form&) { return pem_of({outside.root}); }
// The same each time, although signatures differ.
std::string with_root(Outside& outside, const Outside::Form& form) {
  static std::map<Bytes, Bytes> answers;
  const auto [answer, fresh] = answers.try_emplace(form.spki);
  if (fresh) answer->second = Outside::certify(form);
  return pem_of({answer->second, outside.root});
}
std::string of_middle(Outside& outside, Outside::Form form) {
  form.issuer = "middle";
  form.signer = outside.middle_key.get();
  return pem_of({Outside::certify(form)});
}

const Later cases[] = {
    {"a root that comes with the answer",
     with_root,
     {},
     {"CN=leaf", "CN=sub"},
     {"CN=leaf", "CN=sub", "CN=outside"}},
    {"no root", alone, {}, {"CN=leaf", "CN=sub"}, {"CN=leaf", "CN=sub"}},
    {"a root that comes later", alone, root, {"CN=leaf", "CN=sub"}, {"CN=leaf", "CN=sub", "CN=outside"}},
    {"a root that comes with the answer's repeat",
     [](Outside& o, const Outside::Form& f) {
       const std::string both = with_root(o, f);
       return both.substr(0, both.rfind("-----BEGIN"));
     },
     with_root,
     {"CN=leaf", "CN=sub"},
     {"CN=leaf", "CN=sub", "CN=outside"}},
    {"one between and the root",
     of_middle,
     [](Outside& o, const Outside::Form&) {
       return pem_of({o.middle, o.root});
     },
     {"CN=leaf", "CN=sub", "CN=middle"},
     {"CN=leaf", "CN=sub", "CN=middle", "CN=outside"}},
    {"the root and one between",
     of_middle,
     [](Outside& o, const Outside::Form&) {
       return pem_of({o.root, o.middle});
     },
     {"CN=leaf", "CN=sub", "CN=middle"},
     {"CN=leaf", "CN=sub", "CN=middle", "CN=outside"}},
    {"one between alone",
     of_middle,
     [](Outside& o, const Outside::Form&) { return pem_of({o.middle}); },
     {"CN=leaf", "CN=sub", "CN=middle"},
     {"CN=leaf", "CN=sub", "CN=middle"}},
    {"a root without the one between",
     of_middle,
     root,
     {"CN=leaf", "CN=sub"},
     {"CN=leaf", "CN=sub"},
     "none lacks it above"},
    {"another root of that name",
     alone,
     [](Outside& o, const Outside::Form&) {
       return pem_of({Outside::certify(
           {.spki = to_bytes(o.other_key->spki()), .subject = "outside", .signer = o.other_key.get()})});
     },
     {"CN=leaf", "CN=sub"},
     {"CN=leaf", "CN=sub"},
     "none lacks it above"},
    {"somebody who is no authority",
     of_middle,
     [](Outside& o, const Outside::Form&) {
       return pem_of({Outside::certify({.spki = to_bytes(o.middle_key->spki()),
                                        .subject = "middle",
                                        .signer = o.key.get(),
                                        .ca = false})});
     },
     {"CN=leaf", "CN=sub"},
     {"CN=leaf", "CN=sub"},
     "the certificate of CN=middle is not an authority's (basicConstraints)"},
    {"a root that has expired",
     alone,
     [](Outside& o, const Outside::Form&) {
       return pem_of({Outside::certify({.spki = to_bytes(o.key->spki()),
                                        .subject = "outside",
                                        .signer = o.key.get(),
                                        .lifetime = -std::chrono::hours{1}})});
     },
     {"CN=leaf", "CN=sub"},
     {"CN=leaf", "CN=sub"},
     "the certificate of CN=outside expired at "},
    {"the root twice",
     with_root,
     root,
     {"CN=leaf", "CN=sub"},
     {"CN=leaf", "CN=sub", "CN=outside"},
     "none lacks it above"},
};
INSTANTIATE_TEST_SUITE_P(Cases, WhatStandsAbove, ::testing::ValuesIn(cases));

// The file of an import brings the root as an answer does.
TEST_F(AuthorityNode, KeepsTheRootThatStandsAboveAnImport) {
  ASSERT_EQ(open(authority("old")), "");
  Outside outside;
  const auto key = Outside::new_key();
  const Bytes own =
      Outside::certify({.spki = to_bytes(key->spki()), .subject = "old", .signer = outside.key.get()});
  ASSERT_TRUE(node_->authorities().import("old", *key->to_pem(), Secret(""), pem_of({own, outside.root})));
  EXPECT_EQ(node_->authorities().path("old"), (std::vector<Bytes>{own, outside.root}));
  ASSERT_EQ(open(authority("old")), "");
  EXPECT_EQ(node_->authorities().path("old"), (std::vector<Bytes>{own, outside.root}));
}

}  // namespace
}  // namespace hanaper::test
