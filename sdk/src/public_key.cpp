#include <hanaper/toolkit/public_key.hpp>

#include "crypto_context.hpp"

#include <openssl/bn.h>
#include <openssl/err.h>

#include <algorithm>

namespace hanaper::x509 {
namespace {

using crypto::Owned;

ByteView magnitude(ByteView integer) noexcept {
  return integer.size() > 1 && integer[0] == 0 ? integer.subspan(1) : integer;
}

Status take_point(PublicKey& key, std::size_t coordinate) {
  key.point = key.key_bits;
  if (key.point.size() != 1 + 2 * coordinate || key.point[0] != 0x04)
    return bad_key("ec point is not in uncompressed form");
  return {};
}

Status take_raw(PublicKey& key, std::size_t size) {
  key.point = key.key_bits;
  if (key.point.size() != size)
    return bad_key(to_string(key.spec) + " key is not " + std::to_string(size) + " octets");
  return {};
}

// No row fits: of an algorithm that we know the parameters do not.
Error unknown_algorithm(ByteView id, der::Reader parameters) {
  if (oid::ec_public_key == id) {
    if (parameters.peek() != der::object_identifier) return bad_key("ec key without a named curve");
    const auto curve = parameters.read_oid();
    if (!curve) return curve.error();
    if (!parameters.at_end()) return malformed("octets behind the curve of an ec key");
    return bad_key("elliptic curve " + der::oid_to_text(*curve) + " is not one of P-256, P-384 and P-521");
  }
  // RFC 3279 2.3.1: "The parameters field MUST have ASN.1 type NULL"; RFC 8410 3: "the parameters MUST be
  // absent".
  if (algorithms::find(algorithms::keys, &algorithms::KeyRow::oid, id) != nullptr)
    return bad_key("public key algorithm " + der::oid_to_text(id) + " with parameters that it does not have");
  return bad_key("public key algorithm " + der::oid_to_text(id) + " is not supported");
}

// An operation with the public key squares as often as its exponent has bits, and each squaring costs the
// square of the modulus.
Status check_rsa_size(ByteView modulus, ByteView exponent) {
  if (modulus.size() > 1024) return bad_key("rsa key of more than 8192 bits");
  if (exponent.size() > 8) return bad_key("rsa exponent is longer than 64 bits");
  return {};
}

Status parse_rsa(PublicKey& key) {
  HANAPER_TRY(der::Reader rsa, der::open(key.key_bits, der::sequence));
  HANAPER_TRY(const ByteView modulus, rsa.read_integer());
  HANAPER_TRY(const ByteView exponent, rsa.read_integer());
  HANAPER_CHECK(rsa.finish());
  if ((modulus[0] & 0x80) || (exponent[0] & 0x80)) return bad_key("rsa key with a negative number");
  key.modulus = magnitude(modulus);
  key.exponent = magnitude(exponent);
  HANAPER_CHECK(check_rsa_size(key.modulus, key.exponent));
  std::size_t bits = key.modulus.size() * 8;
  for (std::uint8_t mask = 0x80; mask != 0 && !(key.modulus[0] & mask); mask >>= 1) --bits;
  key.spec = {KeyType::rsa, static_cast<std::uint16_t>(bits)};
  return {};
}

Result<PublicKey> parse(ByteView spki) {
  PublicKey key;
  key.spki = spki;
  HANAPER_TRY(der::Reader outer, der::open(spki, der::sequence));
  HANAPER_TRY(der::Reader algorithm, outer.enter(der::sequence));
  HANAPER_TRY(key.key_bits, outer.read_bits());
  HANAPER_CHECK(outer.finish());
  HANAPER_TRY(const ByteView id, algorithm.read_oid());
  const algorithms::KeyRow* row = algorithms::find_key(id, algorithm.rest());
  if (row == nullptr) return unknown_algorithm(id, algorithm);
  key.spec = {row->type, 0};
  switch (row->family) {
    case algorithms::Family::rsa:
      HANAPER_CHECK(parse_rsa(key));
      break;
    case algorithms::Family::ec:
      HANAPER_CHECK(take_point(key, row->octets));
      break;
    case algorithms::Family::edwards:
      HANAPER_CHECK(take_raw(key, row->octets));
      break;
  }
  return key;
}

// The number modulo another of at most 32 bits.
std::uint32_t remainder(ByteView number, std::uint32_t modulus) noexcept {
  std::uint64_t rest = 0;
  for (; number.size() % 4 != 0; number = number.subspan(1)) rest = (rest << 8 | number[0]) % modulus;
  for (; !number.empty(); number = number.subspan(4)) {
    const std::uint32_t limb =
        static_cast<std::uint32_t>(number[0]) << 24 | number[1] << 16 | number[2] << 8 | number[3];
    rest = (rest << 32 | limb) % modulus;
  }
  return static_cast<std::uint32_t>(rest);
}

// CVE-2017-15361: primes of the flawed library are k * M + (65537^a mod M) with M the product of the first
// primes, so that the modulus is a power of 65537 modulo each of them. For the primes below, few residues
// are; a sound modulus passes all of these by chance less than once in 2^27.
bool has_roca_fingerprint(ByteView modulus) {
  constexpr std::uint32_t primes[] = {11, 13, 17,  19,  37,  53,  61,  71, 73,
                                      79, 97, 103, 107, 109, 127, 151, 157};
  for (std::uint32_t prime : primes) {
    const std::uint32_t wanted = remainder(modulus, prime);
    std::uint32_t power = 1;
    bool reached = false;
    do {
      reached = power == wanted;
      power = power * 65537 % prime;
    } while (!reached && power != 1);
    if (!reached) return false;
  }
  return true;
}

// Every odd prime below 752, as SP 800-89 5.3.3 advises, multiplied into products of 32 bits, so that one
// division of the modulus serves several of them.
struct PrimeGroup {
  std::uint32_t product = 1;
  std::array<std::uint16_t, 10> primes{};
  std::size_t count = 0;
};

consteval auto prime_groups() {
  std::array<PrimeGroup, 64> groups{};
  std::size_t at = 0;
  for (std::uint32_t n = 3; n < 752; n += 2) {
    bool prime = true;
    for (std::uint32_t d = 3; d * d <= n; d += 2) prime = prime && n % d != 0;
    if (!prime) continue;
    if (static_cast<std::uint64_t>(groups[at].product) * n > 0xffffffff) ++at;
    groups[at].product *= n;
    groups[at].primes[groups[at].count++] = static_cast<std::uint16_t>(n);
  }
  return groups;
}

bool has_small_factor(ByteView modulus) {
  static constexpr auto groups = prime_groups();
  for (const PrimeGroup& group : groups) {
    if (group.count == 0) break;
    const std::uint32_t rest = remainder(modulus, group.product);
    for (std::size_t i = 0; i < group.count; ++i)
      if (rest % group.primes[i] == 0) return true;
  }
  return false;
}

// Floor of the root of that degree, by Newton's method from above.
void integer_root(const BIGNUM* of, unsigned degree, BIGNUM* root, BN_CTX* context) {
  const Owned<BIGNUM, BN_free> next(BN_new()), power(BN_new()), less(BN_new());
  if (!next || !power || !less) throw std::bad_alloc();
  BN_set_word(less.get(), degree - 1);
  BN_one(root);
  BN_lshift(root, root, (BN_num_bits(of) + static_cast<int>(degree) - 1) / static_cast<int>(degree));
  for (;;) {
    // next = ((degree - 1) * root + of / root^(degree - 1)) / degree
    BN_exp(power.get(), root, less.get(), context);
    BN_div(next.get(), nullptr, of, power.get(), context);
    BN_mul(power.get(), root, less.get(), context);
    BN_add(next.get(), next.get(), power.get());
    BN_div_word(next.get(), degree);
    if (BN_cmp(next.get(), root) >= 0) return;
    BN_copy(root, next.get());
  }
}

// Moduli q with q - 1 divisible by a degree k: only one residue in k is a k-th power modulo q, so that what
// is a power modulo all four is one by chance less than once in k^4.
struct PowerTest {
  std::uint32_t degree = 0;
  std::array<std::uint32_t, 4> moduli{};
};

consteval auto power_tests() {
  const auto is_prime = [](std::uint32_t n) {
    for (std::uint32_t d = 2; d * d <= n; ++d)
      if (n % d == 0) return false;
    return true;
  };
  // Factors are above 751, so that no power of 8192 bits has a degree of 858 or more.
  std::array<PowerTest, 148> tests{};
  std::size_t at = 0;
  for (std::uint32_t degree = 2; degree < 858; ++degree) {
    if (!is_prime(degree)) continue;
    tests[at].degree = degree;
    std::size_t found = 0;
    for (std::uint32_t q = 2 * degree + 1; found < 4; q += degree)
      if (q > 100 && is_prime(q)) tests[at].moduli[found++] = q;
    ++at;
  }
  return tests;
}

std::uint32_t power_of(std::uint64_t base, std::uint32_t exponent, std::uint32_t modulus) noexcept {
  std::uint64_t result = 1;
  for (base %= modulus; exponent != 0; exponent >>= 1, base = base * base % modulus)
    if (exponent & 1) result = result * base % modulus;
  return static_cast<std::uint32_t>(result);
}

// Whether the modulus is a square, a cube or another power: then its root tells its factors.
bool is_power(ByteView modulus) {
  static constexpr auto tests = power_tests();
  for (const PowerTest& test : tests) {
    if (test.degree * 9 > modulus.size() * 8) break;
    const bool may_be = std::ranges::all_of(test.moduli, [&](std::uint32_t q) {
      return power_of(remainder(modulus, q), (q - 1) / test.degree, q) <= 1;
    });
    if (!may_be) continue;
    const Owned<BN_CTX, BN_CTX_free> context(BN_CTX_new());
    const Owned<BIGNUM, BN_free> n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
    const Owned<BIGNUM, BN_free> root(BN_new()), degree(BN_new()), power(BN_new());
    if (!context || !n || !root || !degree || !power) throw std::bad_alloc();
    integer_root(n.get(), test.degree, root.get(), context.get());
    BN_set_word(degree.get(), test.degree);
    BN_exp(power.get(), root.get(), degree.get(), context.get());
    if (BN_cmp(power.get(), n.get()) == 0) return true;
  }
  return false;
}

// Primes that differ little are found by Fermat's method in a few rounds: some a with a * a - n a square.
bool has_close_factors(ByteView modulus) {
  const Owned<BN_CTX, BN_CTX_free> context(BN_CTX_new());
  const Owned<BIGNUM, BN_free> n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const Owned<BIGNUM, BN_free> a(BN_new()), square(BN_new()), root(BN_new()), step(BN_new());
  if (!context || !n || !a || !square || !root || !step) throw std::bad_alloc();
  integer_root(n.get(), 2, a.get(), context.get());
  BN_add_word(a.get(), 1);
  BN_sqr(square.get(), a.get(), context.get());
  BN_sub(square.get(), square.get(), n.get());
  for (int round = 0; round < 100; ++round) {
    // Squares are rare modulo 64, 63, 65 and 11; only one candidate in a hundred needs the root.
    constexpr auto may_be_square = [](std::uint64_t rest, std::uint64_t m) {
      for (std::uint64_t i = 0; i <= m / 2; ++i)
        if (i * i % m == rest) return true;
      return false;
    };
    const std::uint64_t rest = BN_mod_word(square.get(), 64 * 63 * 65 * 11);
    if (may_be_square(rest % 64, 64) && may_be_square(rest % 63, 63) && may_be_square(rest % 65, 65) &&
        may_be_square(rest % 11, 11)) {
      integer_root(square.get(), 2, root.get(), context.get());
      BN_sqr(step.get(), root.get(), context.get());
      if (BN_cmp(step.get(), square.get()) == 0) return true;
    }
    BN_lshift1(step.get(), a.get());  // (a + 1)^2 - n = a^2 - n + 2a + 1
    BN_add_word(step.get(), 1);
    BN_add(square.get(), square.get(), step.get());
    BN_add_word(a.get(), 1);
  }
  return false;
}

Status check_rsa(const PublicKey& key) {
  const algorithms::KeyRow& row = algorithms::row(key.spec.type);
  if (key.spec.bits < row.least_bits)
    return bad_key("rsa key of " + std::to_string(key.spec.bits) + " bits; " +
                   std::to_string(row.least_bits) + " is the least");
  if (key.spec.bits > row.most_bits)
    return bad_key("rsa key of more than " + std::to_string(row.most_bits) + " bits");
  if (key.spec.bits % 8 != 0) return bad_key("rsa modulus is not a whole number of octets");
  if (!(key.modulus.back() & 1)) return bad_key("rsa modulus is even");
  if (!(key.exponent.back() & 1)) return bad_key("rsa exponent is even");
  if (key.exponent.size() < 3) return bad_key("rsa exponent is below 65537");
  if (has_roca_fingerprint(key.modulus)) return bad_key("rsa key from a generator with the ROCA flaw");
  if (has_small_factor(key.modulus)) return bad_key("rsa modulus has a small factor");
  if (is_power(key.modulus)) return bad_key("rsa modulus is a power of another number");
  if (has_close_factors(key.modulus)) return bad_key("rsa modulus has factors close to each other");
  return {};
}

// y^2 = x^3 + ax + b is OpenSSL's to compute; it refuses coordinates beyond the field as well.
Status check_ec(const PublicKey& key) {
  EVP_PKEY* curve = crypto::ThreadContext::local().curve(key.spec.type).key.get();
  if (EVP_PKEY_set1_encoded_public_key(curve, key.point.data(), key.point.size()) == 1) return {};
  ERR_clear_error();
  return bad_key("the public key is not a point of its curve");
}

using Number = Owned<BIGNUM, BN_free>;

Number number_of(std::string_view hex) {
  BIGNUM* number = nullptr;
  if (BN_hex2bn(&number, std::string(hex).c_str()) == 0) throw std::bad_alloc();
  return Number(number);
}

// RFC 8032 5.1: -x^2 + y^2 = 1 + d * x^2 * y^2 modulo p = 2^255 - 19.
struct Edwards {
  const Number p = number_of("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed");
  const Number d = number_of("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3");
  // (p - 1) / 2, for Euler's criterion.
  const Number half = number_of("3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff6");
  // Second coordinates of the points of order 8; those of order 1, 2 and 4 are 1, -1 and 0.
  const Number y8 = number_of("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7");
  const Number minus_y8 = number_of("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826");
};

// Everybody can sign for a point of small order, and readers differ on spellings that are not canonical (RFC
// 8032 5.1.3: "If the resulting value is >= p, decoding fails.").
Status check_ed25519(const PublicKey& key) {
  static const Edwards curve;
  Bytes octets(key.point.rbegin(), key.point.rend());
  octets.front() &= 0x7f;  // the sign of x
  const Number y(BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr));
  const Owned<BN_CTX, BN_CTX_free> context(BN_CTX_new());
  const Number square(BN_new()), u(BN_new()), v(BN_new());
  if (!y || !context || !square || !u || !v) throw std::bad_alloc();
  if (BN_cmp(y.get(), curve.p.get()) >= 0) return bad_key("ed25519 key is not in its canonical encoding");
  BN_copy(u.get(), curve.p.get());
  BN_sub_word(u.get(), 1);
  if (BN_is_zero(y.get()) || BN_is_one(y.get()) || BN_cmp(y.get(), u.get()) == 0 ||
      BN_cmp(y.get(), curve.y8.get()) == 0 || BN_cmp(y.get(), curve.minus_y8.get()) == 0)
    return bad_key("ed25519 key of small order");
  // x^2 = (y^2 - 1) / (d * y^2 + 1) has a root where the product of both has one.
  BN_mod_sqr(square.get(), y.get(), curve.p.get(), context.get());
  BN_copy(u.get(), square.get());
  BN_sub_word(u.get(), 1);
  BN_mod_mul(v.get(), square.get(), curve.d.get(), curve.p.get(), context.get());
  BN_add_word(v.get(), 1);
  BN_mod_mul(u.get(), u.get(), v.get(), curve.p.get(), context.get());
  BN_mod_exp(v.get(), u.get(), curve.half.get(), curve.p.get(), context.get());
  if (!BN_is_one(v.get())) return bad_key("the public key is not a point of its curve");
  return {};
}

// Of a certificate of which nothing else is looked at: those of others may be odd.
Result<ByteView> spki_of(ByteView certificate) {
  HANAPER_TRY(der::Reader outer, der::open(certificate, der::sequence));
  HANAPER_TRY(der::Reader tbs, outer.enter(der::sequence));
  HANAPER_CHECK(tbs.maybe(der::context(0)));  // version
  HANAPER_CHECK(tbs.expect(der::integer));    // serial number
  for (int field = 0; field < 4; ++field)     // signature, issuer, validity, subject
    HANAPER_CHECK(tbs.expect(der::sequence));
  HANAPER_TRY(const der::Element spki, tbs.expect(der::sequence));
  return spki.whole;
}

}  // namespace

Result<PublicKey> parse_public_key(ByteView spki) {
  auto key = parse(spki);
  if (!key && key.error().code == Code::malformed) key.error().code = Code::bad_key;
  return key;
}

Status check_key_cost(ByteView spki) {
  constexpr std::size_t longest_point = 1 + 2 * 72;  // of a field of 576 bits
  HANAPER_TRY(der::Reader outer, der::open(spki, der::sequence));
  HANAPER_TRY(der::Reader algorithm, outer.enter(der::sequence));
  HANAPER_TRY(const ByteView bits, outer.read_bits());
  HANAPER_TRY(const ByteView id, algorithm.read_oid());
  if (oid::rsa_encryption == id || oid::rsassa_pss == id) {
    HANAPER_TRY(der::Reader rsa, der::open(bits, der::sequence));
    HANAPER_TRY(const ByteView modulus, rsa.read_integer());
    HANAPER_TRY(const ByteView exponent, rsa.read_integer());
    return check_rsa_size(magnitude(modulus), magnitude(exponent));
  }
  if (oid::ec_public_key == id) {
    // Parameters that are written out make the reader compute square roots in a field of the maker's choice.
    if (algorithm.peek() != der::object_identifier) return bad_key("ec key without a named curve");
    if (bits.size() > longest_point) return bad_key("ec point is too long");
    return {};
  }
  if (oid::ed25519 == id || oid::ed448 == id) return {};
  return bad_key("public key algorithm " + der::oid_to_text(id) + " is not supported");
}

Status check_chain_cost(std::span<const ByteView> chain) {
  if (chain.size() > longest_chain)
    return bad_key("a chain of more than " + std::to_string(longest_chain) + " certificates");
  for (const ByteView certificate : chain) {
    if (certificate.size() > largest_certificate)
      return bad_key("a certificate of more than " + std::to_string(largest_certificate) + " octets");
    HANAPER_TRY(const ByteView spki, spki_of(certificate));
    HANAPER_CHECK(check_key_cost(spki));
  }
  return {};
}

Status check_public_key(const PublicKey& key) {
  switch (algorithms::family_of(key.spec.type)) {
    case algorithms::Family::rsa:
      return check_rsa(key);
    case algorithms::Family::ec:
      return check_ec(key);
    case algorithms::Family::edwards:
      return check_ed25519(key);
  }
  return bad_key("no rule for a key of type " + to_string(key.spec));
}

// Where n is a prime, or a power of a prime p, p - 1 divides n - 1, and 2^n is 2 modulo p (Fermat). For other
// products that happens by chance only, once in p times.
Status check_modulus(const PublicKey& key) {
  if (key.spec.type != KeyType::rsa) return {};
  const Owned<BN_CTX, BN_CTX_free> context(BN_CTX_new());
  const Number n(BN_bin2bn(key.modulus.data(), static_cast<int>(key.modulus.size()), nullptr));
  const Number two(BN_new()), power(BN_new()), divisor(BN_new());
  if (!context || !n || !two || !power || !divisor) throw std::bad_alloc();
  BN_set_word(two.get(), 2);
  if (!BN_is_odd(n.get()) || BN_mod_exp(power.get(), two.get(), n.get(), n.get(), context.get()) != 1)
    return bad_key("rsa modulus is even");
  BN_mod_sub(power.get(), power.get(), two.get(), n.get(), context.get());
  if (BN_is_zero(power.get())) return bad_key("rsa modulus is a prime");
  BN_gcd(divisor.get(), power.get(), n.get(), context.get());
  if (!BN_is_one(divisor.get())) return bad_key("rsa modulus has a factor that everybody can compute");
  return {};
}

namespace {

Bytes encoded_spki(KeyType type, ByteView key_bits) {
  const algorithms::KeyRow& row = algorithms::row(type);
  der::Writer writer(key_bits.size() + 64);
  writer.sequence([&] {
    writer.bits(key_bits);
    writer.sequence([&] {
      writer.raw(row.parameters);
      writer.oid(row.oid);
    });
  });
  return writer.bytes();
}

}  // namespace

Bytes ec_spki(KeyType type, ByteView point) { return encoded_spki(type, point); }

Bytes rsa_spki(ByteView modulus, ByteView exponent) {
  der::Writer key(1100);
  key.sequence([&] {
    key.unsigned_integer(exponent);
    key.unsigned_integer(modulus);
  });
  return encoded_spki(KeyType::rsa, key.view());
}

std::array<std::uint8_t, 20> key_identifier(const PublicKey& key) {
  const Fingerprint hash = crypto::sha256(key.key_bits);
  std::array<std::uint8_t, 20> identifier;
  std::copy_n(hash.begin(), identifier.size(), identifier.begin());
  return identifier;
}

}  // namespace hanaper::x509
