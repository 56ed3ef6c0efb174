#include "roll_over.hpp"

#include "authority_form.hpp"

#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper {
namespace {

using issuance::Authority;

// No instance has such a name.
constexpr const char* crosses = ".crosses";

std::string record_of(const Authority& signer, const Authority& subject) {
  return std::to_string(signer.id()) + "-" + std::to_string(subject.id());
}

// Nothing when nobody has made it yet.
Result<std::optional<Bytes>> remembered(Records& records, const std::string& key) {
  const auto record = records.get(crosses, key);
  if (!record && record.error().code == Code::not_found) return std::optional<Bytes>{};
  if (!record) return record.error();
  HANAPER_TRY(const json::Value value, json::parse(record->data));
  HANAPER_TRY(Bytes certificate, from_hex(value.text_at("certificate")));
  return std::optional(std::move(certificate));
}

void add(std::vector<Bytes>& all, const Bytes& certificate) {
  if (std::ranges::find(all, certificate) == all.end()) all.push_back(certificate);
}

Result<Bytes> announce(const Authority& authority, const std::vector<Bytes>& next) {
  const Bytes content = cms::certs_only({next.begin(), next.end()});
  cms::SignedContent message{.content_type = oid::data,
                             .content = content,
                             .attributes = {},
                             .scheme = authority.scheme(),
                             .signer = authority.certificate(),
                             .certificates = {authority.certificate()}};
  return cms::sign(message, [&](SignatureScheme scheme, ByteView attributes) {
    return authority.sign(scheme, attributes);
  });
}

}  // namespace

// RFC 4210 4.4.1: "The "old with new" certificate must have a validity period starting at the generation time
// of the old key pair and ending at the expiry date of the old public key." Likewise the other.
Result<bool> RollOvers::cross(const validity::Context& context, const std::string& signer_name,
                              const std::string& subject_name) {
  const auto signer = authorities_.find(signer_name), subject = authorities_.find(subject_name);
  const std::string key = record_of(*signer, *subject);
  HANAPER_TRY(const std::optional<Bytes> made, remembered(context.storage.records(), key));
  if (made) return false;
  const std::uint32_t shard = signer->shard_of_authorities();
  Call call{"init", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  HANAPER_CHECK(signer->remember_crl(shard, signer->status().of_shard(shard).crl, call.deadline));
  const auto certified = validity::certify(
      *signer, context,
      {.profile = "authority",
       .subject = to_bytes(subject->subject()),
       .spki = subject->spki(),
       .key_identifier = to_bytes(subject->key_identifier()),
       .key_usage = authority_usage(subject->config()),
       .extensions = authority_extensions(subject->config(), signer->status(), shard),
       .not_after = std::min(signer->not_after(), subject->not_after()),
       .not_before = subject->not_before(),
       .shard = shard,
       .with_record =
           [&](ByteView certificate) {
             RecordWrite write;
             write.collection = crosses;
             write.key = key;
             write.data = json::write(json::Value(json::Object{
                 {"signer", signer_name}, {"subject", subject_name}, {"certificate", to_hex(certificate)}}));
             return std::vector<RecordWrite>{std::move(write)};
           }},
      call);
  // Another node's init was first: its certificate is the one that counts.
  if (!certified && certified.error().code == Code::conflict) return false;
  if (!certified) return certified.error();
  return true;
}

Result<std::vector<Authorities::Outcome>> RollOvers::init(const validity::Context& context) {
  std::vector<Authorities::Outcome> outcomes;
  for (const auto& [name, config] : model_.authorities) {
    if (config.next.empty()) continue;
    const auto now = authorities_.find(name), next = authorities_.find(config.next);
    if (!now || !next) {
      outcomes.push_back({name, config.next + " takes over from it, once both have a certificate"});
      continue;
    }
    std::string text = config.next + " takes over from it";
    if (now->is_root() && next->is_root()) {
      HANAPER_TRY(const bool new_with_old, cross(context, name, config.next));
      HANAPER_TRY(const bool old_with_new, cross(context, config.next, name));
      text += new_with_old || old_with_new ? "; each has certified the other now"
                                           : "; each has certified the other";
    }
    outcomes.push_back({name, std::move(text)});
  }
  return outcomes;
}

Status RollOvers::load(Records& records) {
  for (const auto& [name, config] : model_.authorities) {
    const auto now = authorities_.find(name);
    const auto next = config.next.empty() ? nullptr : authorities_.find(config.next);
    if (!now || !next) continue;
    HANAPER_TRY(const std::optional<Bytes> new_with_old, remembered(records, record_of(*now, *next)));
    HANAPER_TRY(const std::optional<Bytes> old_with_new, remembered(records, record_of(*next, *now)));
    if (new_with_old) crosses_[{name, config.next}] = *new_with_old;
    if (old_with_new) crosses_[{config.next, name}] = *old_with_new;
  }
  return {};
}

// Who takes over from it, and from whom it has taken over.
std::vector<std::string> RollOvers::neighbours(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& [other, config] : model_.authorities) {
    if (other == name && !config.next.empty()) names.push_back(config.next);
    if (config.next == name) names.push_back(other);
  }
  return names;
}

RollOver RollOvers::around(const std::string& name) const {
  RollOver around;
  const config::AuthorityConfig& own = model_.authorities.at(name);
  if (!own.next.empty()) around.next = authorities_.path(own.next);
  std::vector<Bytes> all = authorities_.path(name);
  const std::size_t known = all.size();
  for (std::string at = name; !at.empty(); at = model_.authorities.at(at).issuer) {
    for (const std::string& neighbour : neighbours(at)) {
      for (const Bytes& certificate : authorities_.path(neighbour)) add(all, certificate);
      for (const Pair& pair : {Pair{at, neighbour}, Pair{neighbour, at}})
        if (const auto found = crosses_.find(pair); found != crosses_.end()) add(all, found->second);
    }
  }
  around.others.assign(all.begin() + static_cast<std::ptrdiff_t>(known), all.end());
  return around;
}

std::vector<std::shared_ptr<const Authority>> RollOvers::before(const std::string& name) const {
  std::vector<std::shared_ptr<const Authority>> earlier;
  std::vector<std::string> names{name};
  for (std::size_t i = 0; i < names.size(); ++i)
    for (const auto& [other, config] : model_.authorities)
      if (config.next == names[i] && std::ranges::find(names, other) == names.end()) {
        names.push_back(other);
        if (auto authority = authorities_.find(other)) earlier.push_back(std::move(authority));
      }
  return earlier;
}

std::function<Result<Bytes>()> announcement(std::shared_ptr<const Authority> authority,
                                            const std::vector<Bytes>& next) {
  if (next.empty()) return {};
  // Strangers may ask as often as they like: the key signs once.
  struct Made {
    Mutex mutex;
    Bytes message HANAPER_GUARDED_BY(mutex);
  };
  return [authority = std::move(authority), next, made = std::make_shared<Made>()]() -> Result<Bytes> {
    const Lock lock(made->mutex);
    if (made->message.empty()) {
      HANAPER_TRY(made->message, announce(*authority, next));
    }
    return made->message;
  };
}

}  // namespace hanaper
