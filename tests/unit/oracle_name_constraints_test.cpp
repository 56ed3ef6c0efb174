// Decisions about name constraints beside NAME_CONSTRAINTS_check.
#include "oracle_family.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

namespace hanaper::oracle {
namespace {

using Kind = Identifier::Kind;

// OpenSSL's verdict: X509_V_OK, or why not.
int their_verdict(const x509::NameConstraints& constraints, const Identifier& name) {
  const Bytes value = x509::name_constraints(constraints);
  const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> octets(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(octets.get(), value.data(), static_cast<int>(value.size()));
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
      X509_EXTENSION_create_by_NID(nullptr, NID_name_constraints, 1, octets.get()));
  const ConstraintsPtr theirs(static_cast<NAME_CONSTRAINTS*>(X509V3_EXT_d2i(extension.get())));
  if (!theirs) return -1;

  const Bytes names = x509::encode_general_names({&name, 1});
  const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> san(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(san.get(), names.data(), static_cast<int>(names.size()));
  const Owned<X509_EXTENSION, X509_EXTENSION_free> san_extension(
      X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 1, san.get()));
  // Only a certificate that was read has its names at hand.
  const X509Ptr x509(X509_new());
  X509_set_version(x509.get(), X509_VERSION_3);
  X509_set_pubkey(x509.get(), keys()[0]->pkey());
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 60);
  X509_add_ext(x509.get(), san_extension.get(), -1);
  X509_sign(x509.get(), keys()[0]->pkey(), EVP_sha256());
  const X509Ptr leaf = read_certificate(encoded(i2d_X509, x509.get()));
  X509_check_purpose(leaf.get(), -1, 0);
  const int verdict = NAME_CONSTRAINTS_check(leaf.get(), theirs.get());
  ERR_clear_error();
  return verdict;
}

// Hosts out of few labels, so that names and subtrees meet often.
std::string random_host(Random& random) {
  constexpr std::string_view labels[] = {"a", "b", "www", "Example", "example", "eXample"};
  constexpr std::string_view tops[] = {"test", "Test", "example"};
  std::string name(random.pick(tops));
  const std::size_t count = random.between(1, 3);
  for (std::size_t i = 0; i < count; ++i) name = std::string(random.pick(labels)) + "." + name;
  return name;
}

Bytes address(Random& random, std::size_t size) {
  Bytes octets(size);
  for (std::uint8_t& octet : octets)
    octet = static_cast<std::uint8_t>(random.chance(70) ? 1 : random.below(4));
  return octets;
}

// As a caller gives it: what the toolkit's own readers make of it, so that case is folded where they fold it.
Identifier name_of_kind(Random& random, Kind kind) {
  std::string text;
  switch (kind) {
    case Kind::dns:
      text = (random.chance(20) ? "*." : "") + random_host(random);
      break;
    case Kind::ip:
      text = x509::ip_text(address(random, random.chance(60) ? 4 : 16));
      break;
    case Kind::email:
      text = std::string(random.chance(50) ? "a" : "A") + "@" + random_host(random);
      break;
    default:  // uri: constraints are of no further kind
      text = "https://" + random_host(random) + (random.chance(30) ? ":8443" : "") +
             (random.chance(70) ? "/x" : "");
      break;
  }
  return x509::normal_identifier(kind, text).value_or({kind, text});
}

x509::Subtree subtree_of_kind(Random& random, Kind kind) {
  switch (kind) {
    case Kind::ip: {
      const std::size_t size = random.chance(60) ? 4 : 16;
      const std::size_t bits = random.below(size * 8 + 1);
      Bytes base = address(random, size);
      base.resize(2 * size);
      for (std::size_t bit = 0; bit < bits; ++bit)
        base[size + bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
      for (std::size_t i = 0; i < size; ++i) base[i] &= base[size + i];
      return {kind, base};
    }
    case Kind::email: {
      const std::string text = random.chance(30)   ? "a@" + random_host(random)
                               : random.chance(40) ? "." + random_host(random)
                                                   : random_host(random);
      return {kind, to_bytes(as_bytes(text))};
    }
    case Kind::uri:
      return {kind, to_bytes(as_bytes((random.chance(50) ? "." : "") + random_host(random)))};
    default:
      break;
  }
  const std::string text = random.chance(10)   ? ""
                           : random.chance(20) ? "test"
                           : random.chance(20) ? "." + random_host(random)
                                               : random_host(random);
  return {kind, to_bytes(as_bytes(text))};
}

// Where we decide otherwise than OpenSSL, always towards refusing:
// a wildcard that reaches an excluded name is excluded; OpenSSL compares its text only.
bool known_difference(const x509::NameConstraints& constraints, const Identifier& name) {
  if (name.kind != Kind::dns || !name.value.starts_with("*.")) return false;
  return std::ranges::any_of(constraints.excluded, [&](const x509::Subtree& subtree) {
    std::string base(as_text(subtree.base));
    for (char& c : base)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const std::size_t dot = base.find('.');
    return subtree.kind == Kind::dns && dot != std::string::npos &&
           base.substr(dot + 1) == name.value.substr(2);
  });
}

TEST(OracleNameConstraints, AreDecidedAsOpensslDecidesThem) {
  std::size_t allowed = 0, refused = 0, different = 0;
  for (std::size_t i = 0; i < 3000; ++i) {
    SCOPED_TRACE(trace("constraints", i));
    Random random = random_for("constraints", i);
    constexpr Kind kinds[] = {Kind::dns, Kind::ip, Kind::email, Kind::uri};
    const Kind kind = random.pick(kinds);
    x509::NameConstraints constraints;
    const bool one_side = random.chance(70);
    const bool permitted = random.chance(50);
    for (auto* list : {&constraints.permitted, &constraints.excluded}) {
      if (one_side && (list == &constraints.permitted) != permitted) continue;
      const std::size_t count = random.between(1, 3);
      for (std::size_t k = 0; k < count; ++k)
        list->push_back(subtree_of_kind(random, random.chance(85) ? kind : random.pick(kinds)));
    }
    const Identifier name = name_of_kind(random, kind);
    const int verdict = their_verdict(constraints, name);
    ASSERT_NE(verdict, -1);
    // What the toolkit decides with what it reads back from the extension.
    const auto read = x509::parse_name_constraints(x509::name_constraints(constraints));
    ASSERT_TRUE(read.has_value()) << read.error().detail;
    const bool ours = x509::allows(*read, name);
    if (known_difference(constraints, name)) {
      EXPECT_FALSE(ours);
      ++different;
      continue;
    }
    ++(ours ? allowed : refused);
    std::string described = name.value;
    for (const x509::Subtree& subtree : constraints.permitted)
      described += " permit " + x509::subtree_text(subtree);
    for (const x509::Subtree& subtree : constraints.excluded)
      described += " exclude " + x509::subtree_text(subtree);
    EXPECT_EQ(ours, verdict == X509_V_OK) << described << ": " << X509_verify_cert_error_string(verdict);
    if (HasFailure()) return;
  }
  EXPECT_GT(allowed, 500u);
  EXPECT_GT(refused, 500u);
  EXPECT_LT(different, 200u);
}

struct Row {
  const char* permitted;  // as in a configuration; empty: none
  const char* excluded;
  Identifier name;
  bool allowed;
  bool theirs;
};

TEST(OracleNameConstraints, OfConfigurationsHoldWhateverTheirCase) {
  const Row table[] = {
      {"Example.TEST", "", {Kind::dns, "www.example.test"}, true, true},
      {"", "Example.TEST", {Kind::dns, "www.example.test"}, false, false},
      {"@Example.TEST", "", {Kind::email, "a@example.test"}, true, true},
      {"", "@Example.TEST", {Kind::email, "a@example.test"}, false, false},
      {"", "a@Example.TEST", {Kind::email, "a@example.test"}, false, false},
      {"",
       "a@Example.TEST",
       {Kind::email, "A@example.test"},
       true,
       true},  // RFC 5280 7.5: the local part as is
      {"", "@.Example.TEST", {Kind::email, "a@sub.example.test"}, false, false},
      {"uri:.Example.TEST", "", {Kind::uri, "https://www.EXAMPLE.test/"}, true, true},
      {"", "uri:.Example.TEST", {Kind::uri, "https://www.EXAMPLE.test/"}, false, false},
      {"", "uri:www.example.test", {Kind::uri, "https://WWW.example.test/"}, false, false},
      {"", "uri:www.example.test", {Kind::uri, "HTTPS://WWW.example.test"}, false, false},
      // RFC 5280 4.2.1.10: a URI without a host name under a constraint is refused.
      {"", "uri:www.example.test", {Kind::uri, "urn:ietf:rfc:5280"}, false, false},
      {"uri:www.example.test", "", {Kind::uri, "urn:ietf:rfc:5280"}, false, false},
      {"", "uri:www.example.test", {Kind::uri, "mailto:a@www.example.test"}, false, false},
      // With an address for a host likewise; OpenSSL takes it for a name.
      {"", "uri:www.example.test", {Kind::uri, "https://192.0.2.1/"}, false, true},
      {"", "uri:www.example.test", {Kind::uri, "https://[2001:db8::1]/"}, false, true},
      {"", "uri:www.example.test", {Kind::uri, "https:///path"}, false, false},
      // The host stands behind the user; OpenSSL takes both together for the host.
      {"", "uri:www.example.test", {Kind::uri, "https://user@www.example.test/"}, false, true},
      {"", "uri:www.example.test", {Kind::uri, "https://user:word@www.example.test/"}, false, true},
      // An escaped host is one that only a resolver would see through.
      {"", "uri:www.example.test", {Kind::uri, "https://%77ww.example.test/"}, false, true},
      // Nothing constrains URIs here.
      {"", "www.example.test", {Kind::uri, "urn:ietf:rfc:5280"}, true, true},
  };
  for (const Row& row : table) {
    x509::NameConstraints constraints;
    if (*row.permitted) constraints.permitted.push_back(*x509::parse_subtree(row.permitted));
    if (*row.excluded) constraints.excluded.push_back(*x509::parse_subtree(row.excluded));
    const std::string described = std::string(row.permitted) + " - " + row.excluded + " - " + row.name.value;
    EXPECT_EQ(x509::allows(constraints, row.name), row.allowed) << described;
    EXPECT_EQ(their_verdict(constraints, row.name) == X509_V_OK, row.theirs) << described;
  }
}

}  // namespace
}  // namespace hanaper::oracle
