#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/jose.hpp>

#include <gtest/gtest.h>

namespace hanaper::jose {
namespace {

constexpr const char* rfc7515_a3_key =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";

std::string flattened(std::string_view header, std::string_view payload, std::string_view signature) {
  return R"({"protected":")" + std::string(header) + R"(","payload":")" + std::string(payload) +
         R"(","signature":")" + std::string(signature) + R"("})";
}

TEST(Jose, VerifiesTheEs256ExampleOfRfc7515A3) {
  const auto jwk = parse_jwk(*json::parse(rfc7515_a3_key));
  ASSERT_TRUE(jwk.has_value()) << jwk.error().detail;
  const std::string payload =
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  const std::string signature =
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  auto jws = parse_jws(flattened("eyJhbGciOiJFUzI1NiJ9", payload, signature));
  ASSERT_TRUE(jws.has_value()) << jws.error().detail;
  EXPECT_TRUE(verify(*jws, jwk->spki).has_value());

  auto changed = parse_jws(flattened("eyJhbGciOiJFUzI1NiJ9", "eyJ9", signature));
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(verify(*changed, jwk->spki).error().code, Code::forbidden);
}

TEST(Jose, MakesTheThumbprintOfRfc7638) {
  const auto jwk = parse_jwk(*json::parse(
      R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})"));
  ASSERT_TRUE(jwk.has_value()) << jwk.error().detail;
  EXPECT_EQ(jwk->thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  EXPECT_EQ(to_string(jwk->spec), "rsa-2048");
}

// RFC 8555 8.1: "any prepended zero octets in the fields of a JWK object MUST be stripped"
TEST(Jose, MakesTheSameThumbprintOfNumbersWithLeadingZeros) {
  const auto key_of = [](const Bytes& n, const Bytes& e) {
    return parse_jwk(
        json::Object{{"kty", "RSA"}, {"n", base64::encode_url(n)}, {"e", base64::encode_url(e)}});
  };
  Bytes n(256, 0xa5);
  const auto plain = key_of(n, {1, 0, 1});
  n.insert(n.begin(), 2, 0);
  const auto padded = key_of(n, {0, 0, 1, 0, 1});
  ASSERT_TRUE(plain && padded);
  EXPECT_EQ(plain->thumbprint, padded->thumbprint);
  EXPECT_EQ(plain->spki, padded->spki);
}

// RFC 7517 4.2 and 4.3
TEST(Jose, RefusesKeysThatAreNotForSignatures) {
  const auto with = [](const char* member) {
    return parse_jwk(*json::parse(
        std::string(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",)") +
        member + "}"));
  };
  for (const char* good : {R"("use":"sig")", R"("key_ops":["verify"])", R"("key_ops":["sign","verify"])"})
    EXPECT_TRUE(with(good).has_value()) << good;
  for (const char* bad : {R"("use":"enc")", R"("use":1)", R"("key_ops":[])", R"("key_ops":["encrypt"])",
                          R"("key_ops":"verify")"})
    EXPECT_FALSE(with(bad).has_value()) << bad;
}

TEST(Jose, VerifiesTheEd25519ExampleOfRfc8037) {
  const auto jwk = parse_jwk(
      *json::parse(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"));
  ASSERT_TRUE(jwk.has_value());
  EXPECT_EQ(jwk->thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  auto jws = parse_jws(
      flattened("eyJhbGciOiJFZERTQSJ9", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"));
  ASSERT_TRUE(jws.has_value());
  EXPECT_TRUE(verify(*jws, jwk->spki).has_value());
}

TEST(Jose, BindsTheAlgorithmToTheKindOfKey) {
  const auto jwk = parse_jwk(*json::parse(rfc7515_a3_key));
  for (const char* alg : {"ES384", "RS256", "EdDSA"}) {
    const std::string header = base64::encode_url(as_bytes(R"({"alg":")" + std::string(alg) + R"("})"));
    auto jws = parse_jws(flattened(header, "", "AA"));
    ASSERT_TRUE(jws.has_value());
    EXPECT_EQ(verify(*jws, jwk->spki).error().code, Code::bad_key) << alg;
  }
  for (const char* alg : {"none", "HS256", "RS512", "es256"}) {
    const std::string header = base64::encode_url(as_bytes(R"({"alg":")" + std::string(alg) + R"("})"));
    auto jws = parse_jws(flattened(header, "", "AA"));
    ASSERT_TRUE(jws.has_value());
    EXPECT_EQ(verify(*jws, jwk->spki).error().code, Code::unsupported) << alg;
  }
}

struct BadJws {
  const char* name;
  std::string body;
};
std::string with_header(std::string_view header) {
  return flattened(base64::encode_url(as_bytes(header)), "", "");
}

class JwsRefuses : public testing::TestWithParam<BadJws> {};
TEST_P(JwsRefuses, WhatAcmeDoesNotAllow) {
  const auto jws = parse_jws(GetParam().body);
  ASSERT_FALSE(jws.has_value());
}
INSTANTIATE_TEST_SUITE_P(
    Table, JwsRefuses,
    testing::Values(
        BadJws{"NoObject", "[]"}, BadJws{"NoSignature", R"({"protected":"e30","payload":""})"},
        BadJws{"UnprotectedHeader", R"({"protected":"e30","payload":"","signature":"","header":{}})"},
        BadJws{"SeveralSignatures", R"({"payload":"","signatures":[]})"}, BadJws{"NoAlg", with_header("{}")},
        BadJws{"PaddedHeader", flattened("eyJhbGciOiJFUzI1NiJ9==", "", "")},
        BadJws{"PaddedPayload", flattened("eyJhbGciOiJFUzI1NiJ9", "Zg==", "")},
        BadJws{"Critical", with_header(R"({"alg":"ES256","crit":["x"]})")},
        BadJws{"Unencoded", with_header(R"({"alg":"ES256","b64":false})")},
        BadJws{"AlgTwice", with_header(R"({"alg":"ES256","alg":"ES256"})")},
        BadJws{"KidIsNoText", with_header(R"({"alg":"ES256","kid":1})")},
        BadJws{"JwkAndKid",
               with_header(R"({"alg":"ES256","kid":"a","jwk":)" + std::string(rfc7515_a3_key) + "}")},
        BadJws{"PrivateJwk",
               with_header(R"({"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":"","d":"AA"}})")}),
    [](const auto& test) { return test.param.name; });

TEST(Jose, TakesNullsForMembersThatAreLeftOut) {
  const std::string key(rfc7515_a3_key);
  const std::string bare = key.substr(0, key.rfind('}'));
  for (const std::string& jwk : {key, bare + R"(,"d":null,"k":null,"use":null,"key_ops":null})"})
    for (const char* kid : {"", R"("kid":null,)", R"("kid":"",)"}) {
      const std::string header =
          std::string(R"({"alg":"ES256",)") + kid + R"("nonce":null,"jwk":)" + jwk + "}";
      std::string body = flattened(base64::encode_url(as_bytes(header)), "", "");
      body.insert(body.rfind('}'), R"(,"header":null)");
      const auto jws = parse_jws(body);
      ASSERT_TRUE(jws.has_value()) << header << jws.error().detail;
      EXPECT_TRUE(jws->jwk && jws->kid.empty() && jws->nonce.empty());
    }
}

TEST(Jose, ComparesMacsOfAccountBindings) {
  // RFC 7515 A.1
  const auto key = base64::decode_url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  auto jws = parse_jws(flattened(
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
  ASSERT_TRUE(jws.has_value());
  EXPECT_TRUE(verify_mac(*jws, *key).has_value());
  EXPECT_EQ(verify_mac(*jws, Bytes(64, 1)).error().code, Code::forbidden);
}

TEST(Jose, TurnsKeysBackIntoJwks) {
  const auto jwk = parse_jwk(*json::parse(rfc7515_a3_key));
  const auto again = jwk_of(jwk->spki);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(parse_jwk(*again)->thumbprint, jwk->thumbprint);
}

}  // namespace
}  // namespace hanaper::jose
