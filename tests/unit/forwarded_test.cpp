#include "http/forwarded.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

const std::vector<x509::Subtree>& trusted() {
  static const std::vector<x509::Subtree> ranges = {*x509::parse_subtree("10.0.0.0/8"),
                                                    *x509::parse_subtree("2001:db8:f::/48")};
  return ranges;
}

std::string named(const std::vector<HeaderView>& headers) {
  const auto found = forwarded_client(headers, trusted());
  return found ? x509::ip_text(*found) : "";
}

struct ForwardedCase {
  const char* name;
  std::string value;
  std::string client;
};

TEST(Forwarded, NamesTheLastAddressThatIsNoProxy) {
  const ForwardedCase cases[] = {
      {"one address", "for=192.0.2.7", "192.0.2.7"},
      {"with a port", "for=\"192.0.2.7:4711\"", "192.0.2.7"},
      {"with a port that is hidden", "for=\"192.0.2.7:_port\"", "192.0.2.7"},
      {"IPv6", "for=\"[2001:db8::7]\"", "2001:db8::7"},
      {"IPv6 with a port", "for=\"[2001:db8::7]:4711\"", "2001:db8::7"},
      {"IPv6 without quotes, which some write", "for=[2001:db8::7]", "2001:db8::7"},
      {"IPv4 in IPv6", "for=\"[::ffff:192.0.2.7]\"", "192.0.2.7"},
      {"an address in quotes", "for=\"192.0.2.7\"", "192.0.2.7"},
      {"characters that are escaped", "for=\"192.0.2\\.7\"", "192.0.2.7"},
      {"the name in capital letters", "FOR=192.0.2.7", "192.0.2.7"},
      {"beside other parameters", "by=10.0.0.1;for=192.0.2.7;proto=https;host=pki.example.test", "192.0.2.7"},
      {"beside a quoted comma", "for=192.0.2.7;host=\"a,b\"", "192.0.2.7"},
      {"beside a quoted comma behind a quote that is escaped", "for=192.0.2.7;host=\"a\\\",b\"", "192.0.2.7"},
      {"empty parameters", ";for=192.0.2.7;", "192.0.2.7"},
      {"blanks around", "  for=192.0.2.7 \t", "192.0.2.7"},
      {"the last of two", "for=192.0.2.1, for=192.0.2.7", "192.0.2.7"},
      {"without blanks", "for=192.0.2.1,for=192.0.2.7", "192.0.2.7"},
      {"empty elements", "for=192.0.2.7, ,,", "192.0.2.7"},
      {"before one proxy", "for=192.0.2.7, for=10.1.2.3", "192.0.2.7"},
      {"before two proxies", "for=192.0.2.1, for=192.0.2.7, for=\"[2001:db8:f::1]\", for=\"10.1.2.3:80\"",
       "192.0.2.7"},
      {"proxies alone: the first", "for=10.0.0.1, for=10.0.0.2", "10.0.0.1"},
      {"behind what nobody can read", "for=unknown, for=192.0.2.7", "192.0.2.7"},
      {"a quote that a client never closed", "for=\"192.0.2.1, for=192.0.2.7", "192.0.2.7"},
      {"a quote that a client opened with an escape", "for=\\\"192.0.2.1, for=192.0.2.7", "192.0.2.7"},

      // Where the search ends.
      {"unknown", "for=unknown", ""},
      {"hidden", "for=_gazonk", ""},
      {"hidden, before a proxy", "for=192.0.2.7, for=_gazonk, for=10.0.0.2", "10.0.0.2"},
      {"unknown, before two proxies", "for=unknown, for=10.0.0.1, for=10.0.0.2", "10.0.0.1"},
      {"nothing that names anybody", "proto=https", ""},
      {"nothing that names anybody, before a proxy", "for=192.0.2.7, by=10.0.0.1, for=10.0.0.2", "10.0.0.2"},
      {"twice in one element", "for=192.0.2.7;for=192.0.2.8", ""},
      {"no pair", "192.0.2.7", ""},
      {"a name", "for=www.example.test", ""},
      {"an empty value", "for=", ""},
      {"a blank behind the equals sign", "for= 192.0.2.7", ""},
      {"something behind a quoted value", "for=\"192.0.2.7\"x", ""},
      {"a quote that is not closed", "for=\"192.0.2.7", ""},
      {"a quote that is not opened", "for=192.0.2.7\"", ""},
      {"a bracket that is not closed", "for=\"[2001:db8::7\"", ""},
      {"IPv4 in brackets", "for=\"[192.0.2.7]\"", ""},
      {"a port of letters", "for=\"192.0.2.7:http\"", ""},
      {"a port of six digits", "for=\"192.0.2.7:123456\"", ""},
      {"no port behind a colon", "for=\"192.0.2.7:\"", ""},
      {"zeros in front", "for=192.0.02.7", ""},
      {"a zone", "for=\"[fe80::1%eth0]\"", ""},
      {"nothing", "", ""},
  };
  for (const ForwardedCase& one : cases) EXPECT_EQ(named({{"Forwarded", one.value}}), one.client) << one.name;
}

TEST(XForwardedFor, NamesTheLastAddressThatIsNoProxy) {
  const ForwardedCase cases[] = {
      {"one address", "192.0.2.7", "192.0.2.7"},
      {"IPv6", "2001:db8::7", "2001:db8::7"},
      {"IPv6 in brackets", "[2001:db8::7]", "2001:db8::7"},
      {"IPv6 in brackets with a port", "[2001:db8::7]:4711", "2001:db8::7"},
      {"with a port", "192.0.2.7:4711", "192.0.2.7"},
      {"IPv4 in IPv6", "::ffff:192.0.2.7", "192.0.2.7"},
      {"the last of two", "192.0.2.1, 192.0.2.7", "192.0.2.7"},
      {"before a proxy", "192.0.2.1,192.0.2.7 , 10.0.0.1", "192.0.2.7"},
      {"behind a quote", "\"192.0.2.1, 192.0.2.7", "192.0.2.7"},
      {"unknown before a proxy", "192.0.2.7, unknown, 10.0.0.1", "10.0.0.1"},
      {"in quotes", "\"192.0.2.7\"", ""},
      {"in the form of the other field", "for=192.0.2.7", ""},
      {"unknown", "unknown", ""},
  };
  for (const ForwardedCase& one : cases)
    EXPECT_EQ(named({{"x-forwarded-for", one.value}}), one.client) << one.name;
}

TEST(Forwarded, TakesAllLinesForOneList) {
  EXPECT_EQ(named({{"Forwarded", "for=192.0.2.1"}, {"Host", "x"}, {"forwarded", "for=192.0.2.7"}}),
            "192.0.2.7");
  EXPECT_EQ(named({{"Forwarded", "for=192.0.2.7"}, {"Forwarded", "for=10.0.0.1"}}), "192.0.2.7");
  EXPECT_EQ(named({{"Forwarded", "for=192.0.2.7, for=unknown"}, {"Forwarded", "for=10.0.0.1"}}), "10.0.0.1");
  EXPECT_EQ(named({{"Forwarded", "for=\"192.0.2.1"}, {"Forwarded", "for=192.0.2.7"}}), "192.0.2.7");
  EXPECT_EQ(named({{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-For", ""}}), "192.0.2.7");
}

TEST(Forwarded, BelievesTwoFieldsOnlyWhenTheyAgree) {
  const HeaderView standard{"Forwarded", "for=192.0.2.7"};
  EXPECT_EQ(named({standard, {"X-Forwarded-For", "192.0.2.7"}}), "192.0.2.7");
  EXPECT_EQ(named({{"X-Forwarded-For", "192.0.2.7:80, 10.0.0.1"}, standard}), "192.0.2.7");
  EXPECT_EQ(named({standard, {"X-Forwarded-For", "192.0.2.8"}}), "");
  EXPECT_EQ(named({standard, {"X-Forwarded-For", "unknown"}}), "");
  EXPECT_EQ(named({{"Forwarded", ""}, {"X-Forwarded-For", "192.0.2.8"}}), "");
}

TEST(Forwarded, LooksAtSoManyElementsOnly) {
  std::string list = "for=192.0.2.7";
  for (std::size_t i = 1; i < most_forwarded; ++i) list += ", for=10.0.0.1";
  EXPECT_EQ(named({{"Forwarded", list}}), "192.0.2.7");
  EXPECT_EQ(named({{"Forwarded", list + ", for=10.0.0.2"}}), "10.0.0.1");
  EXPECT_EQ(named({{"Forwarded", "for=192.0.2.7" + std::string(most_forwarded, ',')}}), "");
}

TEST(Forwarded, FindsNobodyWithoutAField) {
  EXPECT_EQ(named({}), "");
  EXPECT_EQ(named({{"Host", "x"}, {"X-Real-IP", "192.0.2.7"}, {"Forwarded-For", "192.0.2.7"}}), "");
}

}  // namespace
}  // namespace hanaper::http
