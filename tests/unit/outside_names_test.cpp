// Authorities whose names others have written, in string types that we would not choose.
#include "authorities_support.hpp"

#include <hanaper/toolkit/name_match.hpp>

namespace hanaper::test {
namespace {

struct Attribute {
  const char* oid;
  std::uint8_t tag;
  std::string octets;
};

Bytes name_of(const std::vector<Attribute>& attributes) {
  der::Writer writer;
  writer.sequence([&] {
    for (std::size_t i = attributes.size(); i-- > 0;)
      writer.constructed(der::set, [&] {
        writer.sequence([&] {
          writer.text(attributes[i].tag, attributes[i].octets);
          writer.oid(*der::oid_from_text(attributes[i].oid));
        });
      });
  });
  return writer.bytes();
}

constexpr const char *country = "2.5.4.6", *organization = "2.5.4.10", *common_name = "2.5.4.3",
                     *component = "0.9.2342.19200300.100.1.25", *mail = "1.2.840.113549.1.9.1";

struct Written {
  const char* name;
  std::string subject;  // the configuration's
  std::vector<Attribute> attributes;
  bool fits = true;
};
std::ostream& operator<<(std::ostream& out, const Written& of) { return out << of.name; }

class NameOfSomebodyElse : public AuthorityNode, public ::testing::WithParamInterface<Written> {
 protected:
  static std::string table(const std::string& name, const std::string& subject,
                           const std::string& more = {}) {
    return "[authority." + name + "]\nkey = \"soft:" + name + "\"\nsubject = \"" + subject + "\"\n" + more +
           "\n";
  }
  // Whether these octets are somewhere in an extension.
  static bool has(const Bytes& certificate, ByteView octets) {
    const auto view = x509::parse_certificate(certificate);
    return std::ranges::any_of(view->extensions, [&](const auto& extension) {
      return as_text(extension.value).find(as_text(octets)) != std::string_view::npos;
    });
  }
};

TEST_P(NameOfSomebodyElse, StaysAsItWasInWhatTheAuthoritySigns) {
  const Written& written = GetParam();
  const std::string all = table("old", written.subject, "next = \"new\"") + table("new", "CN=new") +
                          table("sub", "CN=sub", "issuer = \"old\"") +
                          table("user", "CN=user", "issuer = \"new\"") +
                          "[protocol.crl]\nurl = \"http://pki.example.test/crl\"\n"
                          "authorities = [\"new\"]\nissuer = \"old\"\n"
                          "[pipeline.sub]\nauthority = \"sub\"\nprofiles = [\"web\"]\n"
                          "[pipeline.user]\nauthority = \"user\"\nprofiles = [\"web\"]\n";
  ASSERT_EQ(open(all), "");
  const Bytes name = name_of(written.attributes);
  const auto key = Outside::new_key();
  const Bytes root = Outside::certify({.spki = to_bytes(key->spki()),
                                       .subject = "",
                                       .subject_name = name,
                                       .issuer_name = name,
                                       .signer = key.get()});
  const auto imported = node_->authorities().import("old", *key->to_pem(), Secret(""), pem_of({root}));
  if (!written.fits) {
    ASSERT_FALSE(imported);
    EXPECT_NE(imported.error().detail.find("authority.old: the certificate's subject is \""),
              std::string::npos)
        << imported.error().detail;
    return;
  }
  ASSERT_TRUE(imported) << imported.error().detail;
  ASSERT_TRUE(node_->init());
  for (const bool again : {false, true}) {
    if (again) {
      ASSERT_EQ(open(all), "") << "a start takes it as well";
    }
    const auto authority = node_->authorities().find("old");
    ASSERT_NE(authority, nullptr);
    EXPECT_TRUE(equal(authority->subject(), name));
    EXPECT_TRUE(authority->is_root());
    EXPECT_TRUE(equal(x509::parse_certificate(certificate_of("sub"))->issuer, name)) << "what it has signed";
    EXPECT_TRUE(has(certificate_of("user"), name)) << "whose CRLs it signs";
    EXPECT_EQ(node_->authorities().path("sub").size(), 2u) << "the root is found above";
  }
  std::vector<Bytes> crosses;
  RollOvers roll_overs(node_->model(), node_->authorities());
  ASSERT_TRUE(roll_overs.load(node_->storage().records()));
  for (const Bytes& other : roll_overs.around("new").others) {
    const auto view = x509::parse_certificate(other);
    if (!equal(view->issuer, view->subject)) crosses.push_back(other);
  }
  ASSERT_EQ(crosses.size(), 2u);
  for (const Bytes& cross : crosses) {
    const auto view = x509::parse_certificate(cross);
    EXPECT_TRUE(equal(view->subject, name) || equal(view->issuer, name));
  }
}

const Written written[] = {
    {"as we would",
     "CN=Old CA,O=Example,C=DE",
     {{country, der::printable_string, "DE"},
      {organization, der::utf8_string, "Example"},
      {common_name, der::utf8_string, "Old CA"}}},
    {"as Go, Java and AD CS do",
     "CN=Old CA,O=Example,C=DE",
     {{country, der::printable_string, "DE"},
      {organization, der::printable_string, "Example"},
      {common_name, der::printable_string, "Old CA"}}},
    {"as old OpenSSL did, beyond ASCII",
     "CN=Old CA,O=M\u00fcller",
     {{organization, der::teletex_string, "M\xfcller"}, {common_name, der::printable_string, "Old CA"}}},
    {"in octet pairs", "CN=Old CA", {{common_name, der::bmp_string, std::string("\0O\0l\0d\0 \0C\0A", 12)}}},
    {"an organization of IA5",
     "CN=Old CA,O=Example",
     {{organization, der::ia5_string, "Example"}, {common_name, der::utf8_string, "Old CA"}}},
    {"in a domain",
     "CN=Old CA,DC=example,DC=test",
     {{component, der::ia5_string, "test"},
      {component, der::ia5_string, "example"},
      {common_name, der::printable_string, "Old CA"}}},
    {"with a mailbox",
     "emailAddress=ca@example.test,CN=Old CA",
     {{common_name, der::teletex_string, "Old CA"}, {mail, der::ia5_string, "ca@example.test"}}},
    {"in another case", "CN=old ca", {{common_name, der::printable_string, "Old CA"}}},
    {"with more blanks", "CN=Old CA", {{common_name, der::printable_string, " Old  CA "}}},
    {"another name", "CN=Old CA 2", {{common_name, der::printable_string, "Old CA"}}, false},
    {"another order",
     "CN=Old CA,C=DE",
     {{common_name, der::printable_string, "Old CA"}, {country, der::printable_string, "DE"}},
     false},
    {"one part more",
     "CN=Old CA",
     {{country, der::printable_string, "DE"}, {common_name, der::printable_string, "Old CA"}},
     false},
};
INSTANTIATE_TEST_SUITE_P(Names, NameOfSomebodyElse, ::testing::ValuesIn(written));

// An issuer that spells its own name in another way below than above.
TEST_F(AuthorityNode, TakesAnAnswerWhoseIssuerIsSpeltAsRfc5280Allows) {
  const std::string all = authority("sub", "issuer = \"external\"");
  ASSERT_EQ(open(all), "");
  ASSERT_TRUE(node_->init());
  const Bytes csr = pem::decode(text_of(scratch_ / "state/sub.csr"))->front().der;
  Outside outside;
  const Bytes answer =
      Outside::certify({.spki = to_bytes(x509::parse_csr(csr)->spki),
                        .subject = "sub",
                        .issuer_name = name_of({{common_name, der::printable_string, "OUTSIDE"}}),
                        .signer = outside.key.get()});
  const auto installed = node_->authorities().install(pem_of({answer, outside.root}));
  EXPECT_TRUE(installed) << installed.error().detail;
}

}  // namespace
}  // namespace hanaper::test
