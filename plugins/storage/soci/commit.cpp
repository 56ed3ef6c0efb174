// The one transaction that writes.
#include "schema.hpp"
#include "sql_storage.hpp"

#include <thread>

namespace hanaper::sql {
namespace {

constexpr auto retry_budget = std::chrono::milliseconds{2500};

Field expiry_field(const std::optional<Time>& expires) {
  if (!expires) return nullptr;
  return milliseconds(*expires);
}

std::int64_t integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

SqlStorage::SqlStorage(std::unique_ptr<Dialect> dialect, Host& host, std::size_t readers)
    : dialect_(std::move(dialect)), host_(host), pool_(*dialect_, readers) {}

Status SqlStorage::open() {
  HANAPER_CHECK(migrate(*dialect_, host_.log()));
  try {
    writer_ = dialect_->connect(true);
  } catch (const Failure& failure) {
    return unavailable(dialect_->place() + ": " + failure.what);
  }
  healthy_ = true;
  return {};
}

void SqlStorage::close() {
  healthy_ = false;
  writer_.reset();
  pool_.clear();
}

Status SqlStorage::health() const {
  if (!healthy_) return unavailable(dialect_->place() + ": the last write failed");
  return {};
}

Status SqlStorage::commit(Batch& batch) {
  const Deadline give_up = std::chrono::steady_clock::now() + retry_budget;
  for (auto pause = std::chrono::milliseconds{1};; pause *= 2) {
    bool at_commit = false;
    Failure failure;
    try {
      if (!writer_) writer_ = dialect_->connect(true);
      writer_->begin();
      if (Status applied = apply(*writer_, batch); !applied) {
        writer_->rollback();
        return applied;
      }
      at_commit = true;
      writer_->commit();
      healthy_ = true;
      return {};
    } catch (const Failure& thrown) {
      failure = thrown;
    }
    if (writer_) writer_->rollback();
    // After anything but a conflict the connection may still carry the transaction: it is closed, and what
    // became of the commit is read back over a new one.
    if (failure.kind != Failure::Kind::retry) writer_.reset();
    if (at_commit && failure.kind != Failure::Kind::retry && committed_after_all(batch)) {
      healthy_ = true;
      return {};
    }
    const bool worth_it =
        failure.kind == Failure::Kind::retry || (failure.kind == Failure::Kind::lost && !at_commit);
    if (!worth_it || std::chrono::steady_clock::now() + pause > give_up) {
      healthy_ = false;
      return unavailable(dialect_->place() + ": " + failure.what);
    }
    std::this_thread::sleep_for(pause);
  }
}

bool SqlStorage::committed_after_all(const Batch& batch) {
  const auto state = writer(batch.node);
  return state && state->number == batch.number;
}

Status SqlStorage::apply(Connection& connection, Batch& batch) {
  const bool first = batch.number == 1;
  std::int64_t advanced = 0;
  try {
    advanced = first ? connection.run(Statement::create_writer, {batch.node, integer(1)})
                     : connection.run(Statement::advance_writer,
                                      {integer(batch.number), batch.node, integer(batch.number - 1)});
  } catch (const Failure& failure) {
    if (failure.kind != Failure::Kind::duplicate) throw;
  }
  if (advanced != 1)
    return conflict("another process writes to " + dialect_->place() + " under the node name \"" +
                    batch.node + "\"");
  for (Write* write : batch.writes) HANAPER_CHECK(apply_write(connection, *write));
  for (const ExpiryChange& expiry : batch.expiries)
    connection.run(Statement::change_expiry, {batch.node, expiry.day, expiry.change});
  apply_audit(connection, batch);
  return {};
}

Status SqlStorage::apply_write(Connection& connection, Write& write) {
  write.outcome = {};
  if (write.fence &&
      connection.run(Statement::hold_lease, {write.fence->lease, integer(write.fence->epoch)}) != 1)
    write.outcome = conflict("lease " + write.fence->lease + " has moved on");
  for (const RecordWrite& record : write.records)
    if (write.outcome) write.outcome = apply_record(connection, record);
  if (write.outcome) write.outcome = apply_ledger(connection, write);
  return write.outcome;
}

Status SqlStorage::apply_record(Connection& connection, const RecordWrite& write) {
  const auto moved = [&] {
    return conflict(write.collection + " \"" + write.key + "\" has changed meanwhile");
  };
  const Field expires = expiry_field(write.expires);
  if (write.expected != 0) {
    connection.run(Statement::delete_indexes, {write.collection, write.key});
    const std::int64_t changed =
        write.erase
            ? connection.run(Statement::delete_record, {write.collection, write.key, integer(write.expected)})
            : connection.run(Statement::update_record,
                             {expires, write.data, write.collection, write.key, integer(write.expected)});
    if (changed != 1) return moved();
    if (write.erase) return {};
  } else {
    try {
      connection.run(Statement::insert_record, {write.collection, write.key, expires, write.data});
    } catch (const Failure& failure) {
      if (failure.kind != Failure::Kind::duplicate) throw;
      return moved();
    }
  }
  for (const RecordIndex& index : write.indexes)
    connection.run(Statement::insert_index, {write.collection, index.field, index.value, write.key});
  return {};
}

Status SqlStorage::apply_ledger(Connection& connection, const Write& write) try {
  if (write.authority) {
    const AuthorityRow& row = *write.authority;
    if (row.id == 0)
      connection.run(Statement::insert_authority, {row.name, std::int64_t{row.generation}, row.key,
                                                   ByteView(row.certificate), ByteView(row.chain)});
    else if (connection.run(Statement::update_authority,
                            {ByteView(row.certificate), ByteView(row.chain), std::int64_t{row.id}}) != 1)
      return conflict("authority " + row.name + " has a certificate already");
  }
  if (write.reservation) {
    const Reservation& row = *write.reservation;
    connection.run(
        Statement::insert_certificate,
        {std::int64_t{row.authority}, row.serial.hex(), row.profile, row.requester,
         milliseconds(row.not_before), milliseconds(row.not_after), std::int64_t{row.shard}, row.tbs});
  }
  if (write.recording) {
    const Recording& row = *write.recording;
    connection.run(Statement::insert_signature,
                   {std::int64_t{row.authority}, row.serial.hex(), milliseconds(row.at), row.signature});
  }
  if (write.revocation) {
    const Revocation& row = *write.revocation;
    connection.run(Statement::insert_revocation,
                   {std::int64_t{row.authority}, std::int64_t{row.shard}, row.serial.hex(),
                    static_cast<std::int64_t>(row.reason), milliseconds(row.at), expiry_field(row.invalidity),
                    milliseconds(row.not_after)});
    if (row.block_key) connection.run(Statement::insert_blocked_key, {to_hex(*row.block_key)});
  }
  for (const NameRow& name : write.names)
    connection.run(Statement::insert_name, {name.name, std::int64_t{name.authority}, name.serial.hex()});
  if (write.purge) {
    connection.run(Statement::purge_indexes, {milliseconds(*write.purge)});
    connection.run(Statement::purge_records, {milliseconds(*write.purge)});
  }
  return {};
} catch (const Failure& failure) {
  if (failure.kind != Failure::Kind::duplicate) throw;
  if (write.authority) return conflict("authority " + write.authority->name + " exists already");
  if (write.revocation) return conflict("the certificate is revoked already");
  return conflict("the serial number is taken");
}

void SqlStorage::apply_audit(Connection& connection, const Batch& batch) {
  if (!batch.audit) return;
  const AuditPage& page = *batch.audit;
  connection.run(Statement::insert_audit, {batch.node, integer(page.sequence), milliseconds(page.at),
                                           page.text, to_hex(page.previous), to_hex(page.hash)});
}

}  // namespace hanaper::sql
