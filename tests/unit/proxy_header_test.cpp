#include "http/proxy_header.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

using State = ProxyHeader::State;

const std::string v2_signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string be16(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

// Version 2: the octets of version and command, and of family and protocol, and what is behind the length.
std::string binary(int command, int family, const std::string& rest) {
  return v2_signature + static_cast<char>(command) + static_cast<char>(family) + be16(rest.size()) + rest;
}

std::string tlv(int type, const std::string& content) {
  return static_cast<char>(type) + be16(content.size()) + content;
}

const std::string v2_four("\xc0\x00\x02\x07\xc6\x33\x64\x01\xd4\x31\x01\xbb", 12);
const std::string v2_six = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16) +
                           std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16) +
                           std::string("\xd4\x31\x01\xbb", 4);
const std::string v2_mapped =
    std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07", 16) + v2_six.substr(16);
const std::string v1_longest =
    "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
    "65535 65535\r\n";

// Made by Python from the definition of CRC32c, and checked against "123456789", which gives e3069283.
const std::string crc_header =
    v2_signature + std::string("\x21\x11", 2) + be16(19) + v2_four + std::string("\x03\x00\x04", 3);
const std::string crc("\x83\xb9\x4f\xc4", 4);

struct HeaderCase {
  const char* name;
  std::string octets;
  State state;
  std::string client;  // complete: the address, or nothing
};

std::vector<HeaderCase> header_cases() {
  using enum State;
  return {
      // Version 1.
      {"IPv4", "PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\r\n", complete, "192.0.2.7"},
      {"IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 54321 443\r\n", complete, "2001:db8::7"},
      {"IPv6 in capital letters", "PROXY TCP6 2001:DB8::7 2001:DB8::1 1 2\r\n", complete, "2001:db8::7"},
      {"IPv4 in IPv6", "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", complete, "192.0.2.7"},
      {"the lowest and the highest port", "PROXY TCP4 192.0.2.7 192.0.2.8 0 65535\r\n", complete,
       "192.0.2.7"},
      {"an unknown family, the shortest header", "PROXY UNKNOWN\r\n", complete, ""},
      {"an unknown family with addresses, the longest header", v1_longest, complete, ""},
      {"an unknown family with anything behind", "PROXY UNKNOWN  x y\r\n", complete, ""},
      {"one octet more than the longest", "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", malformed, ""},
      {"a line that does not end", "PROXY " + std::string(200, 'x'), malformed, ""},
      {"a family of its own", "PROXY TCP5 192.0.2.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"UDP", "PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"a family in small letters", "PROXY tcp4 192.0.2.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"a family that only begins like one", "PROXY UNKNOWNS\r\n", malformed, ""},
      {"nothing behind the name", "PROXY \r\n", malformed, ""},
      {"the name in small letters", "proxy TCP4 192.0.2.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"IPv6 where IPv4 is said", "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", malformed, ""},
      {"IPv4 where IPv6 is said", "PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n", malformed, ""},
      {"zeros in front in an address", "PROXY TCP4 192.0.02.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"a number beyond an octet", "PROXY TCP4 192.0.2.256 192.0.2.8 1 2\r\n", malformed, ""},
      {"a wrong address of the proxy", "PROXY TCP4 192.0.2.7 x 1 2\r\n", malformed, ""},
      {"a port with a zero in front", "PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n", malformed, ""},
      {"a port beyond 16 bits", "PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n", malformed, ""},
      {"a port with a sign", "PROXY TCP4 192.0.2.7 192.0.2.8 +1 2\r\n", malformed, ""},
      {"no ports", "PROXY TCP4 192.0.2.7 192.0.2.8\r\n", malformed, ""},
      {"one port", "PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n", malformed, ""},
      {"three ports", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n", malformed, ""},
      {"two blanks", "PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"a blank at the end", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 \r\n", malformed, ""},
      {"a tab", "PROXY TCP4\t192.0.2.7 192.0.2.8 1 2\r\n", malformed, ""},
      {"LF alone", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n", malformed, ""},
      {"CR alone", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\rx", malformed, ""},
      {"NUL", std::string("PROXY UNKNOWN \0\r\n", 17), malformed, ""},

      // Version 2.
      {"IPv4 in version 2", binary(0x21, 0x11, v2_four), complete, "192.0.2.7"},
      {"IPv6 in version 2", binary(0x21, 0x21, v2_six), complete, "2001:db8::7"},
      {"IPv4 in IPv6 in version 2", binary(0x21, 0x21, v2_mapped), complete, "192.0.2.7"},
      {"LOCAL", binary(0x20, 0x00, ""), complete, ""},
      {"LOCAL with addresses", binary(0x20, 0x11, v2_four), complete, ""},
      {"LOCAL whose values nobody can read", binary(0x20, 0x11, "xyz"), complete, ""},
      {"no family", binary(0x21, 0x00, ""), complete, ""},
      {"no family, and something behind it", binary(0x21, 0x00, "something"), complete, ""},
      {"UDP over IPv4", binary(0x21, 0x12, v2_four), complete, ""},
      {"UDP over IPv6", binary(0x21, 0x22, v2_six), complete, ""},
      {"a unix socket", binary(0x21, 0x31, std::string(216, 'x')), complete, ""},
      {"values of every kind",
       binary(0x21, 0x11, v2_four + tlv(0x04, "pad") + tlv(0xe0, "") + tlv(0x20, "tls")), complete,
       "192.0.2.7"},
      {"a checksum that is right", crc_header + crc, complete, "192.0.2.7"},
      {"the largest header", binary(0x21, 0x11, v2_four + tlv(0x04, std::string(505, 'x'))), complete,
       "192.0.2.7"},
      {"one octet more than the largest", binary(0x21, 0x11, v2_four + tlv(0x04, std::string(506, 'x'))),
       malformed, ""},
      {"a length of 65535", v2_signature + "\x21\x11\xff\xff", malformed, ""},
      {"version 1 in the form of version 2", binary(0x11, 0x11, v2_four), malformed, ""},
      {"version 3", binary(0x31, 0x11, v2_four), malformed, ""},
      {"a command of its own", binary(0x22, 0x11, v2_four), malformed, ""},
      {"an address family of its own", binary(0x21, 0x41, v2_four), malformed, ""},
      {"a protocol of its own", binary(0x21, 0x13, v2_four), malformed, ""},
      {"half of an address", binary(0x21, 0x11, v2_four.substr(0, 11)), malformed, ""},
      {"half of an address of IPv6", binary(0x21, 0x21, v2_four), malformed, ""},
      {"a value that is cut off",
       binary(0x21, 0x11,
              v2_four + std::string("\x04\x00\x05"
                                    "abcd",
                                    7)),
       malformed, ""},
      {"a value without a length", binary(0x21, 0x11, v2_four + std::string("\x04\x00", 2)), malformed, ""},
      {"a checksum that is wrong", crc_header + std::string("\0\0\0\0", 4), malformed, ""},
      {"a checksum that is short", binary(0x21, 0x11, v2_four + tlv(0x03, "abc")), malformed, ""},
      {"a signature that is cut off by something else", v2_signature.substr(0, 9) + "GET", malformed, ""},

      // Something else.
      {"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", malformed, ""},
      {"a method that begins alike", "PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", malformed, ""},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), malformed, ""},

      // Not yet.
      {"nothing", "", incomplete, ""},
      {"the first octet of version 1", "P", incomplete, ""},
      {"all but the last octet of version 1", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r", incomplete, ""},
      {"the first octet of version 2", "\r", incomplete, ""},
      {"all but the last octet of version 2", binary(0x21, 0x11, v2_four).substr(0, 27), incomplete, ""},
  };
}

std::string client_in(const ProxyHeader& header) { return x509::ip_text(header.client()); }

TEST(ProxyHeader, SaysWhomItNames) {
  for (const HeaderCase& one : header_cases()) {
    ProxyHeader header;
    const std::size_t taken = header.take(one.octets);
    EXPECT_EQ(header.state(), one.state) << one.name << ": " << header.fault();
    EXPECT_EQ(client_in(header), one.client) << one.name;
    EXPECT_EQ(header.fault().empty(), one.state != State::malformed) << one.name;
    EXPECT_EQ(header.has_begun(), !one.octets.empty()) << one.name;
    if (one.state == State::malformed) continue;
    EXPECT_EQ(taken, one.octets.size()) << one.name;
  }
}

TEST(ProxyHeader, TakesNoOctetThatIsBehindIt) {
  for (const HeaderCase& one : header_cases()) {
    if (one.state != State::complete) continue;
    ProxyHeader header;
    EXPECT_EQ(header.take(one.octets + one.octets), one.octets.size()) << one.name;
    EXPECT_EQ(header.take("more"), 0u) << one.name;
    EXPECT_EQ(header.state(), State::complete) << one.name;
  }
}

TEST(ProxyHeader, ReadsTheSameInSingleOctets) {
  for (const HeaderCase& one : header_cases()) {
    ProxyHeader whole, single;
    const std::size_t taken = whole.take(one.octets);
    std::size_t steps = 0;
    for (char c : one.octets) steps += single.take({&c, 1});
    EXPECT_EQ(single.state(), whole.state()) << one.name;
    EXPECT_EQ(client_in(single), client_in(whole)) << one.name;
    EXPECT_EQ(single.fault(), whole.fault()) << one.name;
    EXPECT_EQ(steps, taken) << one.name;
  }
}

TEST(ProxyHeader, WantsNoMoreThanMayBelongToIt) {
  for (const HeaderCase& one : header_cases()) {
    ProxyHeader header;
    for (char c : one.octets) {
      if (header.state() != State::incomplete) break;
      EXPECT_GT(header.wanted(), 0u) << one.name;
      header.take({&c, 1});
    }
    EXPECT_EQ(header.wanted() == 0, header.state() != State::incomplete) << one.name;
  }
  ProxyHeader binary_header;
  binary_header.take(binary(0x21, 0x11, v2_four).substr(0, 16));
  EXPECT_EQ(binary_header.wanted(), v2_four.size());
}

TEST(ProxyHeader, SeesWhatIsWrongAtTheFirstOctetThatIs) {
  ProxyHeader header;
  EXPECT_EQ(header.take("GET / HTTP/1.1\r\n"), 1u);
  EXPECT_EQ(header.fault(), "there is no PROXY header");
  ProxyHeader later;
  EXPECT_EQ(later.take(v2_signature + "\x31\x11\xff\xff"), 13u);
}

}  // namespace
}  // namespace hanaper::http
