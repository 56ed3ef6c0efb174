#include <hanaper/toolkit/der.hpp>

#include <gtest/gtest.h>

namespace hanaper::der {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value_or({}); }

struct BadElement {
  const char* name;
  const char* octets;
  const char* detail;
};

class DerReader : public testing::TestWithParam<BadElement> {};

TEST_P(DerReader, RefusesEncodingsThatAreNotDer) {
  const Bytes input = hex(GetParam().octets);
  Reader reader(input);
  const auto element = reader.next();
  ASSERT_FALSE(element.has_value());
  EXPECT_EQ(element.error().detail, GetParam().detail);
}

INSTANTIATE_TEST_SUITE_P(
    Table, DerReader,
    testing::Values(
        BadElement{"Empty", "", "der: element missing at octet 0"},
        BadElement{"HeaderCut", "30", "der: truncated header at octet 0"},
        BadElement{"HighTag", "1f8101", "der: high tag number at octet 0"},
        BadElement{"Indefinite", "30800000", "der: indefinite length at octet 0"},
        BadElement{"LongFormForShort", "30810100", "der: length is not minimal at octet 0"},
        BadElement{"LeadingZeroLength", "3082008100", "der: length is not minimal at octet 0"},
        BadElement{"FiveLengthOctets", "30850100000000", "der: length of more than 4 octets at octet 0"},
        BadElement{"LengthCut", "308201", "der: truncated length at octet 0"},
        BadElement{"ContentCut", "0403aabb", "der: element longer than its container at octet 0"}),
    [](const auto& test) { return test.param.name; });

TEST(Der, ReadsWhatItAsksForAndSaysWhereItDoesNot) {
  const Bytes input = hex("3009020105010100040161");
  Result<Reader> sequence = open(input, Tag::sequence);
  ASSERT_TRUE(sequence.has_value());
  EXPECT_EQ(*sequence->read_unsigned(), 5u);
  EXPECT_EQ(*sequence->read_boolean(), false);
  const auto null = sequence->read_null();
  ASSERT_FALSE(null.has_value());
  EXPECT_EQ(null.error().detail, "der: tag 05 expected at octet 6");
  EXPECT_EQ(as_text(*sequence->read_octets()), "a");
  EXPECT_TRUE(sequence->finish().has_value());
}

TEST(Der, RefusesIntegersThatAreNotMinimal) {
  for (const char* octets : {"0200", "02020001", "0202ff80"}) {
    const Bytes input = hex(octets);
    EXPECT_FALSE(Reader(input).read_integer().has_value()) << octets;
  }
  const Bytes negative = hex("0201ff");
  EXPECT_TRUE(Reader(negative).read_integer().has_value());
  EXPECT_FALSE(Reader(negative).read_unsigned().has_value());
}

TEST(Der, RefusesBooleansOtherThanZeroAndFf) {
  const Bytes input = hex("010101");
  EXPECT_FALSE(Reader(input).read_boolean().has_value());
}

TEST(Der, TranslatesObjectIdentifiersBothWays) {
  using namespace literals;
  for (const char* dotted : {"2.5.29.17", "1.2.840.113549.1.1.11", "0.9.2342.19200300.100.1.25", "2.999.3",
                             "1.3.6.1.4.1.311.20.2.3"}) {
    const auto octets = oid_from_text(dotted);
    ASSERT_TRUE(octets.has_value()) << dotted;
    EXPECT_TRUE(is_oid(*octets));
    EXPECT_EQ(oid_to_text(*octets), dotted);
  }
  EXPECT_TRUE(equal(*oid_from_text("1.2.840.113549.1.1.11"), "1.2.840.113549.1.1.11"_oid));
  for (const char* bad : {"", "1", "3.1", "1.40", "1..2", "1.2.", "a.b", "01.2", "1.2.99999999999999999999"})
    EXPECT_FALSE(oid_from_text(bad).has_value()) << bad;
  for (const char* bad : {"", "80", "8001", "2a80", "2a8001"}) EXPECT_FALSE(is_oid(hex(bad))) << bad;
}

TEST(Der, WritesMinimalIntegers) {
  const std::pair<std::uint64_t, const char*> table[] = {
      {0, "020100"}, {127, "02017f"}, {128, "02020080"}, {256, "02020100"}, {0xffffffff, "020500ffffffff"}};
  for (const auto& [value, octets] : table) {
    Writer writer;
    writer.integer(value);
    EXPECT_EQ(to_hex(writer.view()), octets);
  }
  Writer writer;
  writer.unsigned_integer(hex("0000ff"));
  EXPECT_EQ(to_hex(writer.view()), "020200ff");
}

TEST(Der, WritesLongFormLengthsAndGrows) {
  Writer writer(1);
  writer.sequence([&] { writer.octets(Bytes(70'000, 0x5a)); });
  EXPECT_EQ(to_hex(writer.view().first(10)),
            "308301117504830111"
            "70");
  const Bytes copy = writer.bytes();
  auto content = open(copy, Tag::sequence);
  ASSERT_TRUE(content.has_value());
  EXPECT_EQ(content->read_octets()->size(), 70'000u);
}

TEST(Der, ChoosesTheTimeFormByTheYear) {
  using namespace std::chrono;
  const auto written = [](Time time) {
    Writer writer;
    writer.time(time);
    return std::string(as_text(writer.view().subspan(2)));
  };
  EXPECT_EQ(written(sys_days{2049y / December / 31} + 23h + 59min + 59s), "491231235959Z");
  EXPECT_EQ(written(sys_days{2050y / January / 1}), "20500101000000Z");
  EXPECT_EQ(written(sys_days{1950y / January / 1}), "500101000000Z");
  EXPECT_EQ(written(sys_days{9999y / December / 31} + 23h + 59min + 59s), "99991231235959Z");
}

TEST(Der, ReadsOnlyTimesThatExist) {
  for (const char* bad : {"491231235959", "4912312359Z", "490230000000Z", "491232000000Z", "491231240000Z",
                          "49123123595aZ", "491231235959+", "4912312359590Z"})
    EXPECT_FALSE(parse_time(utc_time, as_bytes(bad)).has_value()) << bad;
  const auto time = parse_time(utc_time, as_bytes("500101000000Z"));
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(std::chrono::year_month_day{std::chrono::floor<std::chrono::days>(*time)}.year(),
            std::chrono::year{1950});
  EXPECT_FALSE(parse_time(generalized_time, as_bytes("20260101000000.5Z")).has_value());
}

}  // namespace
}  // namespace hanaper::der
