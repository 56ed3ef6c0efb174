#include <hanaper/toolkit/url.hpp>

#include <gtest/gtest.h>

namespace hanaper::url {
namespace {

TEST(Urls, AreTakenApart) {
  struct Case {
    const char* text;
    bool https;
    const char* host;
    std::uint16_t port;
    const char* target;
    const char* written;  // null: as it came
  };
  const Case cases[] = {
      {"http://example.test/", false, "example.test", 80, "/", nullptr},
      {"https://example.test/a/b?c=d&e", true, "example.test", 443, "/a/b?c=d&e", nullptr},
      {"https://example.test:8443/x", true, "example.test", 8443, "/x", nullptr},
      {"http://example.test", false, "example.test", 80, "/", "http://example.test/"},
      {"http://example.test?q", false, "example.test", 80, "/?q", "http://example.test/?q"},
      {"http://example.test#f", false, "example.test", 80, "/", "http://example.test/"},
      {"http://example.test/a#f?x", false, "example.test", 80, "/a", "http://example.test/a"},
      {"HTTPS://Example.TEST:443/A", true, "example.test", 443, "/A", "https://example.test/A"},
      {"http://example.test./", false, "example.test", 80, "/", "http://example.test/"},
      {"http://localhost/", false, "localhost", 80, "/", nullptr},
      {"http://a_b.example.test/", false, "a_b.example.test", 80, "/", nullptr},
      {"http://192.0.2.1:8080/", false, "192.0.2.1", 8080, "/", nullptr},
      {"https://[2001:DB8::1]/", true, "2001:db8::1", 443, "/", "https://[2001:db8::1]/"},
      {"https://[2001:db8:0:0:0:0:0:1]:8443/", true, "2001:db8::1", 8443, "/", "https://[2001:db8::1]:8443/"},
      {"http://example.test/%2e%2E", false, "example.test", 80, "/%2e%2E", nullptr},
      {"http://example.test/a@b:c", false, "example.test", 80, "/a@b:c", nullptr},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.text);
    const auto url = parse(one.text);
    ASSERT_TRUE(url) << url.error().detail;
    EXPECT_EQ(*url, (Url{one.https, one.host, one.port, one.target}));
    EXPECT_EQ(url->text(), one.written ? one.written : one.text);
    EXPECT_EQ(*parse(url->text()), *url);
  }
}

TEST(Urls, ThatCouldBeReadInTwoWaysAreNone) {
  for (const std::string text : {"",
                                 "example.test",
                                 "/path",
                                 "ftp://example.test/",
                                 "http:/example.test/",
                                 "http//example.test/",
                                 "http://",
                                 "http:///path",
                                 "http://:80/",
                                 "http://user@example.test/",
                                 "http://user:pass@example.test/",
                                 "http://example.test:0/",
                                 "http://example.test:65536/",
                                 "http://example.test:/",
                                 "http://example.test:-1/",
                                 "http://example.test:80a/",
                                 "http://example.test: 80/",
                                 "http://a..b/",
                                 "http://.a/",
                                 "http://a b/",
                                 "http://a%2eb/",
                                 "http://ex\xc3\xa4mple.test/",
                                 "http://127.1/",
                                 "http://0x7f.0.0.1/",
                                 "http://0x7f000001/",
                                 "http://2130706433/",
                                 "http://127.0.0.01/",
                                 "http://1.2.3.4.5/",
                                 "http://256.0.0.1/",
                                 "http://[::1/",
                                 "http://::1/",
                                 "http://[127.0.0.1]/",
                                 "http://[fe80::1%25eth0]/",
                                 "http://[::1]x/",
                                 "http://a/b c",
                                 "http://a/\t",
                                 "http://a/b\r\nX: y",
                                 "http://a/\x7f",
                                 "http://a/\xc3\xa4",
                                 "http://a/%",
                                 "http://a/%2",
                                 "http://a/%zz",
                                 "http://a/<",
                                 "http://a/\\b",
                                 "http://a\\@b/",
                                 "http://a/\"",
                                 "http://a/{x}"})
    EXPECT_FALSE(parse(text)) << text;
  EXPECT_FALSE(parse("http://" + std::string(254, 'a') + "/"));
  EXPECT_FALSE(parse("http://" + std::string(64, 'a') + ".test/"));
  EXPECT_FALSE(parse("http://a/" + std::string(2040, 'a')));
  EXPECT_TRUE(parse("http://a/" + std::string(2039, 'a')));
}

// RFC 3986 5.4.1 and 5.4.2, but for other schemes and what is no http URL.
TEST(Urls, ReferencesMeanWhatTheStandardSays) {
  const Url base = *parse("http://a/b/c/d;p?q");
  const std::pair<const char*, const char*> cases[] = {
      {"g", "http://a/b/c/g"},        {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},      {"/g", "http://a/g"},
      {"//g", "http://g/"},           {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},    {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},      {"g;x", "http://a/b/c/g;x"},
      {"", "http://a/b/c/d;p?q"},     {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},        {"..", "http://a/b/"},
      {"../", "http://a/b/"},         {"../g", "http://a/b/g"},
      {"../..", "http://a/"},         {"../../", "http://a/"},
      {"../../g", "http://a/g"},      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},         {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},      {".g", "http://a/b/c/.g"},
      {"..g", "http://a/b/c/..g"},    {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},   {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},   {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"https://b/x", "https://b/x"},
  };
  for (const auto& [reference, wanted] : cases) {
    const auto url = resolve(base, reference);
    ASSERT_TRUE(url) << reference << ": " << url.error().detail;
    EXPECT_EQ(url->text(), wanted) << reference;
  }
  for (const char* reference : {"ftp://a/", "mailto:a@b", "javascript:x", "g:h", "a b", "//", "//u@h/", "%"})
    EXPECT_FALSE(resolve(base, reference)) << reference;
}

TEST(Urls, EscapesAreWrittenAndUndone) {
  EXPECT_EQ(*decode("a%20b+c%2F%00"), std::string("a b+c/\0", 7));
  EXPECT_EQ(encode("a b/\xc3\xa4~"), "a%20b%2F%C3%A4~");
  for (const char* text : {"%", "%2", "a%2", "%g0", "%0g", "%%20"}) EXPECT_FALSE(decode(text)) << text;
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all.push_back(static_cast<char>(octet));
  EXPECT_EQ(*decode(encode(all)), all);
}

TEST(Queries, AreReadParameterByParameter) {
  const auto query = Query::parse("a=1&b=x+y%26&c&d=&e=f=g&&a%20b=h");
  ASSERT_TRUE(query);
  const std::vector<Query::Parameter> wanted = {{"a", "1"}, {"b", "x y&"}, {"c", ""},
                                                {"d", ""},  {"e", "f=g"},  {"a b", "h"}};
  EXPECT_EQ(query->parameters(), wanted);
  EXPECT_EQ(*query->find("b"), "x y&");
  EXPECT_EQ(*query->find("c"), "");
  EXPECT_EQ(*query->find("z"), std::nullopt);
  EXPECT_EQ(Query::parse(write_query(wanted))->parameters(), wanted);
  EXPECT_TRUE(Query::parse("")->parameters().empty());
}

TEST(Queries, OfWhichReadersWouldDifferAreRefused) {
  const auto twice = Query::parse("a=1&a=2");
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->find("a").error().detail, "parameter \"a\" is there twice");
  for (const char* text : {"=1", "a=%", "%=1", "a=%2"}) EXPECT_FALSE(Query::parse(text)) << text;
  EXPECT_FALSE(Query::parse(std::string(100, 'a'), {.octets = 99}));
  EXPECT_FALSE(Query::parse("a&b&c", {.parameters = 2}));
  EXPECT_TRUE(Query::parse("a&b", {.parameters = 2}));
}

}  // namespace
}  // namespace hanaper::url
