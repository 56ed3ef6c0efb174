// Certificates OpenSSL writes, read by the toolkit.
#include "oracle_foreign.hpp"
#include "oracle_agreement.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <gtest/gtest.h>

#include <map>

namespace hanaper::oracle {
namespace {

constexpr std::size_t foreign_certificates = 1100;

TEST(OracleForeignCertificates, AreReadToTheSameValues) {
  std::size_t names = 0;
  std::map<std::string, std::size_t> kinds;
  for (std::size_t i = 0; i < foreign_certificates; ++i) {
    SCOPED_TRACE(trace("foreign certificate", i));
    const X509Ptr x509 = foreign_certificate(i);
    ASSERT_TRUE(x509);
    const Bytes der = encoded(i2d_X509, x509.get());
    const auto view = x509::parse_certificate(der);
    ASSERT_TRUE(view.has_value()) << view.error().detail;
    EXPECT_EQ(expect_agreement(x509.get(), *view), std::vector<std::string>{});
    for (const x509::ExtensionView& extension : view->extensions) ++kinds[der::oid_to_text(extension.oid)];
    names += static_cast<std::size_t>(X509_NAME_entry_count(X509_get_subject_name(x509.get())));
    const Signer& signer = signers()[i % signers().size()];
    const auto scheme = x509::parse_signature_algorithm(view->outer_algorithm);
    ASSERT_TRUE(scheme.has_value()) << scheme.error().detail;
    EXPECT_EQ(*scheme, signer.scheme);
    EXPECT_TRUE(crypto::verify(*scheme, signer.key->spki(), view->whole, view->signature).has_value());
    if (HasFailure()) return;
  }
  // The family is no empty one: every kind of extension that oracle_foreign.cpp knows was met.
  EXPECT_EQ(kinds.size(), 16u);
  for (const auto& [oid, count] : kinds) EXPECT_GT(count, 50u) << oid;
  EXPECT_GT(names, foreign_certificates * 2);
}

TEST(OracleForeignCertificates, AreAssembledAgainFromTheirParts) {
  for (std::size_t i = 0; i < 100; ++i) {
    SCOPED_TRACE(trace("foreign certificate", i));
    const Bytes der = encoded(i2d_X509, foreign_certificate(i).get());
    const auto view = x509::parse_certificate(der);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(x509::assemble_certificate(view->whole, view->signature), der);
  }
}

TEST(OracleForeignCertificates, AreReadNoFurtherThanTheyGo) {
  for (std::size_t i = 0; i < 50; ++i) {
    SCOPED_TRACE(trace("foreign certificate", i));
    Bytes der = encoded(i2d_X509, foreign_certificate(i).get());
    for (std::size_t size = 0; size < der.size(); size += 1 + size / 20)
      EXPECT_FALSE(x509::parse_certificate(ByteView(der).first(size)).has_value()) << size;
    der.push_back(0);
    EXPECT_FALSE(x509::parse_certificate(der).has_value());
  }
}

struct Refused {
  const char* name;
  int type;
  Bytes value;
  const char* detail;
};

// What OpenSSL reads and the toolkit refuses on purpose: nothing of it belongs into a certificate that a CA
// of today makes or accepts.
TEST(OracleForeignNames, AreRefusedForWhatCannotBeShown) {
  const Refused table[] = {
      {"ControlCharacter", V_ASN1_UTF8STRING, {'a', 0x07}, "no clean UTF-8"},
      {"ZeroOctet", V_ASN1_UTF8STRING, {'a', 0, 'b'}, "no clean UTF-8"},
      {"HighControlCharacter", V_ASN1_T61STRING, {'a', 0x85}, "no clean UTF-8"},
      {"Empty", V_ASN1_UTF8STRING, {}, "is empty"},
      {"NotUtf8", V_ASN1_UTF8STRING, {0xff}, "no clean UTF-8"},
      {"Overlong", V_ASN1_UTF8STRING, {0xc0, 0x80}, "no clean UTF-8"},
      {"UnderscoreInPrintable", V_ASN1_PRINTABLESTRING, {'a', '_'}, "outside PrintableString"},
      {"LatinInIa5", V_ASN1_IA5STRING, {0xe4}, "outside IA5String"},
      {"OddBmp", V_ASN1_BMPSTRING, {0, 'a', 0}, "odd length"},
      {"SurrogateInBmp", V_ASN1_BMPSTRING, {0xd8, 0x3d, 0xdd, 0x11}, "no clean UTF-8"},
      {"OddUniversal", V_ASN1_UNIVERSALSTRING, {0, 0, 'a'}, "UniversalString of odd length"},
      {"BeyondUnicode", V_ASN1_UNIVERSALSTRING, {0, 0x11, 0, 0}, "beyond Unicode"},
      {"GraphicString", V_ASN1_GRAPHICSTRING, {'a'}, "no directory string"},
      {"BitString", V_ASN1_BIT_STRING, {1, 2}, "no directory string"},
  };
  for (const Refused& row : table) {
    der::Writer writer;  // OpenSSL reads some of these and does not write them
    writer.sequence([&] {
      writer.constructed(der::set, [&] {
        writer.sequence([&] {
          writer.primitive(static_cast<std::uint8_t>(row.type), row.value);
          writer.oid(*der::oid_from_text("2.5.4.3"));
        });
      });
    });
    const auto parsed = x509::parse_name(writer.view());
    ASSERT_FALSE(parsed.has_value()) << row.name;
    EXPECT_NE(parsed.error().detail.find(row.detail), std::string::npos)
        << row.name << ": " << parsed.error().detail;
  }
}

// X.501 9.3: a relative distinguished name is a set; devices put CN and serialNumber into one (IEEE
// 802.1AR 8.6).
TEST(OracleForeignNames, MayHaveSeveralAttributesInOnePart) {
  const NamePtr name(X509_NAME_new());
  const auto add = [&](const char* type, std::string_view value, int set) {
    X509_NAME_add_entry_by_txt(name.get(), type, V_ASN1_UTF8STRING,
                               reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, set);
  };
  add("O", "Example", 0);
  add("CN", "router", 0);
  add("OU", "lab", -1);
  add("L", "a", -1);
  const Bytes der = encoded(i2d_X509_NAME, name.get());
  const auto parsed = x509::parse_name(der);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
  EXPECT_EQ(x509::name_text(*parsed), "L=a+OU=lab+CN=router,O=Example");
  EXPECT_EQ(to_hex(x509::encode_name(*parsed)), to_hex(der));
  EXPECT_EQ(x509::parse_name_text("OU=lab+CN=router+L=a,O=Example").value_or({}), *parsed);
}

struct TimeText {
  int type;
  const char* text;
  bool ours;
};

TEST(OracleForeignTimes, AreReadInTheOneFormOfRfc5280) {
  const TimeText table[] = {
      {V_ASN1_UTCTIME, "490228235959Z", true},
      {V_ASN1_UTCTIME, "500101000000Z", true},
      {V_ASN1_UTCTIME, "000229000000Z", true},
      {V_ASN1_GENERALIZEDTIME, "20491231235959Z", true},  // too early for this form, and still read
      {V_ASN1_GENERALIZEDTIME, "99991231235959Z", true},
      {V_ASN1_GENERALIZEDTIME, "19000101000000Z", true},
      // Without seconds, with an offset, with fractions: BER's, which RFC 5280 4.1.2.5 leaves out.
      {V_ASN1_UTCTIME, "4902282359Z", false},
      {V_ASN1_UTCTIME, "490228235959+0100", false},
      {V_ASN1_GENERALIZEDTIME, "20491231235959.5Z", false},
      {V_ASN1_GENERALIZEDTIME, "20491231235959-0130", false},
      {V_ASN1_GENERALIZEDTIME, "204912312359Z", false},
  };
  for (const TimeText& row : table) {
    const TimePtr time(ASN1_STRING_type_new(row.type));
    ASN1_STRING_set(time.get(), row.text, -1);
    const Time theirs = time_of(time.get());
    EXPECT_NE(theirs, Time::min()) << row.text;
    const auto ours = der::parse_time(static_cast<std::uint8_t>(row.type), as_bytes(row.text));
    ASSERT_EQ(ours.has_value(), row.ours) << row.text;
    if (ours) {
      EXPECT_EQ(*ours, theirs) << row.text;
    }
  }
}

TEST(OracleForeignTimes, ThatDoNotExistAreRefusedByBoth) {
  for (const char* text : {"490229000000Z", "491301000000Z", "490100000000Z", "490132000000Z",
                           "490101240000Z", "490101006000Z", "490101000060Z", "", "Z", "4901010000000Z"}) {
    const TimePtr time(ASN1_STRING_type_new(V_ASN1_UTCTIME));
    ASN1_STRING_set(time.get(), text, -1);
    EXPECT_EQ(time_of(time.get()), Time::min()) << text;
    EXPECT_FALSE(der::parse_time(der::utc_time, as_bytes(text)).has_value()) << text;
  }
}

}  // namespace
}  // namespace hanaper::oracle
