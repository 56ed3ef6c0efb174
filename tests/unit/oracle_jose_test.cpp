// JWS and JWK against EVP: keys go there and back, signatures made by OpenSSL verify.
#include "oracle_family.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/jose.hpp>

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

namespace hanaper::oracle {
namespace {

struct Algorithm {
  const char* name;
  const char* digest;  // null: none of its own
  KeySpec key;
  bool pss;
};
constexpr Algorithm algorithms[] = {
    {"ES256", "SHA256", {KeyType::ec_p256, 0}, false}, {"ES384", "SHA384", {KeyType::ec_p384, 0}, false},
    {"ES512", "SHA512", {KeyType::ec_p521, 0}, false}, {"RS256", "SHA256", {KeyType::rsa, 2048}, false},
    {"RS256", "SHA256", {KeyType::rsa, 3072}, false},  {"PS256", "SHA256", {KeyType::rsa, 2048}, true},
    {"EdDSA", nullptr, {KeyType::ed25519, 0}, false}};

const KeyPtr& key_of(KeySpec spec) {
  return *std::ranges::find(keys(), spec, [](const KeyPtr& key) { return key->spec(); });
}

// EVP's signature in the form of RFC 7518 3.4: R and S beside each other for the curves.
Bytes evp_signature(const Algorithm& algorithm, EVP_PKEY* pkey, std::string_view input) {
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* signer = nullptr;
  EVP_DigestSignInit_ex(context.get(), &signer, algorithm.digest, nullptr, nullptr, pkey, nullptr);
  if (algorithm.pss) {
    EVP_PKEY_CTX_set_rsa_padding(signer, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(signer, RSA_PSS_SALTLEN_DIGEST);
  }
  Bytes signature(512);
  std::size_t size = signature.size();
  if (EVP_DigestSign(context.get(), signature.data(), &size, as_bytes(input).data(), input.size()) != 1)
    return {};
  signature.resize(size);
  if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC) return signature;
  const unsigned char* at = signature.data();
  const Owned<ECDSA_SIG, ECDSA_SIG_free> parts(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  const int width = (EVP_PKEY_get_bits(pkey) + 7) / 8;
  Bytes raw(static_cast<std::size_t>(2 * width));
  BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), raw.data(), width);
  BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), raw.data() + width, width);
  return raw;
}

std::string flattened(const std::string& header, const std::string& payload, ByteView signature) {
  return json::write(json::Object{
      {"protected", header}, {"payload", payload}, {"signature", base64::encode_url(signature)}});
}

TEST(OracleJws, OfEveryAlgorithmVerifyUntilSomethingIsChanged) {
  for (const Algorithm& algorithm : algorithms) {
    const KeyPtr& key = key_of(algorithm.key);
    SCOPED_TRACE(std::string(algorithm.name) + " by " + to_string(algorithm.key));
    const json::Value jwk = *jose::jwk_of(key->spki());
    for (std::size_t i = 0; i < 10; ++i) {
      Random random = random_for(algorithm.name, i);
      const std::string header = base64::encode_url(as_bytes(json::write(
          json::Object{{"alg", algorithm.name}, {"nonce", "n"}, {"url", "https://a.test/"}, {"jwk", jwk}})));
      const std::string payload = base64::encode_url(random.octets(random.below(300)));
      const Bytes signature = evp_signature(algorithm, key->pkey(), header + "." + payload);
      ASSERT_FALSE(signature.empty());
      const auto jws = jose::parse_jws(flattened(header, payload, signature));
      ASSERT_TRUE(jws.has_value()) << jws.error().detail;
      EXPECT_EQ(jws->alg, algorithm.name);
      EXPECT_EQ(jws->signing_input, header + "." + payload);
      ASSERT_TRUE(jws->jwk.has_value());
      EXPECT_EQ(to_bytes(jws->jwk->spki), to_bytes(key->spki()));
      EXPECT_TRUE(jose::verify(*jws, key->spki()).has_value());
      EXPECT_EQ(jose::verify(*jws, other_key(key->spec())->spki()).error().code, Code::forbidden);
      const auto bad_signature = jose::parse_jws(flattened(header, payload, flipped(signature, random)));
      ASSERT_TRUE(bad_signature.has_value());
      EXPECT_EQ(jose::verify(*bad_signature, key->spki()).error().code, Code::forbidden);
      const auto bad_payload = jose::parse_jws(flattened(header, payload + "AAAA", signature));
      ASSERT_TRUE(bad_payload.has_value());
      EXPECT_EQ(jose::verify(*bad_payload, key->spki()).error().code, Code::forbidden);
    }
  }
}

// ECDSA in DER instead of R and S, or cut short, is malformed and not just wrong.
TEST(OracleJws, HaveSignaturesOfOneLength) {
  const KeyPtr& key = keys()[0];
  const std::string header = base64::encode_url(as_bytes(R"({"alg":"ES256","kid":"k"})"));
  const Bytes raw = evp_signature(algorithms[0], key->pkey(), header + ".");
  const Bytes der = *key->sign(SignatureScheme::ecdsa_sha256, as_bytes(header + "."));
  EXPECT_TRUE(jose::verify(*jose::parse_jws(flattened(header, "", raw)), key->spki()).has_value());
  for (const Bytes& bad : {der, Bytes(raw.begin(), raw.end() - 1), Bytes{}}) {
    const auto jws = jose::parse_jws(flattened(header, "", bad));
    ASSERT_TRUE(jws.has_value());
    EXPECT_EQ(jose::verify(*jws, key->spki()).error().code, Code::malformed);
  }
}

TEST(OracleJwk, IsTheKeyThatOpensslHas) {
  for (const KeyPtr& key : keys()) {
    SCOPED_TRACE(to_string(key->spec()));
    const auto jwk = jose::jwk_of(key->spki());
    ASSERT_TRUE(jwk.has_value());
    const auto number = [&](const char* name, std::size_t width) {
      BIGNUM* value = nullptr;
      EVP_PKEY_get_bn_param(key->pkey(), name, &value);
      const Owned<BIGNUM, BN_free> owned(value);
      Bytes octets(width == 0 ? static_cast<std::size_t>(BN_num_bytes(value)) : width);
      BN_bn2binpad(value, octets.data(), static_cast<int>(octets.size()));
      return base64::encode_url(octets);
    };
    std::string canonical;  // RFC 7638 3.2, by hand
    if (key->spec().type == KeyType::rsa) {
      EXPECT_EQ(jwk->text_at("n"), number(OSSL_PKEY_PARAM_RSA_N, 0));
      EXPECT_EQ(jwk->text_at("e"), number(OSSL_PKEY_PARAM_RSA_E, 0));
      canonical = R"({"e":")" + number(OSSL_PKEY_PARAM_RSA_E, 0) + R"(","kty":"RSA","n":")" +
                  number(OSSL_PKEY_PARAM_RSA_N, 0) + R"("})";
    } else if (key->spec().type == KeyType::ed25519) {
      Bytes raw(32);
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key->pkey(), raw.data(), &size);
      EXPECT_EQ(jwk->text_at("x"), base64::encode_url(raw));
      canonical = R"({"crv":"Ed25519","kty":"OKP","x":")" + base64::encode_url(raw) + R"("})";
    } else {
      const std::size_t width = static_cast<std::size_t>(EVP_PKEY_get_bits(key->pkey()) + 7) / 8;
      EXPECT_EQ(jwk->text_at("x"), number(OSSL_PKEY_PARAM_EC_PUB_X, width));
      EXPECT_EQ(jwk->text_at("y"), number(OSSL_PKEY_PARAM_EC_PUB_Y, width));
      canonical = R"({"crv":")" + std::string(jwk->text_at("crv")) + R"(","kty":"EC","x":")" +
                  number(OSSL_PKEY_PARAM_EC_PUB_X, width) + R"(","y":")" +
                  number(OSSL_PKEY_PARAM_EC_PUB_Y, width) + R"("})";
    }
    const auto parsed = jose::parse_jwk(*jwk);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
    EXPECT_EQ(parsed->spki, to_bytes(key->spki()));
    EXPECT_EQ(parsed->spec, key->spec());
    Bytes digest(32);
    EVP_Digest(canonical.data(), canonical.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    EXPECT_EQ(parsed->thumbprint, base64::encode_url(digest));
    const PkeyPtr theirs = read_public_key(parsed->spki);
    ASSERT_TRUE(theirs);
    EXPECT_EQ(EVP_PKEY_eq(theirs.get(), key->pkey()), 1);
  }
}

TEST(OracleMacs, AreThoseOfEvp) {
  for (std::size_t i = 0; i < 200; ++i) {
    Random random = random_for("mac", i);
    const Bytes key = random.octets(random.between(1, 200)), message = random.octets(random.below(500));
    Bytes theirs(32);
    std::size_t size = 0;
    ASSERT_NE(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(), message.data(),
                        message.size(), theirs.data(), theirs.size(), &size),
              nullptr);
    EXPECT_TRUE(equal(crypto::hmac_sha256(key, message), theirs)) << trace("mac", i);
  }
}

}  // namespace
}  // namespace hanaper::oracle
