#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <gtest/gtest.h>

#include <functional>

namespace hanaper::x509 {
namespace {

using namespace der::literals;

struct PkeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;

Bytes spki_of(EVP_PKEY* key) {
  unsigned char* out = nullptr;
  const int size = i2d_PUBKEY(key, &out);
  Bytes spki(out, out + size);
  OPENSSL_free(out);
  return spki;
}

TEST(PublicKeys, OfEveryKindAreReadAsOpensslWritesThem) {
  const std::pair<Pkey, const char*> table[] = {
      {Pkey(EVP_EC_gen("P-256")), "ec-p256"},
      {Pkey(EVP_EC_gen("P-384")), "ec-p384"},
      {Pkey(EVP_EC_gen("P-521")), "ec-p521"},
      {Pkey(EVP_RSA_gen(2048)), "rsa-2048"},
      {Pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")), "ed25519"}};
  for (const auto& [pkey, name] : table) {
    const Bytes spki = spki_of(pkey.get());
    const auto key = parse_public_key(spki);
    ASSERT_TRUE(key.has_value()) << name << ": " << key.error().detail;
    EXPECT_EQ(to_string(key->spec), name);
    const auto checked = check_public_key(*key);
    EXPECT_TRUE(checked.has_value()) << checked.error().detail;
    const Bytes again = key->spec.type == KeyType::rsa ? rsa_spki(key->modulus, key->exponent)
                                                       : ec_spki(key->spec.type, key->point);
    EXPECT_EQ(again, spki) << name;
  }
}

TEST(PublicKeys, ThatAreWeakAreRefusedByName) {
  const auto rsa = [](Bytes modulus, Bytes exponent) { return rsa_spki(modulus, exponent); };
  const Pkey small(EVP_RSA_gen(1024));
  const Pkey good(EVP_RSA_gen(2048));
  const Bytes good_spki = spki_of(good.get());
  const auto parsed = parse_public_key(good_spki);
  Bytes even = to_bytes(parsed->modulus);
  even.back() &= 0xfe;
  // 256 is 1 modulo 3, so the sum of the octets tells whether 3 divides the number.
  Bytes tripled(256, 0x55);
  tripled[0] = 0xc0;
  std::uint32_t sum = 0;
  for (std::uint8_t octet : tripled) sum = (sum * 256 + octet) % 3;
  tripled.back() = static_cast<std::uint8_t>(tripled.back() - sum);
  if (!(tripled.back() & 1)) tripled.back() = static_cast<std::uint8_t>(tripled.back() + 3);

  const std::pair<Bytes, const char*> table[] = {
      {spki_of(small.get()), "1024 bits"},
      {rsa(even, {1, 0, 1}), "modulus is even"},
      {rsa(to_bytes(parsed->modulus), {1, 0, 0}), "exponent is even"},
      {rsa(to_bytes(parsed->modulus), {3}), "below 65537"},
      {rsa(tripled, {1, 0, 1}), "small factor"},
  };
  for (const auto& [spki, why] : table) {
    const auto key = parse_public_key(spki);
    ASSERT_TRUE(key.has_value()) << why;
    const auto checked = check_public_key(*key);
    ASSERT_FALSE(checked.has_value()) << why;
    EXPECT_EQ(checked.error().code, Code::bad_key);
    EXPECT_NE(checked.error().detail.find(why), std::string::npos) << checked.error().detail;
  }
}

Bytes algorithm_spki(der::Oid algorithm, const std::function<void(der::Writer&)>& parameters, ByteView bits) {
  der::Writer writer(bits.size() + 256);
  writer.sequence([&] {
    writer.bits(bits);
    writer.sequence([&] {
      parameters(writer);
      writer.oid(algorithm);
    });
  });
  return writer.bytes();
}

Bytes rsa_bits(std::size_t modulus, std::size_t exponent) {
  der::Writer writer(modulus + exponent + 32);
  writer.sequence([&] {
    writer.unsigned_integer(Bytes(exponent, 0xff));
    writer.unsigned_integer(Bytes(modulus, 0xff));
  });
  return writer.bytes();
}

Bytes explicit_curve() {
  const Pkey key(EVP_EC_gen("P-256"));
  EVP_PKEY_set_utf8_string_param(key.get(), "encoding", "explicit");
  return spki_of(key.get());
}

// What OpenSSL would compute with a key that somebody sends, while it reads it or verifies with it.
TEST(PublicKeys, ThatCostMuchAreRefusedBeforeAnybodyComputes) {
  const auto none = [](der::Writer&) {};
  const auto null = [](der::Writer& writer) { writer.null(); };
  const auto curve = [](der::Writer& writer) { writer.oid(oid::p521); };
  const struct {
    const char* name;
    Bytes spki;
    const char* why;  // "": good
  } table[] = {
      {"the largest RSA key", rsa_spki(Bytes(1024, 0xff), Bytes(8, 0xff)), ""},
      {"a small exponent", rsa_spki(Bytes(256, 0xff), Bytes{3}), ""},
      {"a modulus of 8200 bits", rsa_spki(Bytes(1025, 0xff), Bytes{1, 0, 1}), "more than 8192 bits"},
      {"a modulus of 16384 bits", rsa_spki(Bytes(2048, 0xff), Bytes{1, 0, 1}), "more than 8192 bits"},
      {"an exponent of 72 bits", rsa_spki(Bytes(256, 0xff), Bytes(9, 0xff)), "longer than 64 bits"},
      {"an exponent as long as the modulus", rsa_spki(Bytes(384, 0xff), Bytes(384, 0xff)),
       "longer than 64 bits"},
      {"an RSA key for PSS", algorithm_spki(oid::rsassa_pss, none, rsa_bits(256, 3)), ""},
      {"a long exponent for PSS", algorithm_spki(oid::rsassa_pss, none, rsa_bits(256, 256)),
       "longer than 64 bits"},
      {"a long modulus for PSS", algorithm_spki(oid::rsassa_pss, null, rsa_bits(2048, 3)),
       "more than 8192 bits"},
      {"an EC key", ec_spki(KeyType::ec_p384, Bytes(97, 4)), ""},
      {"a curve that is written out", explicit_curve(), "without a named curve"},
      {"a point of a thousand octets", algorithm_spki(oid::ec_public_key, curve, Bytes(1000, 4)), "too long"},
      {"Ed25519", ec_spki(KeyType::ed25519, Bytes(32, 9)), ""},
      {"Ed448", algorithm_spki(oid::ed448, none, Bytes(57, 9)), ""},
      {"an algorithm nobody wants", algorithm_spki("1.2.840.10040.4.1"_oid, null, Bytes(2000, 9)),
       "is not supported"},
      {"nothing", {}, "der"},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    const Status cost = check_key_cost(row.spki);
    ASSERT_EQ(cost.has_value(), *row.why == '\0') << (cost ? "" : cost.error().detail);
    if (cost) continue;
    EXPECT_NE(cost.error().detail.find(row.why), std::string::npos) << cost.error().detail;
    // Whatever costs much is not read as a key either, so that no other way leads there.
    EXPECT_FALSE(parse_public_key(row.spki).has_value());
  }
}

TEST(PublicKeys, OfChainsAreCountedAndWeighed) {
  const auto certificate = [](const Bytes& spki, std::size_t more = 0) {
    der::Writer writer(spki.size() + more + 256);
    writer.sequence([&] {
      writer.bits(Bytes(more, 0));
      writer.sequence([&] {});
      writer.sequence([&] {
        writer.raw(spki);
        for (int field = 0; field < 4; ++field) writer.sequence([&] {});
        writer.integer(1);
      });
    });
    return writer.bytes();
  };
  const Bytes good = certificate(ec_spki(KeyType::ec_p256, Bytes(65, 4)));
  const Bytes dear = certificate(rsa_spki(Bytes(384, 0xff), Bytes(384, 0xff)));
  const Bytes large = certificate(ec_spki(KeyType::ec_p256, Bytes(65, 4)), largest_certificate);
  const struct {
    const char* name;
    std::vector<ByteView> chain;
    bool good;
  } table[] = {{"nobody", {}, true},
               {"one", {good}, true},
               {"as many as may be", std::vector<ByteView>(longest_chain, good), true},
               {"one more", std::vector<ByteView>(longest_chain + 1, good), false},
               {"a dear key at the end", {good, good, dear}, false},
               {"a dear key in front", {dear}, false},
               {"a large one", {good, large}, false},
               {"what is no certificate", {as_bytes("certificate")}, false}};
  for (const auto& row : table) EXPECT_EQ(check_chain_cost(row.chain).has_value(), row.good) << row.name;
}

TEST(PublicKeys, WithTheRocaFingerprintAreRefused) {
  // A modulus with the flaw's structure, made here: p = k * M + 65537^a mod M, M the product of the first 126
  // primes.
  BN_CTX* context = BN_CTX_new();
  BIGNUM* m = BN_new();
  BN_one(m);
  int count = 0;
  for (unsigned n = 2; count < 126; ++n) {
    bool prime = true;
    for (unsigned d = 2; d * d <= n; ++d) prime = prime && n % d != 0;
    if (prime) BN_mul_word(m, n), ++count;
  }
  BIGNUM* generator = BN_new();
  BN_set_word(generator, 65537);
  const auto flawed_prime = [&] {
    BIGNUM *a = BN_new(), *p = BN_new(), *k = BN_new();
    do {
      BN_rand(a, 64, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
      BN_mod_exp(p, generator, a, m, context);
      BN_rand(k, 1024 - BN_num_bits(m), BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY);
      BN_mul(k, k, m, context);
      BN_add(p, p, k);
    } while (BN_num_bits(p) != 1024 || BN_check_prime(p, context, nullptr) != 1);
    BN_free(a), BN_free(k);
    return p;
  };
  BIGNUM *p = flawed_prime(), *q = flawed_prime(), *n = BN_new();
  BN_mul(n, p, q, context);
  Bytes modulus(static_cast<std::size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, modulus.data());
  for (BIGNUM* number : {m, generator, p, q, n}) BN_free(number);
  BN_CTX_free(context);
  const Bytes spki = rsa_spki(modulus, Bytes{1, 0, 1});
  const auto key = parse_public_key(spki);
  ASSERT_TRUE(key.has_value());
  const auto checked = check_public_key(*key);
  ASSERT_FALSE(checked.has_value());
  EXPECT_NE(checked.error().detail.find("ROCA"), std::string::npos);
}

TEST(PublicKeys, WithFactorsCloseToEachOtherAreRefused) {
  BN_CTX* context = BN_CTX_new();
  BIGNUM *p = BN_new(), *q = BN_new(), *n = BN_new();
  BN_generate_prime_ex2(p, 1024, 0, nullptr, nullptr, nullptr, context);
  BN_copy(q, p);
  do BN_add_word(q, 2);
  while (BN_check_prime(q, context, nullptr) != 1);
  BN_mul(n, p, q, context);
  if (BN_num_bits(n) % 8 == 0) {
    Bytes modulus(static_cast<std::size_t>(BN_num_bytes(n)));
    BN_bn2bin(n, modulus.data());
    const Bytes spki = rsa_spki(modulus, Bytes{1, 0, 1});
    const auto checked = check_public_key(*parse_public_key(spki));
    ASSERT_FALSE(checked.has_value());
    EXPECT_NE(checked.error().detail.find("close to each other"), std::string::npos)
        << checked.error().detail;
  }
  BN_free(p), BN_free(q), BN_free(n), BN_CTX_free(context);
}

// Products of primes with other factors than an RSA key has, by the bits of each.
struct Modulus {
  const char* name;
  std::vector<std::pair<int, int>> factors;  // bits of a prime, and its power
  const char* why;                           // "": a good one
};
std::ostream& operator<<(std::ostream& out, const Modulus& of) { return out << of.name; }
class Moduli : public ::testing::TestWithParam<Modulus> {};

// A modulus of whole octets with those factors.
Bytes modulus_of(const std::vector<std::pair<int, int>>& factors) {
  BN_CTX* context = BN_CTX_new();
  BIGNUM *n = BN_new(), *prime = BN_new(), *degree = BN_new();
  do {
    BN_one(n);
    for (const auto& [bits, power] : factors) {
      BN_generate_prime_ex2(prime, bits, 0, nullptr, nullptr, nullptr, context);
      BN_set_word(degree, static_cast<unsigned long>(power));
      BN_exp(prime, prime, degree, context);
      BN_mul(n, n, prime, context);
    }
  } while (BN_num_bits(n) < 2048 || BN_num_bits(n) % 8 != 0);
  Bytes modulus(static_cast<std::size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, modulus.data());
  BN_free(n), BN_free(prime), BN_free(degree), BN_CTX_free(context);
  return modulus;
}

TEST_P(Moduli, HaveTwoDifferentFactors) {
  const Bytes spki = rsa_spki(modulus_of(GetParam().factors), Bytes{1, 0, 1});
  const auto key = *parse_public_key(spki);
  Status checked = check_public_key(key);
  if (checked) checked = check_modulus(key);
  const std::string outcome = checked ? "" : checked.error().detail;
  EXPECT_EQ(outcome, GetParam().why);
}

constexpr const char* a_power = "rsa modulus is a power of another number";
const Modulus moduli[] = {
    {"APrime", {{2048, 1}}, "rsa modulus is a prime"},
    {"ASquare", {{1024, 2}}, a_power},
    {"ACube", {{683, 3}}, a_power},
    {"AFourthPower", {{512, 4}}, a_power},
    {"AFifthPower", {{413, 5}}, a_power},
    {"ASeventhPower", {{294, 7}}, a_power},
    {"TheEleventhPower", {{187, 11}}, a_power},
    {"TheSixtyFourthPower", {{32, 64}}, a_power},
    {"TheHundredAndSixtyThirdPower", {{13, 163}}, a_power},
    {"ASquareOfAProduct", {{500, 2}, {524, 2}}, a_power},
    {"TwoPrimes", {{1000, 1}, {1048, 1}}, ""},
    {"ThreePrimes", {{683, 1}, {682, 1}, {683, 1}}, ""},
};
INSTANTIATE_TEST_SUITE_P(As, Moduli, ::testing::ValuesIn(moduli),
                         [](const auto& test) { return test.param.name; });

// RFC 8032 5.1.3, and the points of small order in each spelling that some reader takes.
struct Point {
  const char* name;
  const char* hex;
  const char* why;
};
std::ostream& operator<<(std::ostream& out, const Point& of) { return out << of.name; }
class EdwardsPoints : public ::testing::TestWithParam<Point> {};

TEST_P(EdwardsPoints, AreOnesThatOnlyTheirOwnerSignsFor) {
  const Bytes spki = ec_spki(KeyType::ed25519, *from_hex(GetParam().hex));
  const Status checked = check_public_key(*parse_public_key(spki));
  EXPECT_EQ(checked ? "" : checked.error().detail, GetParam().why);
}

constexpr const char* small = "ed25519 key of small order";
constexpr const char* not_canonical = "ed25519 key is not in its canonical encoding";
const Point points[] = {
    {"TheBasePoint", "5866666666666666666666666666666666666666666666666666666666666666", ""},
    {"ItsOpposite", "58666666666666666666666666666666666666666666666666666666666666e6", ""},
    // RFC 8032 7.1, tests 1 to 3.
    {"TheFirstOfTheRfc", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", ""},
    {"TheSecond", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", ""},
    {"TheThird", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", ""},
    {"OffTheCurve", "0200000000000000000000000000000000000000000000000000000000000000",
     "the public key is not a point of its curve"},
    {"Neutral", "0100000000000000000000000000000000000000000000000000000000000000", small},
    {"NeutralWithASign", "0100000000000000000000000000000000000000000000000000000000000080", small},
    {"NeutralPlusP", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", not_canonical},
    {"NeutralPlusPWithASign", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     not_canonical},
    {"OfOrder2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", small},
    {"OfOrder2WithASign", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", small},
    {"OfOrder4", "0000000000000000000000000000000000000000000000000000000000000000", small},
    {"OfOrder4WithASign", "0000000000000000000000000000000000000000000000000000000000000080", small},
    {"OfOrder4PlusP", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", not_canonical},
    {"OfOrder4PlusPWithASign", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     not_canonical},
    {"OfOrder8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", small},
    {"OfOrder8WithASign", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", small},
    {"OfOrder8TheOther", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", small},
    {"OfOrder8TheOtherWithASign", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", small},
    {"TheGreatestOfAll", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", not_canonical},
};
INSTANTIATE_TEST_SUITE_P(As, EdwardsPoints, ::testing::ValuesIn(points),
                         [](const auto& test) { return test.param.name; });

TEST(PublicKeys, OffTheirCurveAreRefused) {
  for (const auto& [curve, type] :
       {std::pair{"P-256", KeyType::ec_p256}, {"P-384", KeyType::ec_p384}, {"P-521", KeyType::ec_p521}}) {
    const Pkey pkey(EVP_EC_gen(curve));
    const Bytes spki = spki_of(pkey.get());
    Bytes point = to_bytes(parse_public_key(spki)->point);
    point.back() ^= 1;
    const Bytes off_spki = ec_spki(type, point);
    const auto off = parse_public_key(off_spki);
    ASSERT_TRUE(off.has_value());
    const auto checked = check_public_key(*off);
    ASSERT_FALSE(checked.has_value()) << curve;
    EXPECT_EQ(checked.error().detail, "the public key is not a point of its curve");
    // The kept key of the thread must not remember it.
    EXPECT_TRUE(check_public_key(*parse_public_key(spki)).has_value());
  }
}

TEST(PublicKeys, InOtherFormsAreRefused) {
  const Pkey pkey(EVP_EC_gen("P-256"));
  const Bytes spki = spki_of(pkey.get());
  Bytes compressed = to_bytes(parse_public_key(spki)->point);
  compressed.resize(33);
  compressed[0] = 0x02;
  const Pkey secp256k1(EVP_EC_gen("secp256k1"));
  const Pkey x25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  for (const Bytes& bad : {ec_spki(KeyType::ec_p256, compressed), spki_of(secp256k1.get()),
                           spki_of(x25519.get()), Bytes{}, Bytes{0x30, 0}}) {
    const auto key = parse_public_key(bad);
    ASSERT_FALSE(key.has_value());
    EXPECT_EQ(key.error().code, Code::bad_key);
  }
}

TEST(Verification, KeepsNoMemoryOfTheKeyBefore) {
  const Bytes message(100, 7);
  for (int round = 0; round < 20; ++round) {
    const Pkey right(EVP_EC_gen("P-256")), wrong(EVP_EC_gen("P-256"));
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    Bytes signature(128);
    std::size_t size = signature.size();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, right.get());
    EVP_DigestSign(context, signature.data(), &size, message.data(), message.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    const Bytes good = spki_of(right.get()), bad = spki_of(wrong.get());
    EXPECT_TRUE(crypto::verify(SignatureScheme::ecdsa_sha256, good, message, signature).has_value());
    EXPECT_EQ(crypto::verify(SignatureScheme::ecdsa_sha256, bad, message, signature).error().code,
              Code::forbidden);
    EXPECT_TRUE(crypto::verify(SignatureScheme::ecdsa_sha256, good, message, signature).has_value());
    EXPECT_EQ(crypto::verify(SignatureScheme::rsa_pkcs1_sha256, good, message, signature).error().code,
              Code::bad_key);
  }
}

TEST(Hashes, AgreeWithOpenssl) {
  const Bytes message(1000, 3);
  Bytes expected(32);
  EVP_Digest(message.data(), message.size(), expected.data(), nullptr, EVP_sha256(), nullptr);
  EXPECT_TRUE(equal(crypto::sha256(message), expected));
  EXPECT_EQ(crypto::digest(crypto::Hash::sha256, message), expected);
  EXPECT_TRUE(equal(crypto::sha256({ByteView(message).first(10), ByteView(message).subspan(10)}), expected));
  crypto::Hasher hasher(crypto::Hash::sha256);
  hasher.update(ByteView(message).first(999));
  hasher.update(ByteView(message).subspan(999));
  EXPECT_EQ(hasher.finish(), expected);
}

}  // namespace
}  // namespace hanaper::x509
