#include <hanaper/toolkit/public_key.hpp>

#include <hanaper/toolkit/oids.hpp>
#include "crypto_context.hpp"

#include <openssl/bn.h>
#include <openssl/err.h>

namespace hanaper::x509 {
namespace {

using crypto::Owned;

std::size_t coordinate_size(KeyType type) noexcept {
  switch (type) {
    case KeyType::ec_p256:
      return 32;
    case KeyType::ec_p384:
      return 48;
    case KeyType::ec_p521:
      return 66;
    default:
      return 0;
  }
}

ByteView magnitude(ByteView integer) noexcept {
  return integer.size() > 1 && integer[0] == 0 ? integer.subspan(1) : integer;
}

Status parse_ec(PublicKey& key, ByteView curve) {
  if (curve.data() == nullptr) return bad_key("ec key without a named curve");
  if (oid::p256 == curve)
    key.spec = {KeyType::ec_p256, 0};
  else if (oid::p384 == curve)
    key.spec = {KeyType::ec_p384, 0};
  else if (oid::p521 == curve)
    key.spec = {KeyType::ec_p521, 0};
  else
    return bad_key("elliptic curve " + der::oid_to_text(curve) + " is not one of P-256, P-384 and P-521");
  key.point = key.key_bits;
  if (key.point.size() != 1 + 2 * coordinate_size(key.spec.type) || key.point[0] != 0x04)
    return bad_key("ec point is not in uncompressed form");
  return {};
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
  if (oid::ec_public_key == id) {
    ByteView curve;
    if (algorithm.peek() == der::object_identifier) {
      HANAPER_TRY(curve, algorithm.read_oid());
      HANAPER_CHECK(algorithm.finish());
    }
    HANAPER_CHECK(parse_ec(key, curve));
  } else if (oid::rsa_encryption == id) {
    HANAPER_CHECK(algorithm.read_null());  // RFC 3279 2.3.1: "The parameters field MUST have ASN.1 type NULL"
    HANAPER_CHECK(algorithm.finish());
    HANAPER_CHECK(parse_rsa(key));
  } else if (oid::ed25519 == id) {
    HANAPER_CHECK(algorithm.finish());  // RFC 8410 3: "the parameters MUST be absent"
    if (key.key_bits.size() != 32) return bad_key("ed25519 key is not 32 octets");
    key.spec = {KeyType::ed25519, 0};
    key.point = key.key_bits;
  } else {
    return bad_key("public key algorithm " + der::oid_to_text(id) + " is not supported");
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

// Floor of the square root, by Newton's method from above.
void integer_root(const BIGNUM* of, BIGNUM* root, BN_CTX* context) {
  const Owned<BIGNUM, BN_free> next(BN_new());
  BN_one(root);
  BN_lshift(root, root, (BN_num_bits(of) + 1) / 2);
  for (;;) {
    BN_div(next.get(), nullptr, of, root, context);
    BN_add(next.get(), next.get(), root);
    BN_rshift1(next.get(), next.get());
    if (BN_cmp(next.get(), root) >= 0) return;
    BN_copy(root, next.get());
  }
}

// Primes that differ little are found by Fermat's method in a few rounds: some a with a * a - n a square.
bool has_close_factors(ByteView modulus) {
  const Owned<BN_CTX, BN_CTX_free> context(BN_CTX_new());
  const Owned<BIGNUM, BN_free> n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const Owned<BIGNUM, BN_free> a(BN_new()), square(BN_new()), root(BN_new()), step(BN_new());
  if (!context || !n || !a || !square || !root || !step) throw std::bad_alloc();
  integer_root(n.get(), a.get(), context.get());
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
      integer_root(square.get(), root.get(), context.get());
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
  if (key.spec.bits < 2048)
    return bad_key("rsa key of " + std::to_string(key.spec.bits) + " bits; 2048 is the least");
  if (key.spec.bits % 8 != 0) return bad_key("rsa modulus is not a whole number of octets");
  if (!(key.modulus.back() & 1)) return bad_key("rsa modulus is even");
  if (!(key.exponent.back() & 1)) return bad_key("rsa exponent is even");
  if (key.exponent.size() < 3) return bad_key("rsa exponent is below 65537");
  if (has_roca_fingerprint(key.modulus)) return bad_key("rsa key from a generator with the ROCA flaw");
  if (has_small_factor(key.modulus)) return bad_key("rsa modulus has a small factor");
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

// RFC 7748 6.1 speaks of the small-order points that a peer must not choose; these are their Edwards forms.
Status check_ed25519(const PublicKey& key) {
  constexpr std::string_view small_order[] = {
      "0100000000000000000000000000000000000000000000000000000000000000",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "0000000000000000000000000000000000000000000000000000000000000080",
      "0000000000000000000000000000000000000000000000000000000000000000",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"};
  const std::string hex = to_hex(key.point);
  for (std::string_view point : small_order)
    if (hex == point) return bad_key("ed25519 key of small order");
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
  switch (key.spec.type) {
    case KeyType::rsa:
      return check_rsa(key);
    case KeyType::ed25519:
      return check_ed25519(key);
    default:
      return check_ec(key);
  }
}

Bytes ec_spki(KeyType type, ByteView point) {
  der::Writer writer(192);
  writer.sequence([&] {
    writer.bits(point);
    writer.sequence([&] {
      if (type == KeyType::ed25519) return writer.oid(oid::ed25519);
      writer.oid(type == KeyType::ec_p256 ? oid::p256 : type == KeyType::ec_p384 ? oid::p384 : oid::p521);
      writer.oid(oid::ec_public_key);
    });
  });
  return writer.bytes();
}

Bytes rsa_spki(ByteView modulus, ByteView exponent) {
  der::Writer key(1100);
  key.sequence([&] {
    key.unsigned_integer(exponent);
    key.unsigned_integer(modulus);
  });
  der::Writer writer(1200);
  writer.sequence([&] {
    writer.bits(key.view());
    writer.sequence([&] {
      writer.null();
      writer.oid(oid::rsa_encryption);
    });
  });
  return writer.bytes();
}

std::array<std::uint8_t, 20> key_identifier(const PublicKey& key) {
  const Fingerprint hash = crypto::sha256(key.key_bits);
  std::array<std::uint8_t, 20> identifier;
  std::copy_n(hash.begin(), identifier.size(), identifier.begin());
  return identifier;
}

}  // namespace hanaper::x509
