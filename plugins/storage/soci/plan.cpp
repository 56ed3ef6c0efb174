#include "plan.hpp"

#include <limits>
#include <unordered_set>

namespace hanaper::sql {
namespace {

// Signatures and revocations are numbered by their node as they are committed: number of the batch, then
// place within it. That order is the order of becoming visible, which a database's own counter is not.
constexpr std::int64_t signatures_in_a_batch = 1 << 16;

Field expiry_field(const std::optional<Time>& expires) {
  if (!expires) return nullptr;
  return milliseconds(*expires);
}

std::int64_t integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

Plan::Plan(const Batch& batch) : batch_(batch), position_(integer(batch.number) * signatures_in_a_batch) {
  steps_.reserve(batch.writes.size() * 3 + 8);
  const std::string_view token = keep(to_hex(batch.token));
  if (batch.number == 1)
    add({Statement::create_writer, {batch.node, integer(1), token}});
  else
    add({Statement::advance_writer, {integer(batch.number), token, batch.node, integer(batch.number - 1)}});
  for (Write* write : batch.writes) add_write(*write);
  for (const ExpiryChange& expiry : batch.expiries)
    add({Statement::change_expiry, {batch.node, expiry.day, expiry.change}});
  if (batch.audit) {
    const AuditPage& page = *batch.audit;
    add({Statement::insert_audit,
         {batch.node, integer(page.sequence), milliseconds(page.at), page.text, keep(to_hex(page.previous)),
          keep(to_hex(page.hash))}});
  }
  for (const Step& step : steps_) grouped_.push_back(&step.row);
  std::ranges::stable_sort(grouped_, {}, [](const Row* row) { return row->statement; });
  find_repeats();
}

void Plan::add_write(Write& write) {
  write.outcome = {};
  if (write.fence) add({Statement::hold_lease, {write.fence->lease, integer(write.fence->epoch)}}, &write);
  for (const RecordWrite& record : write.records) add_record(write, record);
  add_ledger(write);
}

void Plan::add_record(Write& write, const RecordWrite& record) {
  const Field expires = expiry_field(record.expires);
  if (record.expected == 0) {
    add({Statement::insert_record, {record.collection, record.key, expires, record.data}}, &write, &record);
  } else {
    const std::int64_t expected = integer(record.expected);
    if (record.erase)
      add({Statement::delete_record, {record.collection, record.key, expected}}, &write, &record);
    else
      add({Statement::update_record, {expires, record.data, record.collection, record.key, expected}}, &write,
          &record);
    add({Statement::delete_indexes, {record.collection, record.key}}, &write, &record);
  }
  if (record.erase) return;
  for (auto index = record.indexes.begin(); index != record.indexes.end(); ++index)
    if (std::find(record.indexes.begin(), index, *index) == index)
      add({Statement::insert_index, {record.collection, index->field, index->value, record.key}}, &write,
          &record);
}

void Plan::add_ledger(Write& write) {
  if (write.authority) {
    const AuthorityRow& row = *write.authority;
    if (row.id == 0)
      add({Statement::insert_authority, {row.name, row.key, ByteView(row.certificate), ByteView(row.chain)}},
          &write);
    else
      add({Statement::update_authority,
           {ByteView(row.certificate), ByteView(row.chain), std::int64_t{row.id}}},
          &write);
  }
  if (write.reservation) add_certificate(write);
  if (write.recording) add_signature(write);
  if (write.revocation) {
    const Revocation& row = *write.revocation;
    const auto reason = static_cast<std::int64_t>(row.reason);
    if (row.replaces)
      add({Statement::replace_revocation,
           {reason, milliseconds(row.at), expiry_field(row.invalidity), batch_.node, position_++,
            std::int64_t{row.authority}, std::int64_t{row.shard}, keep(row.serial.hex()),
            static_cast<std::int64_t>(*row.replaces)}},
          &write);
    else
      add({Statement::insert_revocation,
           {std::int64_t{row.authority}, std::int64_t{row.shard}, keep(row.serial.hex()), reason,
            milliseconds(row.at), expiry_field(row.invalidity), milliseconds(row.not_after), batch_.node,
            position_++}},
          &write);
    if (row.block_key) add({Statement::insert_blocked_key, {keep(to_hex(*row.block_key))}}, &write);
  }
  if (write.crl) add_crl(write);
  for (const NameRow& name : write.names)
    add({Statement::insert_name, {name.name, std::int64_t{name.authority}, keep(name.serial.hex())}}, &write);
  if (write.purge) {
    add({Statement::purge_indexes, {milliseconds(*write.purge)}}, &write);
    add({Statement::purge_records, {milliseconds(*write.purge)}}, &write);
  }
}

// Whoever completes what was known by its serial number alone names no profile: it has one.
void Plan::add_certificate(Write& write) {
  const Reservation& row = *write.reservation;
  if (row.profile.empty())
    add({Statement::complete_certificate,
         {milliseconds(row.not_before), milliseconds(row.not_after), row.tbs, std::int64_t{row.authority},
          keep(row.serial.hex())}},
        &write);
  else
    add({Statement::insert_certificate,
         {std::int64_t{row.authority}, keep(row.serial.hex()), row.profile, row.requester,
          milliseconds(row.not_before), milliseconds(row.not_after), std::int64_t{row.shard}, row.tbs,
          row.pipeline}},
        &write);
}

void Plan::add_signature(Write& write) {
  const Recording& row = *write.recording;
  if (write.reservation && write.reservation->profile.empty())
    add({Statement::complete_signature,
         {batch_.node, position_++, row.signature, std::int64_t{row.authority}, keep(row.serial.hex())}},
        &write);
  else
    add({Statement::insert_signature,
         {batch_.node, position_++, std::int64_t{row.authority}, keep(row.serial.hex()), milliseconds(row.at),
          row.signature}},
        &write);
}

void Plan::add_crl(Write& write) {
  const CrlRow& row = *write.crl;
  if (row.hash)
    add({Statement::complete_crl,
         {integer(row.size), keep(to_hex(*row.hash)), std::int64_t{row.authority}, std::int64_t{row.shard},
          integer(row.number)}},
        &write);
  else
    add({Statement::insert_crl,
         {std::int64_t{row.authority}, std::int64_t{row.shard}, integer(row.number), integer(row.base),
          milliseconds(row.this_update), milliseconds(row.next_update), integer(row.entries), std::int64_t{0},
          std::string_view("")}},
        &write);
}

Status Plan::within_limits() const {
  for (Write* write : batch_.writes)
    for (const RecordWrite& record : write->records)
      if (Status fits = hanaper::within_limits(record); !fits) {
        write->outcome = fits;
        return fits;
      }
  return {};
}

void Plan::find_repeats() {
  std::unordered_set<std::string> seen;
  const auto is_new = [&](const RecordWrite& record) {
    return seen.insert(record.collection + '\n' + record.key).second;
  };
  for (const Write* write : batch_.writes)
    if (!std::ranges::all_of(write->records, is_new)) repeats_ = true;
}

Status Plan::run_in_order(Connection& connection, std::string_view place) const {
  for (const Step& step : steps_) {
    Status refused;
    try {
      const std::int64_t changed = connection.run(step.row);
      if (changed == 1 || !must_change_one(step.row.statement)) continue;
      refused = refusal(step, place);
    } catch (const Failure& failure) {
      if (failure.kind == Failure::Kind::duplicate)
        refused = refusal(step, place);
      else if (failure.kind == Failure::Kind::invalid && step.write != nullptr)
        refused = malformed(failure.what);
      else
        throw;
    }
    if (step.write != nullptr) step.write->outcome = refused;
    return refused;
  }
  return {};
}

Status Plan::refusal(const Step& step, std::string_view place) const {
  if (step.write == nullptr)
    return conflict("another process writes to " + std::string(place) + " under the node name \"" +
                    batch_.node + "\"");
  const Write& write = *step.write;
  if (step.record != nullptr)
    return conflict(step.record->collection + " \"" + step.record->key + "\" has changed meanwhile");
  switch (step.row.statement) {
    case Statement::hold_lease:
      return conflict("lease " + write.fence->lease + " has moved on");
    case Statement::insert_authority:
      return conflict("authority " + write.authority->name + " exists already");
    case Statement::update_authority:
      return conflict("authority " + write.authority->name + " has a certificate already");
    case Statement::insert_revocation:
    case Statement::replace_revocation:
      return conflict("the certificate is revoked already");
    case Statement::insert_crl:
    case Statement::complete_crl:
      return conflict("another CRL has the number " + std::to_string(write.crl->number));
    case Statement::insert_signature:
    case Statement::complete_signature:
      return conflict("the certificate is signed already");
    default:
      return conflict("the serial number is taken");
  }
}

}  // namespace hanaper::sql
