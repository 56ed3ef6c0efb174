// Authorities of a node: made by init, signed by somebody outside, imported, and found again.
#include "authorities_support.hpp"

#include <functional>

namespace hanaper::test {
namespace {

using crypto::SoftKey;

struct Made {
  const char* name;
  std::string authorities;
  std::vector<std::string> says;   // how the lines of init begin, in order
  std::vector<std::string> again;  // and those of a second one; none: the first is refused
};
std::ostream& operator<<(std::ostream& out, const Made& of) { return out << of.name; }

class Init : public AuthorityNode, public ::testing::WithParamInterface<Made> {};

TEST_P(Init, MakesWhatIsMissingAndChangesNothing) {
  const Made& wanted = GetParam();
  ASSERT_EQ(open(wanted.authorities), "");
  expect_lines(init(), wanted.says);
  if (wanted.again.empty()) return;
  std::map<std::string, Bytes> before;
  for (const auto& [name, unused] : node_->model().authorities) before[name] = certificate_of(name);
  expect_lines(init(), wanted.again);
  ASSERT_EQ(open(wanted.authorities), "") << "the ledger has them";
  for (const auto& [name, certificate] : before) EXPECT_EQ(certificate_of(name), certificate) << name;
  expect_lines(init(), wanted.again);
}

const Made made[] = {
    {"a root",
     authority("root"),
     {"root: created, self-signed, CN=root, ec-p256, until "},
     {"root: exists, CN=root, until "}},
    {"one below another",
     authority("root") + authority("issuing", "issuer = \"root\""),
     {"root: created, self-signed", "issuing: created below root, CN=issuing, ec-p256, until "},
     {"root: exists", "issuing: exists"}},
    {"an issuer whose name comes later",
     authority("a", "issuer = \"z\"") + authority("z"),
     {"z: created, self-signed", "a: created below z"},
     {"z: exists", "a: exists"}},
    {"one that waits for an outside issuer, and one that waits for it",
     authority("sub", "issuer = \"external\"") + authority("leaf", "issuer = \"sub\""),
     {"sub: waits for an outside issuer; have it sign ", "leaf: waits for the certificate of authority sub"},
     {"sub: waits for an outside issuer", "leaf: waits for"}},
    {"a path length that counts down",
     authority("root", "path_length = 1") + authority("issuing", "issuer = \"root\"\npath_length = 0"),
     {"root: created", "issuing: created below root"},
     {"root: exists", "issuing: exists"}},
    {"nobody below a path length of 0",
     authority("root", "path_length = 0") + authority("issuing", "issuer = \"root\""),
     {"authority.issuing: authority root may have no authority below it (path_length = 0)"},
     {}},
    {"a path length that is not given",
     authority("root", "path_length = 1") + authority("issuing", "issuer = \"root\""),
     {"authority.issuing.path_length: must be given and below that of authority root"},
     {}},
    {"a path length that does not count down",
     authority("root", "path_length = 1") + authority("issuing", "issuer = \"root\"\npath_length = 1"),
     {"authority.issuing.path_length: must be given and below that of authority root"},
     {}},
    {"a registrar with a key of its own",
     authority("root", "registrar = \"soft:registrar\""),
     {"root: created"},
     {"root: exists"}},
    {"a registrar by the authority's RSA key",
     authority("root", "key_type = \"rsa-2048\"\nregistrar = \"authority\""),
     {"root: created, self-signed, CN=root, rsa-2048"},
     {"root: exists"}},
    {"a registrar by a key that cannot decrypt",
     authority("root", "registrar = \"authority\""),
     {"authority.root.registrar: an authority that is its own registrar needs an RSA key"},
     {}},
};
INSTANTIATE_TEST_SUITE_P(Authorities, Init, ::testing::ValuesIn(made));

struct Changed {
  const char* name;
  std::string first, then;
  const char* refusal;  // "": it starts
};
std::ostream& operator<<(std::ostream& out, const Changed& of) { return out << of.name; }

class FoundAgain : public AuthorityNode, public ::testing::WithParamInterface<Changed> {};

TEST_P(FoundAgain, OnlyByItsOwnKeyAndName) {
  ASSERT_EQ(open(GetParam().first), "");
  ASSERT_TRUE(node_->init());
  const std::string said = open(GetParam().then);
  if (*GetParam().refusal == '\0')
    EXPECT_EQ(said, "");
  else
    EXPECT_NE(said.find(GetParam().refusal), std::string::npos) << said;
}

const Changed changed[] = {
    {"unchanged", authority("root"), authority("root"), ""},
    {"with one more", authority("root"), authority("root") + authority("more"), ""},
    {"under another label", authority("root"), authority("root", "key = \"soft:elsewhere\""),
     "authority.root.key: "},
    {"under another's label", authority("root") + authority("other"),
     authority("root", "key = \"soft:other\"") + authority("other", "key = \"soft:root\""),
     "authority.other.key: the key soft:root does not match the authority's certificate"},
    {"renamed", authority("root"),
     "[authority.root]\nkey = \"soft:root\"\nsubject = \"CN=Another\"\n"
     "[pipeline.root]\nauthority = \"root\"\nprofiles = [\"web\"]\n",
     "authority.root.subject: the certificate says \"CN=root\", the configuration \"CN=Another\""},
    {"with a registrar that was never made", authority("root"),
     authority("root", "registrar = \"soft:registrar\""), "authority.root.registrar"},
};
INSTANTIATE_TEST_SUITE_P(Authorities, FoundAgain, ::testing::ValuesIn(changed));

struct Answer {
  const char* name;
  // The file that comes back; `form` is that of a right certificate for what was asked.
  std::function<std::string(Outside&, Outside::Form)> file;
  std::size_t chain = 0;  // certificates that the authority then sends; 0: it is refused
  const char* refusal = "";
};
std::ostream& operator<<(std::ostream& out, const Answer& of) { return out << of.name; }

class Install : public AuthorityNode, public ::testing::WithParamInterface<Answer> {};

TEST_P(Install, TakesTheAnswerOfAnOutsideIssuer) {
  const Answer& answer = GetParam();
  const std::string all = authority("sub", "issuer = \"external\"") + authority("leaf", "issuer = \"sub\"");
  ASSERT_EQ(open(all), "");
  ASSERT_TRUE(node_->init());
  const Bytes csr = pem::decode(text_of(scratch_ / "state/sub.csr"))->front().der;
  const auto asked = x509::parse_csr(csr);
  ASSERT_TRUE(asked && x509::verify_csr(*asked)) << "the request is one";
  ASSERT_NE(asked->find(oid::basic_constraints), nullptr) << "and asks for an authority";
  Outside outside;
  const Outside::Form form{.spki = to_bytes(asked->spki), .subject = "sub", .signer = outside.key.get()};
  const std::string file = answer.file(outside, form);
  const auto installed = node_->authorities().install(file);
  if (answer.chain == 0) {
    ASSERT_FALSE(installed);
    EXPECT_NE(installed.error().detail.find(answer.refusal), std::string::npos) << installed.error().detail;
    EXPECT_EQ(node_->authorities().find("sub"), nullptr);
    ASSERT_EQ(open(all), "") << "and nothing is in the ledger";
    EXPECT_EQ(node_->authorities().find("sub"), nullptr);
    return;
  }
  ASSERT_TRUE(installed) << installed.error().detail;
  EXPECT_TRUE(installed->text.starts_with("installed, until ")) << installed->text;
  EXPECT_EQ(node_->authorities().find("sub")->chain().size(), answer.chain);
  const auto twice = node_->authorities().install(file);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::conflict) << "an authority keeps its certificate";
  expect_lines(init(), {"sub: exists", "leaf: created below sub"});
  ASSERT_EQ(open(all), "");
  EXPECT_EQ(node_->authorities().find("leaf")->chain().size(), answer.chain + 1);
}

// A right answer but for one thing.
template <class Change>
auto changed_form(Change change) {
  return [change](Outside& outside, Outside::Form form) {
    change(outside, form);
    return pem_of({Outside::certify(form), outside.root});
  };
}

const Answer answers[] = {
    {"with the root",
     [](Outside& o, Outside::Form f) {
       return pem_of({Outside::certify(f), o.root});
     },
     1},
    {"alone", [](Outside&, Outside::Form f) { return pem_of({Outside::certify(f)}); }, 1},
    {"with one between",
     [](Outside& o, Outside::Form f) {
       f.issuer = "middle";
       f.signer = o.middle_key.get();
       return pem_of({Outside::certify(f), o.middle, o.root});
     },
     2},
    {"with text around",
     [](Outside&, Outside::Form f) { return "to you:\n" + pem_of({Outside::certify(f)}); }, 1},
    {"in the wrong order",
     [](Outside& o, Outside::Form f) {
       f.issuer = "middle";
       f.signer = o.middle_key.get();
       return pem_of({Outside::certify(f), o.root, o.middle});
     },
     0, "authority.sub: the certificates of the file do not follow each other"},
    {"of another key",
     changed_form([](Outside& o, Outside::Form& f) { f.spki = to_bytes(o.other_key->spki()); }), 0,
     "no authority with issuer = \"external\" waits for a certificate of that key"},
    {"of another subject", changed_form([](Outside&, Outside::Form& f) { f.subject = "other"; }), 0,
     "authority.sub: the certificate's subject is \"CN=other\", not \"CN=sub\""},
    {"of no authority", changed_form([](Outside&, Outside::Form& f) { f.ca = false; }), 0,
     "authority.sub: the certificate is not an authority's (basicConstraints)"},
    {"without basicConstraints", changed_form([](Outside&, Outside::Form& f) { f.ca = std::nullopt; }), 0,
     "authority.sub: the certificate is not an authority's (basicConstraints)"},
    {"that may sign no certificates",
     changed_form([](Outside&, Outside::Form& f) { f.usage = x509::digital_signature; }), 0,
     "authority.sub: the certificate's key usage lacks keyCertSign"},
    {"that has expired",
     changed_form([](Outside&, Outside::Form& f) { f.lifetime = -std::chrono::hours{1}; }), 0,
     "authority.sub: the certificate expired at "},
    {"that somebody else has signed",
     changed_form([](Outside& o, Outside::Form& f) { f.signer = o.other_key.get(); }), 0,
     "authority.sub: a certificate's signature does not verify under the one above it"},
    {"that is the request", [](Outside&, Outside::Form) { return std::string("no PEM at all"); }, 0,
     "no CERTIFICATE in the file"},
    {"that is empty", [](Outside&, Outside::Form) { return std::string(); }, 0, "no CERTIFICATE in the file"},
};
INSTANTIATE_TEST_SUITE_P(Answers, Install, ::testing::ValuesIn(answers));

// What is imported: a key and a certificate, and what there is already.
struct Existing {
  Outside outside;
  std::string name = "old";
  std::shared_ptr<SoftKey> key = Outside::new_key();
  std::optional<std::string> key_pem;  // default: the key's
  std::string pin;
  std::optional<std::string> file;  // default: a self-signed certificate of the key
};

struct Imported {
  const char* name;
  std::function<void(Existing&, Node&)> arrange;
  Code code = Code::internal;  // of the refusal
  const char* refusal = "";    // "": it is taken
  std::size_t chain = 0;       // then
};
std::ostream& operator<<(std::ostream& out, const Imported& of) { return out << of.name; }

class Import : public AuthorityNode, public ::testing::WithParamInterface<Imported> {};

TEST_P(Import, TakesOverWhatFits) {
  ASSERT_EQ(open(authority("old")), "");
  Existing existing;
  if (GetParam().arrange) GetParam().arrange(existing, *node_);
  const Bytes root = Outside::certify({.spki = to_bytes(existing.key->spki()),
                                       .subject = "old",
                                       .issuer = "old",
                                       .signer = existing.key.get()});
  const Secret key_pem = existing.key_pem ? Secret(*existing.key_pem) : *existing.key->to_pem();
  const Bytes before = certificate_of("old");
  const auto imported = node_->authorities().import(existing.name, key_pem, Secret(existing.pin),
                                                    existing.file.value_or(pem_of({root})));
  if (*GetParam().refusal != '\0') {
    ASSERT_FALSE(imported);
    EXPECT_EQ(to_string(imported.error().code), to_string(GetParam().code)) << imported.error().detail;
    EXPECT_NE(imported.error().detail.find(GetParam().refusal), std::string::npos) << imported.error().detail;
    EXPECT_EQ(certificate_of("old"), before);
    return;
  }
  ASSERT_TRUE(imported) << imported.error().detail;
  EXPECT_TRUE(imported->text.starts_with("imported, ec-p256, until ")) << imported->text;
  const Bytes taken = certificate_of("old");
  ASSERT_EQ(open(authority("old")), "");
  EXPECT_EQ(certificate_of("old"), taken);
  EXPECT_EQ(node_->authorities().find("old")->chain().size(), GetParam().chain);
  expect_lines(init(), {"old: exists, CN=old, until "});
}

const Imported imports[] = {
    {"a root", {}},
    {"one with those above it",
     [](Existing& of, Node&) {
       of.file =
           pem_of({Outside::certify(
                       {.spki = to_bytes(of.key->spki()), .subject = "old", .signer = of.outside.key.get()}),
                   of.outside.root});
     },
     Code::internal, "", 1},
    {"one whose key is encrypted",
     [](Existing& of, Node&) {
       of.pin = "a pin of some length";
       of.key_pem = *of.key->to_encrypted_pem(Secret(of.pin));
     }},
    {"one whose key is there since an import that was cut short",
     [](Existing& of, Node& node) { EXPECT_TRUE(node.keys("soft")->import("old", *of.key->to_pkcs8())); }},
    {"a wrong pin",
     [](Existing& of, Node&) {
       of.key_pem = *of.key->to_encrypted_pem(Secret("a pin of some length"));
       of.pin = "another pin";
     },
     Code::forbidden, "pin"},
    {"no key", [](Existing& of, Node&) { of.key_pem = "no PEM"; }, Code::malformed, "key"},
    {"the key of another certificate",
     [](Existing& of, Node&) { of.key_pem = std::string(of.outside.key->to_pem()->reveal()); },
     Code::rejected, "authority.old: the certificate's key is not soft:old"},
    {"an authority that is not configured", [](Existing& of, Node&) { of.name = "older"; }, Code::not_found,
     "no authority \"older\" in the configuration"},
    {"an authority that has a certificate", [](Existing&, Node& node) { EXPECT_TRUE(node.init()); },
     Code::conflict, "authority old has a certificate already"},
    {"a label that another key has",
     [](Existing&, Node& node) {
       EXPECT_TRUE(node.keys("soft")->create("old", {KeyType::ec_p256, 0}));
     },
     Code::conflict, "soft:old is another key; name a new label"},
    {"no certificate", [](Existing& of, Node&) { of.file = ""; }, Code::malformed,
     "no CERTIFICATE in the file"},
};
INSTANTIATE_TEST_SUITE_P(Authorities, Import, ::testing::ValuesIn(imports));

class SharedKey : public AuthorityNode {};

// Labels differ; where two providers lead to one token, so may the providers.
TEST_F(SharedKey, IsRefusedUnderWhateverLabel) {
  ASSERT_EQ(open(authority("one") + authority("two")), "");
  const auto key = Outside::new_key();
  const auto import = [&](const std::string& name) {
    const Bytes root = Outside::certify(
        {.spki = to_bytes(key->spki()), .subject = name, .issuer = name, .signer = key.get()});
    return node_->authorities().import(name, *key->to_pem(), Secret(), pem_of({root}));
  };
  const auto first = import("one");
  ASSERT_TRUE(first) << first.error().detail;
  const std::string refusal = "authority.two.key: soft:two is the key of authority \"one\"";
  const auto second = import("two");
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().detail.starts_with(refusal)) << second.error().detail;
  ASSERT_TRUE(node_->keys("soft")->import("two", *key->to_pkcs8()));
  expect_lines(init(), {refusal});
  EXPECT_TRUE(certificate_of("two").empty());
}

}  // namespace
}  // namespace hanaper::test
