#include <hanaper/toolkit/jose.hpp>

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::jose {
namespace {

// A name that may sign what clients send, or null.
const algorithms::SchemeRow* find_algorithm(std::string_view name) {
  const auto* row = algorithms::find(algorithms::schemes, &algorithms::SchemeRow::jose, name);
  return row != nullptr && row->jws ? row : nullptr;
}

// A base64url member. bad_key when it is absent, no text or badly spelled.
Result<Bytes> member(const json::Value& jwk, std::string_view name) {
  const json::Value* value = jwk.find(name);
  if (value == nullptr || value->text() == nullptr)
    return bad_key("jwk: no text \"" + std::string(name) + "\"");
  auto octets = base64::decode_url(*value->text());
  if (!octets) return bad_key("jwk: \"" + std::string(name) + "\": " + octets.error().detail);
  return octets;
}

Result<Bytes> sized_member(const json::Value& jwk, std::string_view name, std::size_t size) {
  HANAPER_TRY(Bytes octets, member(jwk, name));
  if (octets.size() != size)
    return bad_key("jwk: \"" + std::string(name) + "\" is not " + std::to_string(size) + " octets");
  return octets;
}

// RFC 7638 3.2: required members only, in lexical order, no white space.
std::string thumbprint(std::string_view canonical) {
  return base64::encode_url(crypto::sha256(as_bytes(canonical)));
}

// RFC 7638 3.2 wants the members in lexical order: crv, kty, x, y.
std::string canonical_head(const algorithms::KeyRow& row, ByteView x) {
  return R"({"crv":")" + std::string(row.jose_curve) + R"(","kty":")" + std::string(row.jose_type) +
         R"(","x":")" + base64::encode_url(x);
}

Result<Jwk> parse_ec(const json::Value& jwk, const algorithms::KeyRow& row) {
  HANAPER_TRY(const Bytes x, sized_member(jwk, "x", row.octets));
  HANAPER_TRY(const Bytes y, sized_member(jwk, "y", row.octets));
  Bytes point{0x04};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const std::string canonical = canonical_head(row, x) + R"(","y":")" + base64::encode_url(y) + R"("})";
  return Jwk{{row.type, 0}, x509::ec_spki(row.type, point), thumbprint(canonical)};
}

Result<Jwk> parse_raw(const json::Value& jwk, const algorithms::KeyRow& row) {
  HANAPER_TRY(const Bytes x, sized_member(jwk, "x", row.octets));
  return Jwk{{row.type, 0}, x509::ec_spki(row.type, x), thumbprint(canonical_head(row, x) + R"("})")};
}

Result<Jwk> parse_rsa(const json::Value& jwk) {
  HANAPER_TRY(Bytes n, member(jwk, "n"));
  HANAPER_TRY(Bytes e, member(jwk, "e"));
  // RFC 7518 6.3.1.1 forbids leading zeros; RFC 8555 8.1 warns of clients that send them: the thumbprint is
  // over the number, not over the spelling.
  for (Bytes* number : {&n, &e}) {
    const auto first = std::ranges::find_if(*number, [](std::uint8_t octet) { return octet != 0; });
    number->erase(number->begin(), first);
    if (number->empty()) return bad_key("jwk: a zero rsa number");
  }
  if (n.size() > 1024 || e.size() > 8) return bad_key("jwk: rsa key too large");
  const std::string canonical =
      R"({"e":")" + base64::encode_url(e) + R"(","kty":"RSA","n":")" + base64::encode_url(n) + R"("})";
  const Bytes spki = x509::rsa_spki(n, e);
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  return Jwk{key.spec, spki, thumbprint(canonical)};
}

// RFC 7517 4.2 and 4.3: what a key says it is for.
bool may_verify(const json::Value& jwk) {
  if (const json::Value* use = jwk.optional("use"); use && (use->text() == nullptr || *use->text() != "sig"))
    return false;
  const json::Value* operations = jwk.optional("key_ops");
  if (operations == nullptr) return true;
  return operations->array() && std::ranges::any_of(*operations->array(), [](const json::Value& one) {
           return one.text() && (*one.text() == "verify" || *one.text() == "sign");
         });
}

}  // namespace

Result<Jwk> parse_jwk(const json::Value& jwk) {
  if (jwk.object() == nullptr) return bad_key("jwk is no object");
  if (jwk.optional("d") != nullptr || jwk.optional("k") != nullptr)
    return bad_key("jwk holds a private or secret key");
  if (!may_verify(jwk)) return bad_key("jwk: the key is for something else than signatures");
  const std::string_view kty = jwk.text_at("kty"), crv = jwk.text_at("crv");
  bool known = false;
  for (const algorithms::KeyRow& row : algorithms::keys) {
    if (row.jose_type != kty) continue;
    known = true;
    if (!row.jose_curve.empty() && row.jose_curve != crv) continue;
    switch (row.family) {
      case algorithms::Family::rsa:
        return parse_rsa(jwk);
      case algorithms::Family::ec:
        return parse_ec(jwk, row);
      case algorithms::Family::edwards:
        return parse_raw(jwk, row);
    }
  }
  if (known) return bad_key("jwk: curve \"" + std::string(crv.substr(0, 32)) + "\" is not supported");
  return bad_key("jwk: key type \"" + std::string(kty.substr(0, 32)) + "\" is not supported");
}

Result<json::Value> jwk_of(ByteView spki) {
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  const algorithms::KeyRow& row = algorithms::row(key.spec.type);
  json::Object jwk{{"kty", row.jose_type}};
  if (!row.jose_curve.empty()) jwk.emplace_back("crv", row.jose_curve);
  switch (row.family) {
    case algorithms::Family::rsa:
      jwk.emplace_back("n", base64::encode_url(key.modulus));
      jwk.emplace_back("e", base64::encode_url(key.exponent));
      break;
    case algorithms::Family::ec:
      jwk.emplace_back("x", base64::encode_url(key.point.subspan(1, row.octets)));
      jwk.emplace_back("y", base64::encode_url(key.point.subspan(1 + row.octets)));
      break;
    case algorithms::Family::edwards:
      jwk.emplace_back("x", base64::encode_url(key.point));
      break;
  }
  return json::Value(std::move(jwk));
}

const std::vector<std::string>& algorithms() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const algorithms::SchemeRow& row : algorithms::schemes)
      if (row.jws) list.emplace_back(row.jose);
    return list;
  }();
  return names;
}

Result<SignatureScheme> parse_algorithm(std::string_view alg) {
  const algorithms::SchemeRow* algorithm = find_algorithm(alg);
  if (algorithm == nullptr)
    return unsupported("alg \"" + std::string(alg.substr(0, 32)) + "\" is not supported");
  return algorithm->scheme;
}

namespace {

Result<std::string> text_member(const json::Value& object, std::string_view name) {
  const json::Value* value = object.find(name);
  if (value == nullptr || value->text() == nullptr)
    return malformed("jws: no text \"" + std::string(name) + "\"");
  return *value->text();
}

Status parse_header(const std::string& encoded, Jws& jws) {
  HANAPER_TRY(const Bytes octets, base64::decode_url(encoded));
  HANAPER_TRY(jws.header, json::parse(as_text(octets), {16 * 1024, 8, 200}));
  if (jws.header.object() == nullptr) return malformed("jws: protected header is no object");
  // RFC 7515 4.1.11: extensions named critical must be understood; none is.
  if (jws.header.find("crit") != nullptr)
    return malformed("jws: critical header parameters are not understood");
  if (jws.header.find("b64") != nullptr)
    return malformed("jws: b64 is not allowed");  // RFC 7797 without crit
  HANAPER_TRY(jws.alg, text_member(jws.header, "alg"));
  for (auto [name, target] : {std::pair{"kid", &jws.kid}, {"nonce", &jws.nonce}, {"url", &jws.url}}) {
    if (jws.header.optional(name) == nullptr) continue;
    HANAPER_TRY(*target, text_member(jws.header, name));
  }
  if (const json::Value* jwk = jws.header.optional("jwk")) {
    if (!jws.kid.empty()) return malformed("jws: both jwk and kid");  // RFC 8555 6.2
    HANAPER_TRY(jws.jwk, parse_jwk(*jwk));
  }
  return {};
}

}  // namespace

Result<Jws> parse_jws(std::string_view body) {
  HANAPER_TRY(const json::Value object, json::parse(body, {body.size(), 4, 16}));
  if (object.object() == nullptr) return malformed("jws: no object");
  for (const json::Member& part : *object.object())
    if (part.first != "protected" && part.first != "payload" && part.first != "signature" &&
        object.optional(part.first) != nullptr)
      return malformed("jws: only the flattened form with protected, payload and signature is accepted");
  HANAPER_TRY(const std::string header, text_member(object, "protected"));
  HANAPER_TRY(const std::string payload, text_member(object, "payload"));
  HANAPER_TRY(const std::string signature, text_member(object, "signature"));
  Jws jws;
  HANAPER_CHECK(parse_header(header, jws));
  HANAPER_TRY(jws.payload, base64::decode_url(payload));
  HANAPER_TRY(jws.signature, base64::decode_url(signature));
  jws.signing_input = header + "." + payload;
  return jws;
}

namespace {

// RFC 7518 3.4: R and S as octet strings of the coordinates' size, to the DER that verifiers read.
Result<Bytes> ecdsa_der(ByteView raw, std::size_t size) {
  if (raw.size() != 2 * size)
    return malformed("jws: signature is not " + std::to_string(2 * size) + " octets");
  der::Writer writer(160);
  writer.sequence([&] {
    writer.unsigned_integer(raw.subspan(size));
    writer.unsigned_integer(raw.first(size));
  });
  return writer.bytes();
}

}  // namespace

Status verify(const Jws& jws, ByteView spki) {
  const algorithms::SchemeRow* algorithm = find_algorithm(jws.alg);
  if (algorithm == nullptr) return unsupported("alg \"" + jws.alg.substr(0, 32) + "\" is not supported");
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  // RFC 7518 3.4: ES* are bound to their curves.
  if (key.spec.type != algorithm->key) return bad_key("the key does not fit alg " + jws.alg);
  const algorithms::KeyRow& row = algorithms::row(key.spec.type);
  if (row.family == algorithms::Family::ec) {
    HANAPER_TRY(const Bytes signature, ecdsa_der(jws.signature, row.octets));
    return crypto::verify(algorithm->scheme, spki, as_bytes(jws.signing_input), signature);
  }
  return crypto::verify(algorithm->scheme, spki, as_bytes(jws.signing_input), jws.signature);
}

Status verify_mac(const Jws& jws, ByteView key) {
  if (jws.alg != "HS256")
    return unsupported("alg \"" + jws.alg.substr(0, 32) + "\" is no supported mac; use HS256");
  const Fingerprint mac = crypto::hmac_sha256(key, as_bytes(jws.signing_input));
  if (!crypto::equal_constant_time(mac, jws.signature)) return forbidden("the mac does not verify");
  return {};
}

}  // namespace hanaper::jose
