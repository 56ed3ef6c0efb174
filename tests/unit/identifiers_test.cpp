#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/punycode.hpp>

#include <gtest/gtest.h>

namespace hanaper::x509 {
namespace {

TEST(DnsNames, AreBroughtIntoOneForm) {
  EXPECT_EQ(*normal_dns_name("WWW.Example.TEST", false), "www.example.test");
  EXPECT_EQ(*normal_dns_name("*.example.test", true), "*.example.test");
  EXPECT_EQ(*normal_dns_name("xn--bcher-kva.example", false), "xn--bcher-kva.example");
  EXPECT_EQ(*normal_dns_name("123.example.test", false), "123.example.test");
}

// Browsers read what ends in a number as an IPv4 address; whoever is certified for it is certified for that.
TEST(DnsNames, AreNoNumbersAndEncodeSomething) {
  const struct {
    const char* name;
    const char* refusal;  // part of it; "": a name
  } rows[] = {
      {"127.1", "the last label is a number"},
      {"2130706433", "the last label is a number"},
      {"0x7f000001", "the last label is a number"},
      {"0X7F000001", "the last label is a number"},
      {"0x7f.0x1", "the last label is a number"},
      {"example.0x", "the last label is a number"},
      {"*.example.0xa", "the last label is a number"},
      {"0x7f.example.test", ""},
      {"0x7g", ""},
      {"0xyz.test", ""},
      {"x7f", ""},
      {"host", ""},
      {"1a", ""},
      {"*.example.test", ""},
      {"xn--99999999.test", "a label that encodes nothing"},
      {"www.xn--99999999", "a label that encodes nothing"},
      {"*.xn--bcher-kva.example.test", ""},
      {"*.xn--99999999.example.test", "a label that encodes nothing"},
      {"XN--99999999.test", "a label that encodes nothing"},
      {"xn--zzzzzzzzzzzzzz.test", "a label that encodes nothing"},
      {"xn--.test", "begins or ends with '-'"},
      {"xn--mnchen-3ya.test", ""},
      {"XN--MNCHEN-3YA.test", ""},
  };
  for (const auto& row : rows) {
    const auto name = normal_dns_name(row.name, true);
    ASSERT_EQ(name.has_value(), *row.refusal == '\0') << row.name;
    if (name) continue;
    EXPECT_NE(name.error().detail.find(row.refusal), std::string::npos) << name.error().detail;
  }
}

TEST(DnsNames, ThatNoResolverLooksUpAreRefused) {
  const std::string label64(64, 'a');
  const std::string long_name = std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                                std::string(63, 'c') + "." + std::string(62, 'd') + ".test";
  for (const std::string& bad :
       {std::string(""), std::string("a..test"), std::string(".a.test"), std::string("a.test."),
        std::string("a_b.test"), std::string("-a.test"), std::string("a-.test"), std::string("a b.test"),
        std::string("ab--c.test"), std::string("xn--.test"), std::string("192.0.2.1"), std::string("a.1"),
        std::string("*.a.test"), std::string("a.*.test"),
        std::string("b\xc3\xbc"
                    "cher.test"),
        label64 + ".test", long_name, std::string("a\0b.test", 8)})
    EXPECT_FALSE(normal_dns_name(bad, false).has_value()) << bad;
  for (const char* bad : {"*", "*.test", "**.a.test", "*a.test", "*.*.a.test"})
    EXPECT_FALSE(normal_dns_name(bad, true).has_value()) << bad;
}

TEST(Addresses, AreWrittenAsRfc5952Says) {
  EXPECT_EQ(normal_identifier(Identifier::Kind::ip, "2001:DB8:0:0:0:0:0:1")->value, "2001:db8::1");
  EXPECT_EQ(normal_identifier(Identifier::Kind::ip, "192.0.2.1")->value, "192.0.2.1");
  for (const char* bad : {"192.0.2", "192.0.2.01", "192.0.2.256", "fe80::1%eth0", "::g", "192.0.2.1 "})
    EXPECT_FALSE(ip_octets(bad).has_value()) << bad;
  using namespace std::string_view_literals;
  for (std::string_view bad : {"192.0.2.1\0x"sv, "::1\0x"sv, "::1\0"sv})
    EXPECT_FALSE(ip_octets(bad).has_value());
}

TEST(SearchKeys, ShareAPrefixBelowADomain) {
  EXPECT_EQ(search_key({Identifier::Kind::dns, "www.example.test"}), "dns:test.example.www.");
  EXPECT_TRUE(
      search_key({Identifier::Kind::dns, "www.example.test"}).starts_with(search_prefix("example.test")));
  EXPECT_FALSE(
      search_key({Identifier::Kind::dns, "www.badexample.test"}).starts_with(search_prefix("example.test")));
  EXPECT_EQ(search_key({Identifier::Kind::ip, "192.0.2.1"}), "ip:192.0.2.1");
}

// RFC 5280 4.2.1.6: absolute; RFC 3986 2 and 3.1: which characters it has.
TEST(Uris, AreAbsoluteAndOfTheCharactersOfUris) {
  for (const char* good : {"https://example.test/x?y=%2fz#a", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                           "spiffe://example.test/ns/a", "x:y", "h2+c-d.e:f", "https://[2001:db8::1]/"})
    EXPECT_TRUE(normal_identifier(Identifier::Kind::uri, good).has_value()) << good;
  for (const char* bad : {"",       "x",      ":x",         "x:",    "2001:db8::1", "+x:y",  "a b:c",
                          "x:a b",  "x:\x7f", "x:\xc3\xa9", "x:<y>", "x:\"y\"",     "x:{y}", "x:a|b",
                          "x:a\\b", "x:a^b",  "x:a`b",      "x:%",   "x:%2",        "x:%2g"})
    EXPECT_FALSE(normal_identifier(Identifier::Kind::uri, bad).has_value()) << bad;
}

TEST(Identifiers, AreOfTheKindThatTheirTextLooksLike) {
  using Kind = Identifier::Kind;
  const struct {
    const char* text;
    std::optional<Identifier> identifier;
  } cases[] = {
      {"WWW.example.test", Identifier{Kind::dns, "www.example.test"}},
      {"*.example.test", Identifier{Kind::dns, "*.example.test"}},
      {"192.0.2.1", Identifier{Kind::ip, "192.0.2.1"}},
      {"2001:DB8::1", Identifier{Kind::ip, "2001:db8::1"}},
      {"joe@Example.test", Identifier{Kind::email, "joe@example.test"}},
      {"https://example.test/x", Identifier{Kind::uri, "https://example.test/x"}},
      {"mailto:joe@example.test", Identifier{Kind::uri, "mailto:joe@example.test"}},
      {"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
       Identifier{Kind::uri, "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}},
      {"joe@", std::nullopt},
      {"2001:db8::g", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [text, identifier] : cases) {
    const auto guessed = guess_identifier(text);
    EXPECT_EQ(guessed ? std::optional(*guessed) : std::nullopt, identifier) << text;
  }
}

// Common names as they came in requests, and what a lenient client would take them for.
TEST(SubjectNames, AreWhatSomeClientCouldTakeForANameOfItsPeer) {
  const struct {
    const char* common_name;
    const char* name;    // with a dot at least; "": no client takes it for a host
    bool fault;          // there is no normal form
    const char* single;  // where single labels are hosts too
  } rows[] = {
      {"My Device", "", false, ""},
      {"admin.other.test", "dns:admin.other.test", false, "dns:admin.other.test"},
      {"Admin.Other.TEST", "dns:admin.other.test", false, "dns:admin.other.test"},
      {"*.other.test", "dns:*.other.test", false, "dns:*.other.test"},
      {"192.0.2.1", "ip:192.0.2.1", false, "ip:192.0.2.1"},
      {"2001:DB8::1", "ip:2001:db8::1", false, "ip:2001:db8::1"},
      {"a*n.other.test", "dns:a*n.other.test", true, "dns:a*n.other.test"},
      {"admin.other.test.", "dns:admin.other.test.", true, "dns:admin.other.test."},
      {"admin_2.other.test", "dns:admin_2.other.test", true, "dns:admin_2.other.test"},
      {" admin.other.test", "dns: admin.other.test", true, "dns: admin.other.test"},
      {"admin.other.test\t", "dns:admin.other.test\t", true, "dns:admin.other.test\t"},
      {"b\u00fccher.test", "dns:b\u00fccher.test", true, "dns:b\u00fccher.test"},
      {"admin\u3002other\uff0etest", "dns:admin\u3002other\uff0etest", true,
       "dns:admin\u3002other\uff0etest"},
      {"\u200badmin.other.test", "dns:\u200badmin.other.test", true, "dns:\u200badmin.other.test"},
      {"192.0.2.256", "dns:192.0.2.256", true, "dns:192.0.2.256"},
      {" 192.0.2.1", "dns: 192.0.2.1", true, "dns: 192.0.2.1"},
      {"tsa", "", false, "dns:tsa"},
      {"joe", "", false, "dns:joe"},
      {"joe.", "dns:joe.", true, "dns:joe."},
      {"Dr. Smith", "", false, ""},
      {"joe@other.test", "", false, ""},
      {"admin.other.test or so", "", false, ""},
  };
  for (const auto& row : rows) {
    const Name subject{{std::string(common_name_oid), row.common_name}};
    for (const bool single : {false, true}) {
      const SubjectNames read = subject_names(subject, single);
      std::string text;
      for (const Identifier& name : read.names) text += std::string(to_string(name.kind)) + ":" + name.value;
      EXPECT_EQ(text, single ? row.single : row.name) << row.common_name;
      if (!single) {
        EXPECT_EQ(!read.faults.empty(), row.fault) << row.common_name;
      }
    }
  }
}

TEST(SubjectNames, AreThoseOfEveryCommonNameAndEveryAddress) {
  const SubjectNames read = subject_names({{std::string(common_name_oid), "My Device"},
                                           {std::string(common_name_oid), "admin.other.test"},
                                           {"1.2.840.113549.1.9.1", "joe@Other.test"},
                                           {"2.5.4.10", "bank.test"}},
                                          false);
  EXPECT_EQ(read.names, (std::vector<Identifier>{{Identifier::Kind::dns, "admin.other.test"},
                                                 {Identifier::Kind::email, "joe@other.test"}}));
  EXPECT_TRUE(read.faults.empty());
}

TEST(GeneralNames, GoThereAndBack) {
  const std::vector<Identifier> names = {{Identifier::Kind::dns, "a.example.test"},
                                         {Identifier::Kind::ip, "192.0.2.1"},
                                         {Identifier::Kind::ip, "2001:db8::1"},
                                         {Identifier::Kind::email, "op@example.test"},
                                         {Identifier::Kind::uri, "spiffe://example.test/a"},
                                         {Identifier::Kind::permanent_identifier, "C02X/1.2.840.113635"},
                                         {Identifier::Kind::permanent_identifier, "caf\u00e9 7"},
                                         {Identifier::Kind::hardware_module, "ABCD/2.23.133.1.2"}};
  const auto parsed = parse_general_names(encode_general_names(names));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
  EXPECT_EQ(parsed->names, names);
  EXPECT_TRUE(parsed->faults.empty());
}

// draft-ietf-acme-device-attest 3.1 and 4.1, on RFC 4043 and RFC 4108
TEST(NamesOfDevices, StayAsTheyAreOrAreRefused) {
  using enum Identifier::Kind;
  for (const auto& [kind, text] : {std::pair{permanent_identifier, "ABCDEF123456"},
                                   {permanent_identifier, "ABCDEF123456/1.2.3.4"},
                                   {permanent_identifier, "MixedCase \u96fb"},
                                   {hardware_module, "ABCD/1.2.3.4"}}) {
    const auto normal = normal_identifier(kind, text);
    ASSERT_TRUE(normal.has_value()) << text;
    EXPECT_EQ(normal->value, text);
  }
  const std::string long_one(256, 'a');
  for (const auto& [kind, text] : {std::pair{permanent_identifier, std::string_view("")},
                                   {permanent_identifier, "/1.2.3"},
                                   {permanent_identifier, "A/"},
                                   {permanent_identifier, "A/x"},
                                   {permanent_identifier, "A/1.2/1.2"},
                                   {permanent_identifier, "A/3.1"},
                                   {permanent_identifier, "A/1.40"},
                                   {permanent_identifier, "A/1.02"},
                                   {permanent_identifier, "A/1"},
                                   {permanent_identifier, "A\nB"},
                                   {permanent_identifier, "A\x80"},
                                   {permanent_identifier, "A\xc0\x80"},
                                   {permanent_identifier, "A\xed\xa0\x80"},
                                   {permanent_identifier, "A\xc2\x85"},
                                   {permanent_identifier, "A\xf4\x90\x80\x80"},
                                   {permanent_identifier, "A\xe9"},
                                   {permanent_identifier, long_one},
                                   {hardware_module, "ABCD"}})
    EXPECT_FALSE(normal_identifier(kind, text).has_value()) << text;
}

TEST(GeneralNames, NameTheirFaultsButKeepTheEntry) {
  const std::vector<Identifier> names = {{Identifier::Kind::dns, "a_b.example.test"}};
  const auto parsed = parse_general_names(encode_general_names(names));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->names, names);
  ASSERT_EQ(parsed->faults.size(), 1u);
}

// Names come in lower case; a constraint that did not would constrain nothing.
TEST(Subtrees, AreBroughtIntoTheFormOfNames) {
  using K = Identifier::Kind;
  const auto excludes = [](const char* subtree, const Identifier& name) {
    return !allows({{}, {*parse_subtree(subtree)}}, name);
  };
  EXPECT_TRUE(excludes("Example.TEST", {K::dns, "a.example.test"}));
  EXPECT_TRUE(excludes("TEST", {K::dns, "a.example.test"}));
  EXPECT_TRUE(excludes("@Example.test", {K::email, "op@example.test"}));
  EXPECT_TRUE(excludes("@.Example.test", {K::email, "op@mail.example.test"}));
  EXPECT_TRUE(excludes("Op@Example.test", {K::email, "Op@example.test"}));
  EXPECT_FALSE(excludes("op@Example.test", {K::email, "Op@example.test"}));
  EXPECT_TRUE(excludes("uri:.Example.TEST", {K::uri, "https://a.example.test/"}));
  EXPECT_EQ(parse_subtree("exa mple.test").error().detail,
            "dns name \"exa mple.test\": only letters, digits, '-' and '.' are allowed");
}

struct Constrained {
  const char* subtree;
  Identifier name;
  bool within;
};

TEST(NameConstraints, DecideAsRfc5280Section4_2_1_10) {
  using K = Identifier::Kind;
  const Constrained table[] = {
      {"example.test", {K::dns, "example.test"}, true},
      {"example.test", {K::dns, "a.b.example.test"}, true},
      {"example.test", {K::dns, "*.example.test"}, true},
      {"example.test", {K::dns, "badexample.test"}, false},
      {"example.test", {K::dns, "test"}, false},
      {"192.0.2.0/24", {K::ip, "192.0.2.77"}, true},
      {"192.0.2.0/24", {K::ip, "192.0.3.1"}, false},
      {"2001:db8::/32", {K::ip, "2001:db8:1::1"}, true},
      {"2001:db8::/32", {K::ip, "192.0.2.1"}, false},
      {"@example.test", {K::email, "a@example.test"}, true},
      {"@example.test", {K::email, "a@sub.example.test"}, false},
      {"a@example.test", {K::email, "a@example.test"}, true},
      {"a@example.test", {K::email, "b@example.test"}, false},
      {"uri:.example.test", {K::uri, "https://host.example.test/x"}, true},
      {"uri:host.example.test", {K::uri, "https://host.example.test:8443/x"}, true},
      {"uri:host.example.test", {K::uri, "https://other.example.test/"}, false},
  };
  for (const Constrained& row : table) {
    const auto subtree = parse_subtree(row.subtree);
    ASSERT_TRUE(subtree.has_value()) << row.subtree << ": " << subtree.error().detail;
    EXPECT_EQ(allows({{*subtree}, {}}, row.name), row.within) << row.subtree << " permits " << row.name.value;
    EXPECT_EQ(allows({{}, {*subtree}}, row.name), !row.within)
        << row.subtree << " excludes " << row.name.value;
  }
}

TEST(NameConstraints, LeaveOtherKindsOfNamesAlone) {
  const NameConstraints constraints{{*parse_subtree("example.test")}, {}};
  EXPECT_TRUE(allows(constraints, {Identifier::Kind::ip, "192.0.2.1"}));
}

TEST(NameConstraints, ExcludeWildcardsThatReachAnExcludedName) {
  const NameConstraints constraints{{}, {*parse_subtree("secret.example.test")}};
  EXPECT_FALSE(allows(constraints, {Identifier::Kind::dns, "*.example.test"}));
  EXPECT_TRUE(allows(constraints, {Identifier::Kind::dns, "*.other.example.test"}));
}

TEST(NameConstraints, GoThereAndBack) {
  NameConstraints constraints;
  for (const char* text : {"example.test", "192.0.2.0/24", "@mail.test", "uri:.host.test"})
    constraints.permitted.push_back(*parse_subtree(text));
  constraints.excluded.push_back(*parse_subtree("2001:db8::/32"));
  const auto parsed = parse_name_constraints(name_constraints(constraints));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
  EXPECT_EQ(parsed->permitted, constraints.permitted);
  EXPECT_EQ(parsed->excluded, constraints.excluded);
  EXPECT_EQ(subtree_text(constraints.excluded[0]), "2001:db8::/32");
}

TEST(Clients, AreCountedByAddressOrByHalfOfIt) {
  const std::pair<const char*, const char*> table[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
      {"2001:db8:1:2::", "2001:db8:1:2::/64"},
      {"2001:db8:1:3::1", "2001:db8:1:3::/64"},
      {"2001:DB8:1:2::1", "2001:db8:1:2::/64"},
      {"::1", "::/64"},
      {"fe80::1%eth0", "fe80::/64"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"uid:0", "uid:0"},
      {"", ""},
  };
  for (const auto& [address, client] : table) EXPECT_EQ(client_of(address), client) << address;
}

TEST(KeyUsage, IsAMinimalBitList) {
  for (std::uint16_t bits = 1; bits < 512; ++bits) {
    const auto parsed = parse_key_usage(key_usage(bits));
    ASSERT_TRUE(parsed.has_value()) << bits;
    EXPECT_EQ(*parsed, bits);
  }
  EXPECT_EQ(to_hex(key_usage(digital_signature)), "03020780");
  EXPECT_EQ(to_hex(key_usage(key_cert_sign | crl_sign)), "03020106");
  for (const char* bad : {"030100", "03020080", "03020000", "0303078000"})
    EXPECT_FALSE(parse_key_usage(*from_hex(bad)).has_value()) << bad;
}

// RFC 3492 7.1, samples B, F and L, and what has no such form.
TEST(Punycode, IsDecoded) {
  for (const char* label : {"xn--ihqwcrb4cv8a8dqg056pqjye", "xn--4dbcagdahymbxekheh6e0a7fei0b",
                            "xn--3B-ww4c5e180e575a65lsy2b", "xn--mnchen-3ya"})
    EXPECT_TRUE(punycode::decodes(label)) << label;
  for (const char* label : {"xn--", "xn--a-", "xn--abc-!", "xn--zzzzzzzzzzzzzz", "xn--99999"})
    EXPECT_FALSE(punycode::decodes(label)) << label;
}

}  // namespace
}  // namespace hanaper::x509
