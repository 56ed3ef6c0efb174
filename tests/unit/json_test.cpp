#include <hanaper/toolkit/json.hpp>

#include <gtest/gtest.h>

namespace hanaper::json {
namespace {

TEST(Json, ReadsAndWritesTheSameText) {
  for (const char* text : {R"(null)", R"(true)", R"(-12)", R"("a\"b\\c\nd")", R"([])", R"({})",
                           R"([1,[2,{"x":null}],"y"])", R"({"b":1,"a":{"c":[true,false]}})", R"(1.5)",
                           R"("Grüße")", R"([0.0,1.0,1e+30,5.555555555555556e+41])"}) {
    const auto value = parse(text);
    ASSERT_TRUE(value.has_value()) << text << ": " << value.error().detail;
    EXPECT_EQ(write(*value), text);
  }
}

struct BadText {
  const char* name;
  const char* text;
};
class JsonRefuses : public testing::TestWithParam<BadText> {};
TEST_P(JsonRefuses, WhatRfc8259DoesNotAllow) { EXPECT_FALSE(parse(GetParam().text).has_value()); }

INSTANTIATE_TEST_SUITE_P(Table, JsonRefuses,
                         testing::Values(BadText{"Nothing", ""}, BadText{"TwoValues", "1 2"},
                                         BadText{"TrailingComma", "[1,]"}, BadText{"SingleQuotes", "{'a':1}"},
                                         BadText{"MemberTwice", R"({"a":1,"a":2})"},
                                         BadText{"MemberTwiceEscaped", R"({"a":1,"\u0061":2})"},
                                         BadText{"LoneSurrogate", R"("\ud800")"},
                                         BadText{"BadUtf8", "\"\xff\""}, BadText{"Comment", "/* */ 1"},
                                         BadText{"LeadingZero", "01"}, BadText{"Infinity", "1e999"},
                                         BadText{"NaN", "NaN"}, BadText{"ControlCharacter", "\"a\nb\""},
                                         BadText{"TooDeep", "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"},
                                         BadText{"Unclosed", R"({"a":)"}),
                         [](const auto& test) { return test.param.name; });

TEST(Json, KeepsItsLimits) {
  EXPECT_FALSE(parse("[1,2,3,4]", {100, 4, 4}).has_value());
  EXPECT_TRUE(parse("[1,2,3]", {100, 4, 4}).has_value());
  EXPECT_FALSE(parse("[1,2,3]", {6, 4, 4}).has_value());
}

TEST(Json, SaysWhereTheTextBreaks) { EXPECT_EQ(parse("{\"a\":tru}").error().detail.substr(0, 6), "json: "); }

TEST(Json, FindsMembersWithoutCopying) {
  const auto value = parse(R"({"kty":"EC","n":7})");
  EXPECT_EQ(value->text_at("kty"), "EC");
  EXPECT_EQ(value->text_at("n"), "");
  EXPECT_EQ(*value->find("n")->integer(), 7);
  EXPECT_EQ(value->find("absent"), nullptr);
}

TEST(Json, TakesANullForAnOptionalMemberThatIsLeftOut) {
  const auto value = *parse(R"({"none":null,"no":false,"empty":"","list":[]})");
  EXPECT_EQ(value.optional("none"), nullptr);
  EXPECT_EQ(value.optional("other"), nullptr);
  for (const char* name : {"no", "empty", "list"}) EXPECT_EQ(value.optional(name), value.find(name)) << name;
}

TEST(Json, EscapesControlCharactersAndMendsBadUtf8) {
  std::string out;
  append_quoted(out, std::string_view("a\x01\x7f\xff\"", 5));
  EXPECT_EQ(out, "\"a\\u0001\\u007f\xef\xbf\xbd\\\"\"");
}

// What a stranger sent is kept in documents: whatever it is, they can be read again.
TEST(Json, WritesNothingThatItCannotRead) {
  struct Row {
    const char* name;
    std::string_view text;
    bool kept;
  };
  const Row table[] = {
      {"two octets", "\xc2\x80", true},
      {"the last before the surrogates", "\xed\x9f\xbf", true},
      {"the first after the surrogates", "\xee\x80\x80", true},
      {"the first of three octets", "\xe0\xa0\x80", true},
      {"the first of four octets", "\xf0\x90\x80\x80", true},
      {"the last of all", "\xf4\x8f\xbf\xbf", true},
      {"a surrogate", "\xed\xa0\x80", false},
      {"overlong, two octets", "\xc0\xaf", false},
      {"overlong, three octets", "\xe0\x80\x80", false},
      {"overlong, four octets", "\xf0\x80\x80\x80", false},
      {"beyond the last of all", "\xf4\x90\x80\x80", false},
      {"no lead", "\xf5\x80\x80\x80", false},
      {"a continuation alone", "\x80", false},
      {"cut off", "\xe2\x82", false},
      {"a continuation that is none", "\xe2\x28\xa1", false},
  };
  for (const Row& row : table) {
    const auto again = parse(write(Value(std::string(row.text))));
    ASSERT_TRUE(again) << row.name << ": " << again.error().detail;
    EXPECT_EQ(*again->text() == row.text, row.kept) << row.name;
  }
}

TEST(Json, PrintsForPeople) {
  EXPECT_EQ(write_pretty(Object{{"a", Array{1, 2}}, {"b", Object{}}}),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

}  // namespace
}  // namespace hanaper::json
