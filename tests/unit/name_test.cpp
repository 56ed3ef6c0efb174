#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <gtest/gtest.h>

namespace hanaper::x509 {
namespace {

TEST(Names, ReadRfc4514LastAttributeFirst) {
  const auto name = parse_name_text("CN=Example Issuing CA 1, O=Example\\, Ltd., C=DE");
  ASSERT_TRUE(name.has_value()) << name.error().detail;
  const Name expected = {
      {"2.5.4.6", "DE"}, {"2.5.4.10", "Example, Ltd."}, {"2.5.4.3", "Example Issuing CA 1"}};
  EXPECT_EQ(*name, expected);
  EXPECT_EQ(name_text(*name), "CN=Example Issuing CA 1,O=Example\\, Ltd.,C=DE");
}

TEST(Names, GoToDerAndBack) {
  for (const char* text : {"CN=a",
                           "CN=Gr\xc3\xbc\xc3\x9f"
                           "e,DC=example,DC=test",
                           "UID=42,emailAddress=a@example.test,serialNumber=7"}) {
    const auto name = parse_name_text(text);
    ASSERT_TRUE(name.has_value()) << text;
    const auto parsed = parse_name(encode_name(*name));
    ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
    EXPECT_EQ(*parsed, *name);
    EXPECT_EQ(name_text(*parsed), text);
  }
}

// RFC 4514 2.3: what has no name of its own is written as a number.
TEST(Names, MayHaveTypesByTheirNumbers) {
  const std::pair<const char*, const char*> table[] = {
      {"2.5.4.3=a", "CN=a"},
      {"OID.2.5.4.3=a", "CN=a"},
      {"1.3.6.1.4.1.311.60.2.1.3=DE,CN=a", "1.3.6.1.4.1.311.60.2.1.3=DE,CN=a"},
      {"oid.2.5.4.97=NTRDE-1", "organizationIdentifier=NTRDE-1"},
  };
  for (const auto& [text, again] : table) {
    const auto name = parse_name_text(text);
    ASSERT_TRUE(name.has_value()) << name.error().detail;
    const auto parsed = parse_name(encode_name(*name));
    ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
    EXPECT_EQ(name_text(*parsed), again);
  }
}

TEST(Names, UseTheStringTypesOfRfc5280) {
  EXPECT_EQ(to_hex(encode_name(*parse_name_text("C=DE"))), "300d310b3009060355040613024445");
  EXPECT_EQ(to_hex(encode_name(*parse_name_text("CN=a"))), "300c310a300806035504030c0161");
  EXPECT_EQ(to_hex(encode_name({})), "3000");
}

TEST(Names, RefuseWhatTheyCannotHold) {
  const std::pair<const char*, const char*> table[] = {
      {"", "no attributes"},
      {"CN", "an attribute without '='"},
      {"FOO=x", "unknown attribute"},
      {"3.4.5=x", "unknown attribute"},
      {"1.2.=x", "unknown attribute"},
      {"1.02=x", "unknown attribute"},
      {"OID.=x", "unknown attribute"},
      {"1.2.3=", "1.2.3 is empty"},
      {"CN=", "CN is empty"},
      {"C=DEU", "longer than 2"},
      {"C=D", "two letters"},
      {"CN=a+CN=b", "an attribute twice in one part"},
      {"CN=a+", "nothing after the last '+'"},
      {"O=1,O=2,O=3,O=4,O=5,O=6,O=7,O=8,O=9,O=10,O=11,O=12,O=13,O=14,O=15,O=16,O=17,O=18,O=19,O=20,O=21,"
       "O=22,O=23,O=24,O=25,O=26,O=27,O=28,O=29,O=30,O=31,O=32,O=33",
       "more than 32 attributes"},
      {"CN=#0c0161", "a value in hexadecimal"},
      {"CN=a,", "nothing after the last"},
      {"CN=a\\", "at the end"},
      {"CN=\xff", "not UTF-8"},
      {"CN=a\x01", "control"},
  };
  for (const auto& [text, why] : table) {
    const auto name = parse_name_text(text);
    ASSERT_FALSE(name.has_value()) << text;
    EXPECT_NE(name.error().detail.find(why), std::string::npos) << name.error().detail;
  }
  EXPECT_FALSE(parse_name_text("CN=" + std::string(65, 'a')).has_value());
}

TEST(Names, LeaveOutAttributesOfAPart) {
  const auto left = [](const char* text, std::string_view unwanted) {
    Name name = *parse_name_text(text);
    remove_attributes(name, [&](const NameAttribute& attribute) { return attribute.value == unwanted; });
    return name_text(name);
  };
  EXPECT_EQ(left("CN=a+serialNumber=7,O=b", "a"), "serialNumber=7,O=b");
  EXPECT_EQ(left("CN=a+serialNumber=7,O=b", "7"), "CN=a,O=b");
  EXPECT_EQ(left("CN=a+serialNumber=7,O=b", "b"), "CN=a+serialNumber=7");
  EXPECT_EQ(left("CN=a+serialNumber=7", "x"), "CN=a+serialNumber=7");
}

// Unicode's marks of direction, joiners and the like: whoever approves by sight does not see them.
TEST(Names, HoldNothingThatIsNotSeen) {
  for (const char* value : {"a\u202eb", "a\u200b", "\u2066a",
                            "a\u00ad"
                            "b",
                            "a\ufeff", "a\u2028", "\U000e0041"})
    EXPECT_FALSE(check_attribute({"2.5.4.10", value})) << value;
  for (const char* value : {"Gr\u00fc\u00dfe", "\u041f\u0440\u0438\u043c\u0435\u0440", "\u4f8b", "a b"})
    EXPECT_TRUE(check_attribute({"2.5.4.10", value})) << value;
}

TEST(Names, AreShownAsWhatTheyAre) {
  const std::pair<const char*, const char*> table[] = {
      {"plain, text", "plain, text"},
      {"Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe"},
      {"\u041f\u0440\u0438\u043c\u0435\u0440", "\u041f\u0440\u0438\u043c\u0435\u0440"},
      {"p\u0430ypal", "p\\u{430}ypal"},
      {"a\u202eb", "a\\u{202e}b"},
      {"\uff41dmin", "\\u{ff41}dmin"},
      {"a\u00a0b", "a\\u{a0}b"},
      {"a\xff", "a?"},
  };
  for (const auto& [text, seen] : table) EXPECT_EQ(unicode::shown(text), seen);
  std::string quoted;
  json::append_quoted(quoted, "a\u202eb\U000e0041\u00fc");
  EXPECT_EQ(quoted, "\"a\\u202eb\\udb40\\udc41\u00fc\"");
}

TEST(Names, KeepEscapesAndBlanks) {
  const auto name = parse_name_text("CN=\\ a\\2Cb\\+c\\ ");
  ASSERT_TRUE(name.has_value()) << name.error().detail;
  EXPECT_EQ((*name)[0].value, " a,b+c ");
  EXPECT_EQ(name_text(*name), "CN=\\ a\\,b\\+c\\ ");
}

}  // namespace
}  // namespace hanaper::x509
