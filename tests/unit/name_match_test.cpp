#include <hanaper/toolkit/name_match.hpp>

#include <gtest/gtest.h>

namespace hanaper::x509 {
namespace {

struct Value {
  std::uint8_t tag;
  std::string octets;
  const char* oid = "2.5.4.3";
};

Bytes name_of(const std::vector<std::vector<Value>>& parts) {
  der::Writer writer;
  writer.sequence([&] {
    for (std::size_t i = parts.size(); i-- > 0;)
      writer.constructed(der::set, [&] {
        for (std::size_t k = parts[i].size(); k-- > 0;)
          writer.sequence([&] {
            writer.text(parts[i][k].tag, parts[i][k].octets);
            writer.oid(*der::oid_from_text(parts[i][k].oid));
          });
      });
  });
  return writer.bytes();
}

struct Pair {
  const char* name;
  std::vector<std::vector<Value>> a, b;
  bool same;
};
std::ostream& operator<<(std::ostream& out, const Pair& of) { return out << of.name; }

class NamesOfTwo : public ::testing::TestWithParam<Pair> {};

TEST_P(NamesOfTwo, AreComparedAsRfc5280Says) {
  const Bytes a = name_of(GetParam().a), b = name_of(GetParam().b);
  EXPECT_EQ(same_name(a, b), GetParam().same);
  EXPECT_EQ(same_name(b, a), GetParam().same);
  EXPECT_TRUE(same_name(a, a) && same_name(b, b));
}

constexpr const char *organization = "2.5.4.10", *component = "0.9.2342.19200300.100.1.25";

const Pair pairs[] = {
    {"the two string types that count as one",
     {{{der::utf8_string, "Example CA"}}},
     {{{der::printable_string, "Example CA"}}},
     true},
    {"case", {{{der::utf8_string, "EXAMPLE"}}}, {{{der::printable_string, "example"}}}, true},
    {"blanks around and between",
     {{{der::utf8_string, "  Example   CA "}}},
     {{{der::utf8_string, "Example CA"}}},
     true},
    {"a blank or none", {{{der::utf8_string, "Example CA"}}}, {{{der::utf8_string, "ExampleCA"}}}, false},
    {"another text", {{{der::utf8_string, "Example CA"}}}, {{{der::utf8_string, "Example CB"}}}, false},
    {"another attribute", {{{der::utf8_string, "a"}}}, {{{der::utf8_string, "a", organization}}}, false},
    {"another type, by its octets", {{{der::teletex_string, "a"}}}, {{{der::utf8_string, "a"}}}, false},
    {"another type in another case", {{{der::teletex_string, "a"}}}, {{{der::teletex_string, "A"}}}, false},
    {"domain components in another case",
     {{{der::ia5_string, "Example", component}}},
     {{{der::ia5_string, "example", component}}},
     true},
    {"the order inside of a part",
     {{{der::utf8_string, "a"}, {der::utf8_string, "b", organization}}},
     {{{der::utf8_string, "b", organization}, {der::utf8_string, "a"}}},
     true},
    {"the order of parts",
     {{{der::utf8_string, "a"}}, {{der::utf8_string, "b", organization}}},
     {{{der::utf8_string, "b", organization}}, {{der::utf8_string, "a"}}},
     false},
    {"one part or two",
     {{{der::utf8_string, "a"}, {der::utf8_string, "b", organization}}},
     {{{der::utf8_string, "a"}}, {{der::utf8_string, "b", organization}}},
     false},
    {"nothing and something", {}, {{{der::utf8_string, "a"}}}, false},
};
INSTANTIATE_TEST_SUITE_P(Names, NamesOfTwo, ::testing::ValuesIn(pairs));

TEST(NamesOfTwo, ThatCannotBeReadAreTheirOctets) {
  const Bytes broken = {0x30, 0x02, 0x31, 0x05}, other = {0x30, 0x02, 0x31, 0x06};
  EXPECT_TRUE(same_name(broken, broken));
  EXPECT_FALSE(same_name(broken, other));
  EXPECT_FALSE(is_name_of({}, broken));
}

}  // namespace
}  // namespace hanaper::x509
