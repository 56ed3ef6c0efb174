// Distinguished names: DER and text against OpenSSL's.
#include "oracle_family.hpp"
#include "oracle_foreign.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

namespace hanaper::oracle {
namespace {

constexpr std::size_t names = 1000;

std::string printed(const X509_NAME* name, unsigned long flags) {
  const Owned<BIO, BIO_free_all> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, flags);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

bool has_known_types_only(const x509::Name& name) {
  return std::ranges::all_of(name, [](const NameAttribute& attribute) {
    return std::ranges::find(known_types(), attribute.oid, &KnownType::oid) != known_types().end();
  });
}

// The text of either side in one spelling: OpenSSL writes the label of streetAddress small, and leaves '='
// within a value alone where RFC 4514 2.4 lets us escape it.
std::string one_spelling(std::string_view text) {
  std::string spelling;
  bool label = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (label && text.substr(i).starts_with("street=")) {
      spelling += "STREET";
      i += 6;
    }
    label = text[i] == ',';
    if (text[i] != '\\') {
      spelling.push_back(text[i]);
      continue;
    }
    if (text[++i] != '=') spelling.push_back('\\');
    spelling.push_back(text[i]);
  }
  return spelling;
}

TEST(OracleNames, HaveTheOctetsOpensslWritesForThem) {
  for (std::size_t i = 0; i < names; ++i) {
    SCOPED_TRACE(trace("name", i));
    Random random = random_for("name", i);
    const x509::Name name = random_name(random);
    const Bytes der = x509::encode_name(name);
    const NamePtr theirs = read_name(der);
    ASSERT_TRUE(theirs);
    EXPECT_EQ(name_of(theirs.get()), name);
    EXPECT_EQ(encoded_anew(theirs.get()), der);
    // OpenSSL's own choice of string types, from the values alone.
    const NamePtr chosen(X509_NAME_new());
    for (const NameAttribute& attribute : name)
      add_attribute(chosen.get(), attribute.oid.c_str(), MBSTRING_UTF8, as_bytes(attribute.value));
    ERR_clear_error();
    // It refuses mail addresses of more than 128 characters, RFC 3280's bound; RFC 5280 A.1 has 255.
    if (X509_NAME_entry_count(chosen.get()) == static_cast<int>(name.size())) {
      EXPECT_EQ(to_hex(encoded(i2d_X509_NAME, chosen.get())), to_hex(der));
    } else {
      EXPECT_TRUE(std::ranges::any_of(name, [](const NameAttribute& attribute) {
        return attribute.oid == "1.2.840.113549.1.9.1" && attribute.value.size() > 128;
      }));
    }
    const auto parsed = x509::parse_name(der);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
    EXPECT_EQ(*parsed, name);
    if (HasFailure()) return;
  }
}

TEST(OracleNames, ArePrintedAsOpensslPrintsThem) {
  std::size_t compared = 0;
  for (std::size_t i = 0; i < names; ++i) {
    SCOPED_TRACE(trace("name", i));
    Random random = random_for("name", i);
    const x509::Name name = random_name(random);
    if (name.empty() || !has_known_types_only(name)) continue;
    // RFC 4514 2.4 has a '#' at the beginning escaped; OpenSSL forgets that when nothing follows.
    if (std::ranges::find(name, "#", &NameAttribute::value) != name.end()) continue;
    ++compared;
    const NamePtr theirs = read_name(x509::encode_name(name));
    ASSERT_TRUE(theirs);
    const unsigned long readable = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
    EXPECT_EQ(one_spelling(x509::name_text(name)), one_spelling(printed(theirs.get(), readable)));
    // Whatever of its escapes OpenSSL uses, the text is read back to the same name.
    for (unsigned long flags : {readable, static_cast<unsigned long>(XN_FLAG_RFC2253)}) {
      const std::string text = printed(theirs.get(), flags);
      const auto read = x509::parse_name_text(text);
      ASSERT_TRUE(read.has_value()) << text << ": " << read.error().detail;
      EXPECT_EQ(*read, name) << text;
    }
    const auto again = x509::parse_name_text(x509::name_text(name));
    ASSERT_TRUE(again.has_value()) << x509::name_text(name) << ": " << again.error().detail;
    EXPECT_EQ(*again, name);
    if (HasFailure()) return;
  }
  EXPECT_GT(compared, names / 2);
}

TEST(OracleNames, OfEveryKnownTypeHaveTheBoundsOfRfc5280) {
  for (const KnownType& type : known_types()) {
    if (type.form == KnownType::Form::country) continue;
    const NameAttribute longest{std::string(type.oid), std::string(type.bound, 'a')};
    const NameAttribute longer{std::string(type.oid), std::string(type.bound + 1, 'a')};
    EXPECT_TRUE(x509::check_attribute(longest).has_value()) << type.oid;
    EXPECT_FALSE(x509::check_attribute(longer).has_value()) << type.oid;
    const int nid = OBJ_txt2nid(longest.oid.c_str());
    ASSERT_NE(nid, NID_undef) << type.oid;
    const ASN1_STRING_TABLE* table = ASN1_STRING_TABLE_get(nid);
    if (table == nullptr || table->maxsize <= 0 || nid == NID_pkcs9_emailAddress) continue;
    EXPECT_EQ(static_cast<std::size_t>(table->maxsize), type.bound) << type.oid;
  }
}

// Characters count, not octets.
TEST(OracleNames, AreMeasuredInCharacters) {
  std::string sixty_four;
  for (int i = 0; i < 64; ++i) sixty_four += "\xf0\x9f\x94\x91";
  EXPECT_TRUE(x509::check_attribute({"2.5.4.3", sixty_four}).has_value());
  EXPECT_FALSE(x509::check_attribute({"2.5.4.3", sixty_four + "a"}).has_value());
  const NamePtr name(X509_NAME_new());
  add_attribute(name.get(), "CN", MBSTRING_UTF8, as_bytes(sixty_four));
  EXPECT_EQ(X509_NAME_entry_count(name.get()), 1);
  add_attribute(name.get(), "CN", MBSTRING_UTF8, as_bytes(sixty_four + "a"));
  EXPECT_EQ(X509_NAME_entry_count(name.get()), 1);
  ERR_clear_error();
}

TEST(OracleNames, InEveryStringTypeAreReadToTheSameText) {
  for (std::size_t i = 0; i < names; ++i) {
    SCOPED_TRACE(trace("foreign name", i));
    Random random = random_for("foreign name", i);
    const NamePtr theirs = foreign_name(random);
    const auto ours = x509::parse_name(encoded(i2d_X509_NAME, theirs.get()));
    ASSERT_TRUE(ours.has_value()) << ours.error().detail;
    EXPECT_EQ(*ours, name_of(theirs.get()));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace hanaper::oracle
