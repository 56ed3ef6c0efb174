#include <hanaper/toolkit/public_key.hpp>

#include "crypto_context.hpp"

#include <openssl/bn.h>
#include <openssl/err.h>

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

Status parse_rsa(PublicKey& key) {
  HANAPER_TRY(der::Reader rsa, der::open(key.key_bits, der::sequence));
  HANAPER_TRY(const ByteView modulus, rsa.read_integer());
  HANAPER_TRY(const ByteView exponent, rsa.read_integer());
  HANAPER_CHECK(rsa.finish());
  if ((modulus[0] & 0x80) || (exponent[0] & 0x80)) return bad_key("rsa key with a negative number");
  key.modulus = magnitude(modulus);
  key.exponent = magnitude(exponent);
  if (key.modulus.size() > 8191) return bad_key("rsa modulus too long");
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
  if (key.exponent.size() > 8) return bad_key("rsa exponent is longer than 64 bits");
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

}  // namespace

Result<PublicKey> parse_public_key(ByteView spki) {
  auto key = parse(spki);
  if (!key && key.error().code == Code::malformed) key.error().code = Code::bad_key;
  return key;
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

namespace {

Bytes spki_of(KeyType type, ByteView key_bits) {
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

Bytes ec_spki(KeyType type, ByteView point) { return spki_of(type, point); }

Bytes rsa_spki(ByteView modulus, ByteView exponent) {
  der::Writer key(1100);
  key.sequence([&] {
    key.unsigned_integer(exponent);
    key.unsigned_integer(modulus);
  });
  return spki_of(KeyType::rsa, key.view());
}

std::array<std::uint8_t, 20> key_identifier(const PublicKey& key) {
  const Fingerprint hash = crypto::sha256(key.key_bits);
  std::array<std::uint8_t, 20> identifier;
  std::copy_n(hash.begin(), identifier.size(), identifier.begin());
  return identifier;
}

}  // namespace hanaper::x509
