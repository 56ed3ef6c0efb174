#include "crl_addresses.hpp"

#include "../services/gathered_writes.hpp"

#include <hanaper/toolkit/json.hpp>

#include <algorithm>
#include <charconv>

namespace hanaper::issuance {
namespace {

constexpr std::string_view collection = "host.crl-addresses";

bool contains(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::ranges::all_of(
      some, [&](const std::string& one) { return std::ranges::find(all, one) != all.end(); });
}

Result<std::vector<std::string>> read_addresses(const Record& record) {
  HANAPER_TRY(const json::Value value, json::parse(record.data));
  const json::Value* list = value.find("addresses");
  if (list == nullptr || list->array() == nullptr)
    return malformed("the document " + record.key + " of " + std::string(collection) + " has no addresses");
  std::vector<std::string> addresses;
  for (const json::Value& address : *list->array())
    if (address.text() != nullptr) addresses.push_back(*address.text());
  return addresses;
}

std::optional<std::uint32_t> shard_in(std::string_view key) {
  std::uint32_t shard = 0;
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto [end, error] = std::from_chars(key.data() + slash + 1, key.data() + key.size(), shard);
  if (error != std::errc{} || end != key.data() + key.size()) return std::nullopt;
  return shard;
}

}  // namespace

CrlAddresses::CrlAddresses(std::string authority, AuthorityId id, Records& records, services::Writer& writer,
                           Log& log)
    : authority_(std::move(authority)), id_(id), records_(records), writer_(writer), log_(log) {}

std::string CrlAddresses::key_of(std::uint32_t shard) const {
  return std::to_string(id_) + "/" + std::to_string(shard);
}

Status CrlAddresses::load() {
  constexpr std::uint32_t page = 1000;
  for (std::string after;;) {
    HANAPER_TRY(const std::vector<Record> found,
                records_.find(collection, "authority", std::to_string(id_), after, page));
    for (const Record& record : found) {
      HANAPER_TRY(std::vector<std::string> addresses, read_addresses(record));
      if (const auto shard = shard_in(record.key)) learn(*shard, std::move(addresses));
    }
    if (found.size() < page) return {};
    after = found.back().key;
  }
}

std::vector<std::string> CrlAddresses::of(std::uint32_t shard) const {
  const Lock lock(mutex_);
  const auto found = known_.find(shard);
  return found == known_.end() ? std::vector<std::string>{} : found->second;
}

bool CrlAddresses::knows(std::uint32_t shard, const std::vector<std::string>& addresses) const {
  if (addresses.empty()) return true;
  const Lock lock(mutex_);
  const auto found = known_.find(shard);
  return found != known_.end() && contains(found->second, addresses);
}

void CrlAddresses::learn(std::uint32_t shard, std::vector<std::string> addresses) {
  const Lock lock(mutex_);
  known_[shard] = std::move(addresses);
}

// Nothing where the ledger has them already.
Result<std::optional<RecordWrite>> CrlAddresses::write_of(std::uint32_t shard,
                                                          const std::vector<std::string>& addresses) {
  RecordWrite write;
  write.collection = collection;
  write.key = key_of(shard);
  write.indexes = {{"authority", std::to_string(id_)}};
  std::vector<std::string> all = addresses;
  const auto record = records_.get(collection, write.key);
  if (!record && record.error().code != Code::not_found) return record.error();
  if (record) {
    HANAPER_TRY(const std::vector<std::string> stored, read_addresses(*record));
    learn(shard, stored);
    if (contains(stored, addresses)) return std::optional<RecordWrite>();
    write.expected = record->version;
    for (const std::string& one : stored)
      if (std::ranges::find(addresses, one) == addresses.end()) all.push_back(one);
  }
  if (all.size() > most) {
    log_.warning("a CRL has had too many addresses, and forgets the first: certificates with it fail",
                 {{"authority", authority_}, {"address", all.back()}});
    all.resize(std::max(most, addresses.size()));
  }
  write.data = json::write(json::Value(json::Object{{"addresses", json::Array(all.begin(), all.end())}}));
  return std::optional(std::move(write));
}

Status CrlAddresses::remember(std::uint32_t shard, const std::vector<std::string>& addresses,
                              Deadline deadline) {
  return knows(shard, addresses) ? Status{} : remember(ByShard{{shard, addresses}}, deadline);
}

// Another node may be at it; then it is looked at again.
Status CrlAddresses::remember(const ByShard& addresses, Deadline deadline) {
  constexpr int attempts = 8;
  Status last;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    services::GatheredWrites writes(writer_, deadline);
    last = {};
    bool all_known = true;
    for (const auto& [shard, some] : addresses) {
      if (knows(shard, some)) continue;
      HANAPER_TRY(std::optional<RecordWrite> record, write_of(shard, some));
      if (!record) continue;
      all_known = false;
      Write write;
      write.records.push_back(*std::move(record));
      if (Status added = writes.add(std::move(write)); !added && last) last = std::move(added);
    }
    if (Status committed = writes.commit(); !committed && last) last = std::move(committed);
    if (!last && last.error().code != Code::conflict) return last;
    // What was written is read once more, and known then.
    if (all_known) return {};
  }
  return unavailable("the addresses of CRLs of authority " + authority_ + " are fought over");
}

}  // namespace hanaper::issuance
