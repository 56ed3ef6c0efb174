#include "http/answer_reader.hpp"
#include "http/outbound.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

std::vector<x509::Subtree> ranges(std::initializer_list<const char*> texts) {
  std::vector<x509::Subtree> list;
  for (const char* text : texts) list.push_back(*x509::parse_subtree(text));
  return list;
}

EgressPolicy policy(std::initializer_list<const char*> permit = {},
                    std::initializer_list<const char*> deny = {}) {
  config::OutboundConfig config;
  config.permit = ranges(permit);
  config.deny = ranges(deny);
  return EgressPolicy(config);
}

struct Address {
  const char* text;
  bool open;
};

TEST(EgressPolicy, ClosesWhatIsNoHostOfTheOutside) {
  const EgressPolicy standard = policy();
  const Address table[] = {
      {"9.255.255.255", true},
      {"10.0.0.1", true},  // private networks are what many an authority is for
      {"172.16.0.1", true},
      {"192.168.1.1", true},
      {"126.255.255.255", true},
      {"128.0.0.0", true},
      {"223.255.255.255", true},
      {"127.0.0.1", false},
      {"127.255.255.254", false},
      {"0.0.0.0", false},
      {"0.1.2.3", false},
      {"169.254.169.254", false},  // where clouds keep metadata and credentials
      {"169.254.0.1", false},
      {"168.63.129.16", false},
      {"168.63.129.17", true},
      {"100.100.100.200", false},  // in the network between a carrier and its customers
      {"100.63.255.255", true},
      {"100.64.0.0", false},
      {"100.127.255.255", false},
      {"100.128.0.0", true},
      {"192.0.0.8", false},
      {"192.0.0.192", false},
      {"192.0.1.1", true},
      {"192.0.2.1", false},
      {"192.0.3.1", true},
      {"198.51.100.7", false},
      {"203.0.113.5", false},
      {"192.31.196.1", false},
      {"192.52.193.1", false},
      {"192.88.99.1", false},
      {"192.88.98.255", true},
      {"192.175.48.1", false},
      {"198.17.255.255", true},
      {"198.18.0.1", false},
      {"198.19.255.255", false},
      {"198.20.0.0", true},
      {"224.0.0.1", false},
      {"239.255.255.255", false},
      {"240.0.0.1", false},
      {"255.255.255.255", false},
      {"2000::1", true},
      {"2001:4860:4860::8888", true},
      {"2a00:1450:4001:80b::200e", true},
      {"2600::1", true},
      {"3fff:1000::1", true},
      {"::", false},
      {"::1", false},
      {"::7f00:1", false},
      {"::169.254.169.254", false},
      {"::ffff:0:127.0.0.1", false},
      {"100::1", false},
      {"100:0:0:1::1", false},
      {"1fff::1", false},
      {"2001::1", false},
      {"2001:0:7f00:1::1", false},  // Teredo
      {"2001:2::1", false},
      {"2001:10::1", false},
      {"2001:20::1", false},
      {"2001:1ff:ffff::1", false},
      {"2001:200::1", true},
      {"2001:db8::1", false},
      {"2002:7f00:1::", false},  // 6to4 carries an address in it
      {"2002:808:808::1", false},
      {"2620:4f:8000::1", false},
      {"2620:4f:7fff::1", true},
      {"3fff::1", false},
      {"3fff:fff::1", false},
      {"4000::1", false},
      {"5f00::1", false},
      {"64:ff9b::7f00:1", false},  // so does NAT64
      {"64:ff9b::808:808", false},
      {"64:ff9b:1::7f00:1", false},
      {"fc00::1", false},
      {"fd00::1", false},
      {"fd00:ec2::254", false},  // where clouds keep metadata, too
      {"fd00:ec2::23", false},
      {"fd20:ce::254", false},
      {"fd00:c1::a9fe:a9fe", false},
      {"fe80::1", false},
      {"febf::1", false},
      {"fec0::1", false},
      {"feff::1", false},
      {"ff02::1", false},
      {"ff0e::1", false},
      {"::ffff:127.0.0.1", false},  // the mapped form, which is judged by the address in it
      {"::ffff:169.254.169.254", false},
      {"::ffff:192.0.2.1", false},
      {"::ffff:8.8.8.8", true},
      {"2600::5efe:127.0.0.1", false},  // ISATAP
      {"2600::200:5efe:127.0.0.1", false},
      {"2600::200:5efe:8.8.8.8", true},
  };
  for (const Address& test : table) {
    SCOPED_TRACE(test.text);
    const auto octets = x509::ip_octets(test.text);
    ASSERT_TRUE(octets.has_value());
    EXPECT_EQ(standard.allows(*octets), test.open);
  }
}

struct Case {
  const char* name;
  std::initializer_list<const char*> permit, deny;
  const char* address;
  bool open;
};

TEST(Urls, AreReadAsPlaceAndTarget) {
  struct Row {
    const char* url;
    const char* host;  // "": no URL of http or https
    std::uint16_t port;
    const char* target;
    bool tls;
  };
  for (const Row& row :
       {Row{"http://a.test", "a.test", 80, "/", false},
        Row{"https://a.test:8443/x?y=z#part", "a.test", 8443, "/x?y=z", true},
        Row{"https://[::1]:99/", "::1", 99, "/", true}, Row{"https://a.test?x", "a.test", 443, "/?x", true},
        Row{"ftp://a.test/", "", 0, "", false}, Row{"https://", "", 0, "", false},
        Row{"https://user@a.test/", "", 0, "", false}, Row{"https://a.test:99999/", "", 0, "", false},
        Row{"https://a.test:x/", "", 0, "", false}, Row{"https://a.test/ HTTP/1.1\r\nX: y", "", 0, "", false},
        Row{"/relative", "", 0, "", false}}) {
    SCOPED_TRACE(row.url);
    const auto place = read_url(row.url);
    ASSERT_EQ(place.has_value(), *row.host != '\0');
    if (!place) continue;
    EXPECT_EQ(place->host, row.host);
    EXPECT_EQ(place->port, row.port);
    EXPECT_EQ(place->target, row.target);
    EXPECT_EQ(place->tls, row.tls);
  }
}

// RFC 3986 5.4 and 5.2.2, as seen from http://a.test:8080/b/c?d.
TEST(Redirects, LeadWhereAReferenceLeads) {
  struct Row {
    const char* location;
    const char* host;  // "": not followed
    std::uint16_t port;
    const char* target;
  };
  for (const Row& row : {Row{"http://z.test/x", "z.test", 80, "/x"},
                         Row{"HTTP://z.test/x", "z.test", 80, "/x"},
                         Row{"https://z.test", "z.test", 443, "/"},
                         Row{"/x?y#z", "a.test", 8080, "/x?y"},
                         Row{"//z.test/x", "z.test", 80, "/x"},
                         Row{"//z.test:8080", "z.test", 8080, "/"},
                         Row{"//[2001:db8::1]/x", "2001:db8::1", 80, "/x"},
                         Row{"x", "a.test", 8080, "/b/x"},
                         Row{"./x", "a.test", 8080, "/b/x"},
                         Row{"../x/", "a.test", 8080, "/x/"},
                         Row{"../../x", "a.test", 8080, "/x"},
                         Row{"/./x/../y", "a.test", 8080, "/y"},
                         Row{"/x/..", "a.test", 8080, "/"},
                         Row{"/.well-known/x", "a.test", 8080, "/.well-known/x"},
                         Row{"?y", "a.test", 8080, "/b/c?y"},
                         Row{"?y=/../z", "a.test", 8080, "/b/c?y=/../z"},
                         Row{"#z", "a.test", 8080, "/b/c?d"},
                         Row{"http://z.test/x/../y", "z.test", 80, "/y"},
                         Row{"//user@z.test/", "", 0, ""},
                         Row{"//z.test:22/", "", 0, ""},
                         Row{"///x", "", 0, ""},
                         Row{"http:///x", "", 0, ""},
                         Row{"ftp://z.test/", "", 0, ""},
                         Row{"mailto:a@z.test", "", 0, ""},
                         Row{"http:x", "", 0, ""},
                         Row{"/x y", "", 0, ""}}) {
    SCOPED_TRACE(row.location);
    OutboundRequest from;
    from.host = "a.test";
    from.port = 8080;
    from.target = "/b/c?d";
    const auto next = redirected(from, row.location);
    ASSERT_EQ(next.has_value(), *row.host != '\0');
    if (!next) continue;
    EXPECT_EQ(next->host, row.host);
    EXPECT_EQ(next->port, row.port);
    EXPECT_EQ(next->target, row.target);
  }
}

// Refused before anybody is connected: what would end the field, and what the host writes itself.
TEST(Posts, TakeOnlyFieldsThatHttpHas) {
  config::OutboundConfig config;
  config.timeout = std::chrono::seconds{1};
  auto client = OutboundClient::open(config);
  ASSERT_TRUE(client.has_value()) << client.error().detail;
  const struct {
    Header field;
    bool good;
  } table[] = {{{"Hanaper-Timestamp", "1"}, true},
               {{"X", ""}, true},
               {{"X", "a\r\nHost: b"}, false},
               {{"X\r\nY", "a"}, false},
               {{"", "a"}, false},
               {{"X Y", "a"}, false},
               {{"X:", "a"}, false},
               {{"host", "a"}, false},
               {{"CONTENT-LENGTH", "1"}, false},
               {{"Transfer-Encoding", "chunked"}, false},
               {{"X", "\xff"}, false}};
  for (const auto& row : table) {
    OutboundMessage message;
    message.url = "http://127.0.0.1:1/";  // closed by default: nobody is asked
    message.content_type = "text/plain";
    message.fields = {row.field};
    Call call{"test", std::chrono::steady_clock::now() + std::chrono::seconds{5}};
    const auto answer = (*client)->send(message, call);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, row.good ? Code::forbidden : Code::malformed) << row.field.name;
  }
}

TEST(EgressPolicy, LetsDenyWinOverPermitAndPermitOverTheDefault) {
  const Case table[] = {
      {"a permit opens what is closed", {"127.0.0.0/8"}, {}, "127.0.0.1", true},
      {"a permit closes nothing else", {"127.0.0.0/8"}, {}, "192.0.3.1", true},
      {"a permit opens no more than it says", {"127.0.0.1/32"}, {}, "127.0.0.2", false},
      {"a deny closes what is open", {}, {"10.0.0.0/8"}, "10.1.2.3", false},
      {"a deny closes nothing else", {}, {"10.0.0.0/8"}, "11.0.0.0", true},
      {"a deny wins over a permit", {"127.0.0.0/8"}, {"127.0.0.0/8"}, "127.0.0.1", false},
      {"a wide deny wins over a narrow permit", {"10.0.0.1/32"}, {"10.0.0.0/8"}, "10.0.0.1", false},
      {"everything denied", {}, {"0.0.0.0/0", "::/0"}, "192.0.3.1", false},
      {"everything denied, IPv6", {}, {"0.0.0.0/0", "::/0"}, "2600::1", false},
      {"a permit of IPv4 reaches the mapped form", {"127.0.0.0/8"}, {}, "::ffff:127.0.0.1", true},
      {"a deny of IPv4 reaches the mapped form", {}, {"10.0.0.0/8"}, "::ffff:10.0.0.1", false},
      {"a range of one family says nothing about the other", {"::/0"}, {}, "127.0.0.1", false},
      {"a prefix within an octet", {}, {"192.0.3.128/25"}, "192.0.3.127", true},
      {"a prefix within an octet, above", {}, {"192.0.3.128/25"}, "192.0.3.128", false},
      {"a permit of a translator opens what is open behind it",
       {"64:ff9b::/96"},
       {},
       "64:ff9b::808:808",
       true},
      {"a permit of a translator opens nothing that is closed",
       {"64:ff9b::/96"},
       {},
       "64:ff9b::7f00:1",
       false},
      {"a deny reaches through a translator", {"64:ff9b::/96"}, {"10.0.0.0/8"}, "64:ff9b::a00:1", false},
      {"a deny reaches through 6to4", {"2002::/16"}, {"10.0.0.0/8"}, "2002:a00:1::1", false},
      {"a deny reaches through Teredo", {"2001::/32"}, {"10.0.0.0/8"}, "2001::f5ff:fffe", false},
      {"a permit of what is private opens it", {"fd00::/8"}, {}, "fd00::1", true},
  };
  for (const Case& test : table) {
    SCOPED_TRACE(test.name);
    EXPECT_EQ(policy(test.permit, test.deny).allows(*x509::ip_octets(test.address)), test.open);
  }
}

}  // namespace
}  // namespace hanaper::http
