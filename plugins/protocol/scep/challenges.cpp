#include "challenges.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/renewal.hpp>

#include <algorithm>

namespace hanaper::scep {
namespace {

constexpr std::size_t text_octets = 24;

std::string key_of(std::string_view text) { return to_hex(crypto::sha256(as_bytes(text))); }

}  // namespace

// A profile may make the subject from the names: who chose those would choose what he is called.
Status Challenge::check(const x509::CsrView& csr) const {
  if (subject.empty()) return {};
  const auto wanted = x509::parse_name(csr.subject);
  if (!wanted || *wanted != subject) return rejected("the challengePassword is for another subject");
  const std::vector<Identifier> own = x509::subject_names(subject, true).names;
  const auto asked = x509::alternative_names(csr);
  const auto is_meant = [&](const Identifier& name) {
    return std::ranges::find(own, name) != own.end() || std::ranges::find(names, name) != names.end();
  };
  if (!asked || !std::ranges::all_of(*asked, is_meant))
    return rejected("the challengePassword is for other names");
  return {};
}

Challenges::Made Challenges::make(const Challenge& wanted, std::chrono::milliseconds lifetime) const {
  const std::string text = crypto::random_name(text_octets);
  RecordWrite write;
  write.key = key_of(text);
  const Time expires = clock_.now() + lifetime;
  write.expires = expires;
  const std::string names =
      wanted.names.empty() ? std::string() : base64::encode(x509::encode_general_names(wanted.names));
  write.data = json::write(json::Value(json::Object{{"profile", wanted.profile},
                                                    {"subject", to_hex(x509::encode_name(wanted.subject))},
                                                    {"names", names}}));
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
  if (value.text_at("names").empty()) return challenge;
  HANAPER_TRY(const Bytes names, base64::decode(value.text_at("names")));
  HANAPER_TRY(x509::GeneralNames parsed, x509::parse_general_names(names));
  challenge.names = std::move(parsed.names);
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
