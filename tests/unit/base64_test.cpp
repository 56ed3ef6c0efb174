#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <gtest/gtest.h>

namespace hanaper {
namespace {

TEST(Base64, AgreesWithTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> table[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : table) {
    EXPECT_EQ(base64::encode(as_bytes(text)), encoded);
    const auto decoded = base64::decode(encoded);
    ASSERT_TRUE(decoded.has_value()) << encoded;
    EXPECT_EQ(as_text(*decoded), text);
  }
}

TEST(Base64, RefusesEverySecondSpelling) {
  for (const char* bad :
       {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z", "Zm 8=", "Zm8=\n", "=Zm8", "Zm-_", "Zg==Zg=="})
    EXPECT_FALSE(base64::decode(bad).has_value()) << bad;
  for (const char* bad : {"Zg==", "Zh", "Z", "Zm+/", "Zm 9"})
    EXPECT_FALSE(base64::decode_url(bad).has_value()) << bad;
  EXPECT_EQ(as_text(*base64::decode_url("Zg")), "f");
  const Bytes octets{0xfb, 0xff};
  EXPECT_EQ(base64::encode_url(octets), "-_8");
}

TEST(Pem, ReadsEveryBlockBetweenOtherText) {
  const std::string file = "subject=CN=a\n" + pem::encode("CERTIFICATE", Bytes(100, 1)) + "\nmore\n" +
                           pem::encode("PRIVATE KEY", Bytes(3, 2));
  const auto blocks = pem::decode(file);
  ASSERT_TRUE(blocks.has_value());
  ASSERT_EQ(blocks->size(), 2u);
  EXPECT_EQ((*blocks)[0].label, "CERTIFICATE");
  EXPECT_EQ((*blocks)[0].der, Bytes(100, 1));
  EXPECT_EQ((*blocks)[1].label, "PRIVATE KEY");
}

TEST(Pem, RefusesBlocksWithoutEndWithHeadersOrWithBadBase64) {
  EXPECT_FALSE(pem::decode("-----BEGIN X-----\nAAAA\n").has_value());
  EXPECT_FALSE(pem::decode("-----BEGIN X-----\nAAAA\n-----END Y-----\n").has_value());
  EXPECT_FALSE(
      pem::decode("-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END X-----\n").has_value());
  EXPECT_FALSE(pem::decode("-----BEGIN X-----\nAA!A\n-----END X-----\n").has_value());
  EXPECT_TRUE(pem::decode("nothing here")->empty());
}

// Names end up on command lines.
TEST(RandomNames, NeverLookLikeOptions) {
  for (int i = 0; i < 3000; ++i) {
    const std::string name = crypto::random_name(9);
    ASSERT_EQ(name.size(), 12u);
    ASSERT_NE(name.front(), '-') << name;
  }
}

}  // namespace
}  // namespace hanaper
