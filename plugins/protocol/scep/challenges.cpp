#include "challenges.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::scep {
namespace {

constexpr std::size_t text_octets = 24;

std::string key_of(std::string_view text) { return to_hex(crypto::sha256(as_bytes(text))); }

}  // namespace

Challenges::Made Challenges::make(std::string profile, const x509::Name& subject,
                                  std::chrono::milliseconds lifetime) const {
  const std::string text = crypto::random_name(text_octets);
  RecordWrite write;
  write.key = key_of(text);
  const Time expires = clock_.now() + lifetime;
  write.expires = expires;
  write.data = json::write(json::Value(
      json::Object{{"profile", std::move(profile)}, {"subject", to_hex(x509::encode_name(subject))}}));
  return {Secret(text), records_.bind(std::move(write)), expires};
}

Result<Challenge> Challenges::find(std::string_view text) const {
  HANAPER_TRY(const Record record, records_.get(key_of(text)));
  HANAPER_TRY(const json::Value value, json::parse(record.data));
  Challenge challenge;
  challenge.key = record.key;
  challenge.version = record.version;
  challenge.profile = value.text_at("profile");
  HANAPER_TRY(const Bytes subject, from_hex(value.text_at("subject")));
  HANAPER_TRY(challenge.subject, x509::parse_name(subject));
  return challenge;
}

RecordWrite Challenges::spend(const Challenge& challenge) const {
  RecordWrite write;
  write.key = challenge.key;
  write.expected = challenge.version;
  write.erase = true;
  return records_.bind(std::move(write));
}

}  // namespace hanaper::scep
