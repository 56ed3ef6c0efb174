// What ACME clients of tests and benches send (RFC 8555 6.2): a flattened JWS by ES256.
#pragma once

#include <hanaper/keys.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::fakes {

// Raw R and S of a DER ECDSA signature (RFC 7518 3.4).
inline Bytes raw_signature(ByteView der, std::size_t size) {
  Bytes raw;
  der::Reader reader = *der::open(der, der::sequence);
  for (int i = 0; i < 2; ++i) {
    ByteView number = *reader.read_integer();
    while (number.size() > size) number = number.subspan(1);
    raw.insert(raw.end(), size - number.size(), 0);
    raw.insert(raw.end(), number.begin(), number.end());
  }
  return raw;
}

// With a P-256 key; the header names it and its algorithm. Without payload for POST-as-GET.
inline std::string make_jws(Key& key, json::Object header, const std::optional<json::Value>& payload) {
  const std::string encoded = base64::encode_url(as_bytes(json::write(json::Value(std::move(header)))));
  const std::string text = payload ? base64::encode_url(as_bytes(json::write(*payload))) : "";
  const Bytes der = *key.sign(SignatureScheme::ecdsa_sha256, as_bytes(encoded + "." + text));
  return json::write(json::Value(json::Object{
      {"protected", encoded}, {"payload", text}, {"signature", base64::encode_url(raw_signature(der, 32))}}));
}

}  // namespace hanaper::fakes
