#include <hanaper/testing/memory_storage.hpp>

#include <algorithm>
#include <charconv>

namespace hanaper::fakes {

void MemoryStorage::fail_next(int count, Error error) {
  const Lock lock(mutex_);
  failures_ = count;
  failure_ = std::move(error);
}

Status MemoryStorage::commit(Batch& batch) {
  const Lock lock(mutex_);
  if (failures_ > 0) {
    --failures_;
    return failure_;
  }
  if (state_.writers[batch.node].number + 1 != batch.number)
    return conflict("another process writes under the node name \"" + batch.node + "\"");
  State next = state_;
  for (Write* write : batch.writes) {
    write->outcome = apply(next, *write);
    if (!write->outcome) return write->outcome.error();
  }
  next.writers[batch.node] = {batch.number, batch.token};
  for (const ExpiryChange& change : batch.expiries) next.expiries[batch.node][change.day] += change.change;
  if (batch.audit) next.audit[batch.node].push_back(*batch.audit);
  state_ = std::move(next);
  return {};
}

Status MemoryStorage::apply(State& state, Write& write) {
  if (write.fence) {
    const auto lease = state.leases.find(write.fence->lease);
    if (lease == state.leases.end() || lease->second.epoch != write.fence->epoch)
      return conflict("lease " + write.fence->lease + " has moved on");
  }
  for (const RecordWrite& record : write.records) HANAPER_CHECK(apply_record(state, record));
  return apply_ledger(state, write);
}

Status MemoryStorage::apply_record(State& state, const RecordWrite& write) {
  HANAPER_CHECK(within_limits(write));
  const std::pair key{write.collection, write.key};
  const auto found = state.records.find(key);
  const std::uint64_t stored = found == state.records.end() ? 0 : found->second.version;
  if (stored != write.expected)
    return conflict(write.collection + " \"" + write.key + "\" has changed meanwhile");
  if (write.erase) {
    state.records.erase(key);
    return {};
  }
  std::vector<RecordIndex> indexes = write.indexes;
  std::ranges::sort(indexes);
  state.records[key] = Record{write.key, stored + 1, write.expires, std::move(indexes), write.data};
  return {};
}

namespace {

template <class State>
Status apply_reservation(State& state, const Reservation& from) {
  const std::pair id{from.authority, from.serial};
  if (from.profile.empty()) {
    const auto known = state.certificates.find(id);
    if (known == state.certificates.end() || !known->second.tbs.empty())
      return conflict("the serial number is taken");
    known->second.not_before = from.not_before;
    known->second.not_after = from.not_after;
    known->second.tbs = to_bytes(from.tbs);
    return {};
  }
  CertificateRow row{.authority = from.authority,
                     .serial = from.serial,
                     .profile = std::string(from.profile),
                     .requester = std::string(from.requester),
                     .not_before = from.not_before,
                     .not_after = from.not_after,
                     .shard = from.shard,
                     .tbs = to_bytes(from.tbs),
                     .signature = {},
                     .issued_at = {},
                     .revoked = {},
                     .revoked_at = {},
                     .invalidity = {},
                     .pipeline = std::string(from.pipeline)};
  if (!state.certificates.emplace(id, std::move(row)).second) return conflict("the serial number is taken");
  return {};
}

template <class State>
Status apply_recording(State& state, const Recording& from, bool completes) {
  const std::pair id{from.authority, from.serial};
  CertificateRow& row = state.certificates[id];
  if (completes ? !row.signature.empty() : row.issued_at.has_value())
    return conflict("the certificate is signed already");
  row.authority = id.first;
  row.serial = id.second;
  row.signature = to_bytes(from.signature);
  if (!completes) row.issued_at = from.at;
  state.issued.emplace(++state.fed, id);
  return {};
}

}  // namespace

Status MemoryStorage::apply_ledger(State& state, const Write& write) {
  if (write.authority) {
    AuthorityRow row = *write.authority;
    if (row.id == 0) {
      for (const AuthorityRow& other : state.authorities)
        if (other.name == row.name) return conflict("authority " + row.name + " exists already");
      row.id = static_cast<AuthorityId>(state.authorities.size() + 1);
      state.authorities.push_back(std::move(row));
    } else {
      const auto known = std::ranges::find(state.authorities, row.id, &AuthorityRow::id);
      if (known == state.authorities.end() || !known->certificate.empty())
        return conflict("authority " + row.name + " has a certificate already");
      known->certificate = row.certificate;
      known->chain = row.chain;
    }
  }
  if (write.reservation) HANAPER_CHECK(apply_reservation(state, *write.reservation));
  if (write.recording)
    HANAPER_CHECK(
        apply_recording(state, *write.recording, write.reservation && write.reservation->profile.empty()));
  if (write.revocation) HANAPER_CHECK(apply_revocation(state, *write.revocation));
  if (write.crl) HANAPER_CHECK(apply_crl(state, *write.crl));
  for (const NameRow& name : write.names) {
    auto& bearers = state.names[name.name];
    const std::pair id{name.authority, name.serial};
    if (std::ranges::find(bearers, id) == bearers.end()) bearers.push_back(id);
  }
  if (write.purge)
    std::erase_if(state.records, [&](const auto& entry) {
      return entry.second.expires && *entry.second.expires < *write.purge;
    });
  return {};
}

Status MemoryStorage::apply_revocation(State& state, const Revocation& from) {
  const std::pair id{from.authority, from.serial.hex()};
  const auto stored = state.revocations.find(id);
  const bool fits = from.replaces
                        ? stored != state.revocations.end() && stored->second.reason == *from.replaces
                        : stored == state.revocations.end();
  if (!fits) return conflict("the certificate is revoked already");
  const RevocationRow now{from.authority, from.serial,     from.shard,    from.reason,
                          from.at,        from.invalidity, from.not_after};
  state.revocations[id] = now;
  state.changes.emplace(++state.fed, now);
  CertificateRow& row = state.certificates[{from.authority, from.serial}];
  row.released = from.reason == RevocationReason::remove_from_crl;
  row.revoked = row.released ? std::nullopt : std::optional(from.reason);
  row.revoked_at = row.released ? std::nullopt : std::optional(from.at);
  row.invalidity = row.released ? std::nullopt : from.invalidity;
  if (from.block_key) state.blocked[*from.block_key] = true;
  return {};
}

Status MemoryStorage::apply_crl(State& state, const CrlRow& crl) {
  const std::tuple id{crl.authority, crl.shard, crl.number};
  const auto stored = state.crls.find(id);
  const bool fits =
      crl.hash ? stored != state.crls.end() && !stored->second.hash : stored == state.crls.end();
  if (!fits) return conflict("another CRL has the number " + std::to_string(crl.number));
  if (!crl.hash) {
    state.crls[id] = crl;
  } else {
    stored->second.size = crl.size;
    stored->second.hash = crl.hash;
  }
  return {};
}

Result<std::vector<RevocationRow>> MemoryStorage::revocations(AuthorityId authority, std::uint32_t shard,
                                                              const Serial& after, std::uint32_t limit) {
  const Lock lock(mutex_);
  std::vector<RevocationRow> rows;
  for (auto at = state_.revocations.upper_bound({authority, after.hex()});
       at != state_.revocations.end() && at->first.first == authority && rows.size() < limit; ++at)
    if (at->second.shard == shard) rows.push_back(at->second);
  return rows;
}

Result<std::vector<RevocationRow>> MemoryStorage::revoked_since(std::string& cursor, std::uint32_t limit) {
  const Lock lock(mutex_);
  std::uint64_t position = 0;
  std::from_chars(cursor.data(), cursor.data() + cursor.size(), position);
  std::vector<RevocationRow> rows;
  for (auto at = state_.changes.upper_bound(position); at != state_.changes.end() && rows.size() < limit;
       ++at) {
    rows.push_back(at->second);
    position = at->first;
  }
  cursor = std::to_string(position);
  return rows;
}

Result<std::string> MemoryStorage::feed_cursor() {
  const Lock lock(mutex_);
  return std::to_string(state_.fed);
}

Result<std::vector<CrlRow>> MemoryStorage::crls(AuthorityId authority, std::uint32_t shard,
                                                std::uint32_t limit) {
  const Lock lock(mutex_);
  std::vector<CrlRow> rows;
  for (auto at = state_.crls.rbegin(); at != state_.crls.rend() && rows.size() < limit; ++at)
    if (std::get<0>(at->first) == authority && std::get<1>(at->first) == shard) rows.push_back(at->second);
  return rows;
}

Result<CrlRow> MemoryStorage::newest_crl(AuthorityId authority, std::uint32_t shard, bool delta) {
  const Lock lock(mutex_);
  for (auto at = state_.crls.rbegin(); at != state_.crls.rend(); ++at)
    if (std::get<0>(at->first) == authority && std::get<1>(at->first) == shard && at->second.hash &&
        (at->second.base != 0) == delta)
      return at->second;
  return not_found("no such CRL has been made yet");
}

Result<std::vector<AuthorityRow>> MemoryStorage::authorities() {
  const Lock lock(mutex_);
  return state_.authorities;
}

Result<CertificateRow> MemoryStorage::certificate(AuthorityId authority, const Serial& serial) {
  const Lock lock(mutex_);
  const auto found = state_.certificates.find({authority, serial});
  if (found == state_.certificates.end())
    return not_found("no certificate with serial number " + serial.hex());
  return found->second;
}

Result<std::vector<CertificateRow>> MemoryStorage::search(const CertificateQuery& query) {
  const Lock lock(mutex_);
  const auto order = [](const CertificateRow& row) {
    return std::tuple(row.not_after, row.authority, row.serial.hex());
  };
  std::vector<CertificateRow> rows;
  for (const auto& [id, row] : state_.certificates) {
    const bool named = query.name.empty() || std::ranges::any_of(state_.names, [&](const auto& entry) {
                         const bool fits = query.name_is_prefix ? entry.first.starts_with(query.name)
                                                                : entry.first == query.name;
                         return fits && std::ranges::find(entry.second, id) != entry.second.end();
                       });
    using Wanted = CertificateQuery::State;
    const Wanted state = row.revoked ? Wanted::revoked : !row.issued_at ? Wanted::reserved : Wanted::issued;
    if (!named || (query.state != Wanted::any && query.state != state) ||
        (query.authority && *query.authority != row.authority) ||
        (query.expires_from && row.not_after < *query.expires_from) ||
        (query.expires_before && row.not_after >= *query.expires_before) ||
        (query.after &&
         order(row) <= std::tuple(query.after->not_after, query.after->authority, query.after->serial.hex())))
      continue;
    rows.push_back(row);
  }
  std::ranges::sort(rows, {}, order);
  if (rows.size() > query.limit) rows.resize(query.limit);
  return rows;
}

Result<std::vector<CertificateRow>> MemoryStorage::issued_since(std::string& cursor, std::uint32_t limit) {
  const Lock lock(mutex_);
  std::uint64_t position = 0;
  std::from_chars(cursor.data(), cursor.data() + cursor.size(), position);
  std::vector<CertificateRow> rows;
  for (auto at = state_.issued.upper_bound(position); at != state_.issued.end() && rows.size() < limit;
       ++at) {
    rows.push_back(state_.certificates.at(at->second));
    position = at->first;
  }
  cursor = std::to_string(position);
  return rows;
}

Result<std::vector<Fingerprint>> MemoryStorage::blocked_keys(const Fingerprint& after, std::uint32_t limit) {
  const Lock lock(mutex_);
  std::vector<Fingerprint> hashes;
  for (auto at = state_.blocked.upper_bound(after); at != state_.blocked.end() && hashes.size() < limit; ++at)
    hashes.push_back(at->first);
  return hashes;
}

Result<std::vector<ExpiryChange>> MemoryStorage::expiries() {
  const Lock lock(mutex_);
  std::map<std::int64_t, std::int64_t> sums;
  for (const auto& [node, days] : state_.expiries)
    for (const auto& [day, count] : days) sums[day] += count;
  std::vector<ExpiryChange> result;
  for (const auto& [day, count] : sums) result.push_back({day, count});
  return result;
}

Result<WriterState> MemoryStorage::writer(std::string_view node) {
  const Lock lock(mutex_);
  WriterState writer;
  const WriterRow& row = state_.writers[std::string(node)];
  writer.number = row.number;
  writer.token = row.token;
  const std::vector<AuditPage>& pages = state_.audit[std::string(node)];
  if (!pages.empty()) {
    writer.audit_sequence = pages.back().sequence;
    writer.audit_hash = pages.back().hash;
    writer.audit_at = pages.back().at;
  }
  return writer;
}

Result<std::vector<std::string>> MemoryStorage::audit_nodes() {
  const Lock lock(mutex_);
  std::vector<std::string> nodes;
  for (const auto& [node, pages] : state_.audit)
    if (!pages.empty()) nodes.push_back(node);
  return nodes;
}

Result<std::vector<AuditPage>> MemoryStorage::audit(std::string_view node, std::uint64_t after,
                                                    std::uint32_t limit) {
  const Lock lock(mutex_);
  std::vector<AuditPage> pages;
  for (const AuditPage& page : state_.audit[std::string(node)])
    if (page.sequence > after && pages.size() < limit) pages.push_back(page);
  return pages;
}

Result<Record> MemoryStorage::get(std::string_view collection, std::string_view key) {
  const Lock lock(mutex_);
  const auto found = state_.records.find({std::string(collection), std::string(key)});
  if (found == state_.records.end() || (found->second.expires && *found->second.expires <= clock_.now()))
    return not_found("no " + std::string(collection) + " \"" + std::string(key) + "\"");
  return found->second;
}

Result<std::vector<Record>> MemoryStorage::find(std::string_view collection, std::string_view field,
                                                std::string_view value, std::string_view after,
                                                std::uint32_t limit) {
  const Lock lock(mutex_);
  std::vector<Record> records;
  for (const auto& [key, record] : state_.records) {
    const RecordIndex wanted{std::string(field), std::string(value)};
    if (key.first != collection || key.second <= after || records.size() >= limit ||
        (record.expires && *record.expires <= clock_.now()) ||
        (!field.empty() && std::ranges::find(record.indexes, wanted) == record.indexes.end()))
      continue;
    records.push_back(record);
  }
  return records;
}

Result<std::vector<LeaseRow>> MemoryStorage::all() {
  const Lock lock(mutex_);
  std::vector<LeaseRow> rows;
  for (const auto& [name, row] : state_.leases) rows.push_back(row);
  return rows;
}

Result<std::uint64_t> MemoryStorage::take(const LeaseRow& seen, std::string_view holder) {
  const Lock lock(mutex_);
  const auto found = state_.leases.find(seen.name);
  const LeaseRow stored = found == state_.leases.end() ? LeaseRow{seen.name, "", 0, 0} : found->second;
  if (stored.epoch != seen.epoch || stored.renewals != seen.renewals)
    return conflict("lease " + seen.name + " has moved on");
  state_.leases[seen.name] = {seen.name, std::string(holder), seen.epoch + 1, seen.renewals + 1};
  return seen.epoch + 1;
}

Status MemoryStorage::renew(std::string_view holder) {
  const Lock lock(mutex_);
  for (auto& [name, row] : state_.leases)
    if (row.holder == holder) ++row.renewals;
  return {};
}

Status MemoryStorage::release(std::string_view name, std::string_view holder) {
  const Lock lock(mutex_);
  const auto found = state_.leases.find(std::string(name));
  if (found != state_.leases.end() && found->second.holder == holder) found->second.holder.clear();
  return {};
}

}  // namespace hanaper::fakes
