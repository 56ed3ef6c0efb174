// Signatures made by others to trip verifiers (tests/data/wycheproof): what they call valid verifies, and
// nothing else does, but for what stands in a table here with its reason.
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/jose.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <map>

namespace hanaper {
namespace {

using Check = std::function<Status(const json::Value& group, const json::Value& test)>;
// Number of the test to why it is judged otherwise.
using Exceptions = std::map<std::int64_t, const char*>;

json::Value read_vectors(const char* name) {
  const std::string path = std::string(HANAPER_TEST_DATA) + "/wycheproof/" + name + "_test.json";
  const auto text = files::read(path, 4 * 1024 * 1024);
  const auto vectors =
      text ? json::parse(*text, {4 * 1024 * 1024, 16, 100'000}) : Result<json::Value>(text.error());
  EXPECT_TRUE(vectors.has_value()) << path << ": " << (vectors ? "" : vectors.error().detail);
  return vectors ? *vectors : json::Value();
}

void expect_verdicts(const char* name, std::size_t least, const Exceptions& exceptions, const Check& check) {
  const json::Value vectors = read_vectors(name);
  std::size_t seen = 0;
  const json::Value* groups = vectors.find("testGroups");
  ASSERT_TRUE(groups && groups->array());
  for (const json::Value& group : *groups->array())
    for (const json::Value& test : *group.find("tests")->array()) {
      ++seen;
      const std::int64_t number = *test.find("tcId")->integer();
      const Status judged = check(group, test);
      const bool valid = test.text_at("result") == "valid";
      const auto exception = exceptions.find(number);
      EXPECT_EQ(judged.has_value(), valid != (exception != exceptions.end()))
          << name << " " << number << " (" << test.text_at("comment")
          << "): " << (judged ? "verifies" : judged.error().detail);
    }
  EXPECT_GE(seen, least);
}

Bytes octets_at(const json::Value& object, std::string_view name) {
  return from_hex(object.text_at(name)).value_or({});
}

Check under(SignatureScheme scheme) {
  return [scheme](const json::Value& group, const json::Value& test) {
    return crypto::verify(scheme, octets_at(group, "publicKeyDer"), octets_at(test, "msg"),
                          octets_at(test, "sig"));
  };
}

TEST(WycheproofSignatures, VerifyAsTheyShould) {
  expect_verdicts("ecdsa_secp256r1_sha256", 400, {}, under(SignatureScheme::ecdsa_sha256));
  expect_verdicts("ed25519", 100, {}, under(SignatureScheme::ed25519));
  expect_verdicts("rsa_signature_2048_sha256", 200, {}, under(SignatureScheme::rsa_pkcs1_sha256));
  expect_verdicts("rsa_pss_2048_sha256_mgf1_32", 100, {}, under(SignatureScheme::rsa_pss_sha256));
}

// R and S side by side, as JWS has them.
TEST(WycheproofSignatures, OfJwsFormVerifyAsTheyShould) {
  for (const auto& [name, alg] : {std::pair{"ecdsa_secp256r1_sha256_p1363", "ES256"},
                                  {"ecdsa_secp384r1_sha384_p1363", "ES384"},
                                  {"ecdsa_secp521r1_sha512_p1363", "ES512"}})
    expect_verdicts(name, 200, {}, [alg = alg](const json::Value& group, const json::Value& test) {
      jose::Jws jws;
      jws.alg = alg;
      jws.signing_input = as_text(octets_at(test, "msg"));
      jws.signature = octets_at(test, "sig");
      return jose::verify(jws, octets_at(group, "publicKeyDer"));
    });
}

// The compact form of the vectors, flattened.
Result<jose::Jws> flattened(std::string_view compact) {
  const std::size_t first = compact.find('.'), last = compact.rfind('.');
  if (first == last || compact.substr(first + 1, last - first - 1).find('.') != std::string_view::npos)
    return malformed("not of three parts");
  return jose::parse_jws(
      json::write(json::Value(json::Object{{"protected", compact.substr(0, first)},
                                           {"payload", compact.substr(first + 1, last - first - 1)},
                                           {"signature", compact.substr(last + 1)}})));
}

Status judge_jws(const json::Value& group, const json::Value& test) {
  HANAPER_TRY(const jose::Jws jws, flattened(test.text_at("jws")));
  const json::Value* key = group.find("public") ? group.find("public") : group.find("private");
  if (key->text_at("kty") == "oct") {
    HANAPER_TRY(const Bytes secret, base64::decode_url(key->text_at("k")));
    return jose::verify_mac(jws, secret);
  }
  HANAPER_TRY(const jose::Jwk jwk, jose::parse_jwk(*key));
  return jose::verify(jws, jwk.spki);
}

TEST(WycheproofJws, VerifyAsTheyShould) {
  Exceptions exceptions = {
      {332,
       "an alg beside the JWK's own counts for nothing: RFC 8555 6.2 asks whether alg fits the type of the "
       "key"},
      {338, "likewise"},
      {367, "the padding that its comment tells of is not in the vector, which is a good JWS"},
      {370, "likewise"},
      {372, "a character outside the alphabet is refused (RFC 7515 2), although the vector calls it valid"},
      {373, "likewise"},
  };
  for (const auto& [first, last] : {std::pair{264, 271}, {320, 323}, {325, 328}, {346, 346}, {350, 350}})
    for (int number = first; number <= last; ++number)
      exceptions.emplace(number, "RS384, RS512, PS384 and PS512 are not offered");
  expect_verdicts("json_web_signature", 400, exceptions, judge_jws);
}

}  // namespace
}  // namespace hanaper
