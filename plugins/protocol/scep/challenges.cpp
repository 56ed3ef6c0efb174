#include "challenges.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/renewal.hpp>

#include <algorithm>
#include <tuple>

namespace hanaper::scep {
namespace {

constexpr std::size_t text_octets = 24;
// Digits of the digest that is its key: enough to tell one from the next, and nobody can enrol with them.
constexpr std::size_t id_length = 12;
constexpr std::size_t most_listed = 10'000;
constexpr std::uint32_t listed_page = 500;

std::string key_of(std::string_view text) { return to_hex(crypto::sha256(as_bytes(text))); }

// In whatever order: devices have one, RFC 4514 writes the other.
bool same_attributes(x509::Name a, x509::Name b) {
  const auto content = [](const NameAttribute& one) { return std::tie(one.oid, one.value); };
  std::ranges::sort(a, {}, content);
  std::ranges::sort(b, {}, content);
  return std::ranges::equal(a, b, {}, content, content);
}

}  // namespace

// A profile may make the subject from the names: a client that chose the names would choose its subject.
Status Challenge::check(const x509::CsrView& csr) const {
  if (subject.empty()) return {};
  const auto wanted = x509::parse_name(csr.subject);
  if (!wanted || !same_attributes(*wanted, subject))
    return rejected("the challengePassword is for another subject");
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
  std::string id = write.key.substr(0, id_length);
  return {Secret(text), std::move(id), records_.bind(std::move(write)), expires};
}

bool Challenges::same(std::string_view shown, std::string_view known) {
  return crypto::equal_constant_time(crypto::sha256(as_bytes(shown)), crypto::sha256(as_bytes(known)));
}

Result<Challenge> Challenges::find(std::string_view text) const {
  HANAPER_TRY(const Record record, records_.get(key_of(text)));
  return read(record);
}

Result<std::vector<Challenges::Listed>> Challenges::list() const {
  std::vector<Listed> all;
  for (std::string after; all.size() < most_listed;) {
    HANAPER_TRY(const std::vector<Record> records, records_.find("", "", after, listed_page));
    for (const Record& record : records) {
      if (record.expires && *record.expires <= clock_.now()) continue;
      HANAPER_TRY(Challenge challenge, read(record));
      all.push_back({record.key.substr(0, id_length), std::move(challenge), record.expires});
    }
    if (records.size() < listed_page) break;
    after = records.back().key;
  }
  return all;
}

Result<RecordWrite> Challenges::withdraw(std::string_view id) const {
  const auto none =
      not_found("no challenge \"" + std::string(id) + "\" is good; hanaper scep challenges lists them");
  if (id.size() != id_length) return none;
  // Keys are in their order: what follows the id is the first that begins with it, if one does.
  HANAPER_TRY(const std::vector<Record> records, records_.find("", "", id, 1));
  if (records.empty() || !records.front().key.starts_with(id)) return none;
  HANAPER_TRY(const Challenge challenge, read(records.front()));
  return spend(challenge);
}

Result<Challenge> Challenges::read(const Record& record) {
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
