#include "tpm.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <algorithm>

namespace hanaper::acme::tpm {
namespace {

// Part 2, 6.3 and 6.4.
enum Algorithm : std::uint16_t {
  alg_rsa = 0x0001,
  alg_sha256 = 0x000b,
  alg_sha384 = 0x000c,
  alg_sha512 = 0x000d,
  alg_null = 0x0010,
  alg_rsassa = 0x0014,
  alg_rsaes = 0x0015,
  alg_rsapss = 0x0016,
  alg_ecdsa = 0x0018,
  alg_ecdaa = 0x001a,
  alg_ecc = 0x0023,
};
constexpr std::uint32_t magic = 0xff544347;       // TPM_GENERATED_VALUE
constexpr std::uint16_t attest_certify = 0x8017;  // TPM_ST_ATTEST_CERTIFY
constexpr std::size_t longest_name = 2 + 64;

// Big-endian numbers and sized buffers, one after the other.
class Cursor {
 public:
  explicit Cursor(ByteView input) noexcept : rest_(input) {}

  Result<ByteView> take(std::size_t size) {
    if (size > rest_.size()) return malformed("tpm: a structure is cut off");
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  template <class Number>
  Result<Number> number() {
    HANAPER_TRY(const ByteView octets, take(sizeof(Number)));
    Number value = 0;
    for (std::uint8_t octet : octets) value = static_cast<Number>(value << 8 | octet);
    return value;
  }
  Result<ByteView> sized() {
    HANAPER_TRY(const std::uint16_t size, number<std::uint16_t>());
    return take(size);
  }
  Status finish() const {
    return rest_.empty() ? Status() : Status(malformed("tpm: octets behind the end of a structure"));
  }

 private:
  ByteView rest_;
};

Result<crypto::Hash> hash_of(std::uint16_t algorithm) {
  if (algorithm == alg_sha256) return crypto::Hash::sha256;
  if (algorithm == alg_sha384) return crypto::Hash::sha384;
  if (algorithm == alg_sha512) return crypto::Hash::sha512;
  return malformed("tpm: hash " + std::to_string(algorithm) + " is none of SHA-256, SHA-384 and SHA-512");
}

// TPMT_SYM_DEF_OBJECT, and TPMT_RSA_SCHEME or TPMT_ECC_SCHEME: they say nothing about whose key it is.
Status skip_schemes(Cursor& cursor) {
  HANAPER_TRY(const std::uint16_t symmetric, cursor.number<std::uint16_t>());
  if (symmetric != alg_null)
    if (auto skipped = cursor.take(4); !skipped) return skipped.error();
  HANAPER_TRY(const std::uint16_t scheme, cursor.number<std::uint16_t>());
  if (scheme == alg_ecdaa) return malformed("tpm: ECDAA is not supported");
  if (scheme != alg_null && scheme != alg_rsaes)
    if (auto skipped = cursor.take(2); !skipped) return skipped.error();
  return {};
}

Result<Bytes> rsa_key(Cursor& cursor) {
  HANAPER_TRY(const std::uint16_t bits, cursor.number<std::uint16_t>());
  HANAPER_TRY(const std::uint32_t exponent, cursor.number<std::uint32_t>());
  HANAPER_TRY(const ByteView modulus, cursor.sized());
  if (modulus.size() * 8 != bits || modulus.empty() || !(modulus[0] & 0x80))
    return malformed("tpm: an rsa key of another size than it says");
  // 12.2.3.5: "When zero, indicates that the exponent is the default of 2^16 + 1"
  const std::uint32_t value = exponent == 0 ? 65537 : exponent;
  Bytes octets;
  for (int shift = 24; shift >= 0; shift -= 8)
    if (value >> shift != 0) octets.push_back(static_cast<std::uint8_t>(value >> shift));
  return x509::rsa_spki(modulus, octets);
}

Result<Bytes> ec_key(Cursor& cursor) {
  struct Curve {
    std::uint16_t number;  // part 2, 6.4
    KeyType type;
  };
  constexpr Curve curves[] = {{3, KeyType::ec_p256}, {4, KeyType::ec_p384}, {5, KeyType::ec_p521}};
  HANAPER_TRY(const std::uint16_t number, cursor.number<std::uint16_t>());
  HANAPER_TRY(const std::uint16_t derivation, cursor.number<std::uint16_t>());
  if (derivation != alg_null)
    if (auto skipped = cursor.take(2); !skipped) return skipped.error();
  HANAPER_TRY(const ByteView x, cursor.sized());
  HANAPER_TRY(const ByteView y, cursor.sized());
  const auto* curve = std::ranges::find(curves, number, &Curve::number);
  if (curve == std::end(curves))
    return malformed("tpm: curve " + std::to_string(number) + " is not supported");
  const std::size_t size = algorithms::row(curve->type).octets;
  if (x.size() > size || y.size() > size) return malformed("tpm: a point of another size than its curve's");
  Bytes point(1 + 2 * size);
  point[0] = 0x04;
  std::ranges::copy(x, point.begin() + static_cast<std::ptrdiff_t>(1 + size - x.size()));
  std::ranges::copy(y, point.end() - static_cast<std::ptrdiff_t>(y.size()));
  return x509::ec_spki(curve->type, point);
}

Bytes der_of(ByteView r, ByteView s) {
  der::Writer writer(160);
  writer.sequence([&] {
    writer.unsigned_integer(s);
    writer.unsigned_integer(r);
  });
  return writer.bytes();
}

}  // namespace

Result<Public> parse_public(ByteView area) {
  Cursor cursor(area);
  Public key;
  HANAPER_TRY(const std::uint16_t type, cursor.number<std::uint16_t>());
  HANAPER_TRY(key.name_algorithm, cursor.number<std::uint16_t>());
  HANAPER_TRY(key.name_hash, hash_of(key.name_algorithm));
  HANAPER_TRY(key.attributes, cursor.number<std::uint32_t>());
  if (auto policy = cursor.sized(); !policy) return policy.error();
  if (type != alg_rsa && type != alg_ecc) return malformed("tpm: a key that is neither rsa nor ec");
  HANAPER_CHECK(skip_schemes(cursor));
  HANAPER_TRY(key.spki, type == alg_rsa ? rsa_key(cursor) : ec_key(cursor));
  HANAPER_CHECK(cursor.finish());
  return key;
}

bool stays_inside(const Public& key) noexcept {
  constexpr std::uint32_t fixed_tpm = 1u << 1, fixed_parent = 1u << 4, sensitive_data_origin = 1u << 5;
  constexpr std::uint32_t wanted = fixed_tpm | fixed_parent | sensitive_data_origin;
  return (key.attributes & wanted) == wanted;
}

Bytes name_of(const Public& key, ByteView area) {
  Bytes name{static_cast<std::uint8_t>(key.name_algorithm >> 8),
             static_cast<std::uint8_t>(key.name_algorithm)};
  const Bytes digest = crypto::digest(key.name_hash, area);
  name.insert(name.end(), digest.begin(), digest.end());
  return name;
}

Result<Certified> parse_certified(ByteView info) {
  Cursor cursor(info);
  Certified certified;
  HANAPER_TRY(const std::uint32_t generated, cursor.number<std::uint32_t>());
  if (generated != magic) return malformed("tpm: certInfo was not made by a TPM");
  HANAPER_TRY(const std::uint16_t type, cursor.number<std::uint16_t>());
  if (type != attest_certify) return malformed("tpm: certInfo certifies no key");
  HANAPER_TRY(const ByteView signer, cursor.sized());
  HANAPER_TRY(certified.extra_data, cursor.sized());
  constexpr std::size_t clock_and_firmware = 8 + 4 + 4 + 1 + 8;
  if (auto skipped = cursor.take(clock_and_firmware); !skipped) return skipped.error();
  HANAPER_TRY(certified.name, cursor.sized());
  HANAPER_TRY(const ByteView qualified, cursor.sized());
  HANAPER_CHECK(cursor.finish());
  if (std::max({signer.size(), certified.name.size(), qualified.size()}) > longest_name)
    return malformed("tpm: a name longer than names are");
  return certified;
}

Result<Signature> parse_signature(ByteView signature, std::int64_t cose_algorithm) {
  const auto* row = algorithms::find(algorithms::schemes, &algorithms::SchemeRow::cose, cose_algorithm);
  if (row == nullptr || !row->hash)
    return unsupported("tpm: alg " + std::to_string(cose_algorithm) + " is not supported");
  const std::uint16_t wanted = row->padding == algorithms::Padding::pkcs1 ? alg_rsassa
                               : row->padding == algorithms::Padding::pss ? alg_rsapss
                                                                          : alg_ecdsa;
  Cursor cursor(signature);
  HANAPER_TRY(const std::uint16_t algorithm, cursor.number<std::uint16_t>());
  HANAPER_TRY(const std::uint16_t hash, cursor.number<std::uint16_t>());
  HANAPER_TRY(const crypto::Hash hashed, hash_of(hash));
  if (algorithm != wanted || hashed != row->hash)
    return malformed("tpm: sig is by another algorithm than alg says");
  Signature result{row->scheme, {}};
  HANAPER_TRY(const ByteView first, cursor.sized());
  if (algorithm == alg_ecdsa) {
    HANAPER_TRY(const ByteView second, cursor.sized());
    if (std::max(first.size(), second.size()) > 66) return malformed("tpm: sig is too long");
    result.octets = der_of(first, second);
  } else {
    result.octets = to_bytes(first);
  }
  HANAPER_CHECK(cursor.finish());
  return result;
}

}  // namespace hanaper::acme::tpm
