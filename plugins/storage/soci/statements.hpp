// The statements of the write path, prepared once for each connection, in the order in which a batch runs
// them. Parameters are '?', in order; a dialect respells where it must.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace hanaper::sql {

enum class Statement : std::size_t {
  create_writer,
  advance_writer,
  hold_lease,
  insert_record,
  update_record,
  delete_record,
  delete_indexes,
  insert_index,
  insert_authority,
  update_authority,
  insert_certificate,
  complete_certificate,
  insert_signature,
  complete_signature,
  insert_revocation,
  replace_revocation,
  insert_crl,
  complete_crl,
  insert_blocked_key,
  insert_name,
  change_expiry,
  insert_audit,
  purge_indexes,
  purge_records,
  copy_authority,
  copy_record,
  copy_lease,
  count
};

inline constexpr std::size_t statement_count = static_cast<std::size_t>(Statement::count);
// The most parameters that one of them has.
inline constexpr std::size_t most_fields = 9;

// Statements that stand for a comparison: another number of rows than one means that it failed.
constexpr bool must_change_one(Statement statement) noexcept {
  switch (statement) {
    case Statement::advance_writer:
    case Statement::hold_lease:
    case Statement::update_record:
    case Statement::delete_record:
    case Statement::update_authority:
    case Statement::complete_certificate:
    case Statement::complete_signature:
    case Statement::replace_revocation:
    case Statement::complete_crl:
      return true;
    default:
      return false;
  }
}

inline constexpr std::array<std::string_view, statement_count> statements = {
    // create_writer
    "INSERT INTO writer (node, number, token) VALUES (?, ?, ?)",
    // advance_writer
    "UPDATE writer SET number = ?, token = ? WHERE node = ? AND number = ?",
    // hold_lease: changes the row, so that a concurrent change of holder conflicts, on another node too
    "UPDATE lease SET writes = writes + 1 WHERE name = ? AND epoch = ?",
    // insert_record
    "INSERT INTO record (collection, item, version, expires, data) VALUES (?, ?, 1, ?, ?)",
    // update_record
    "UPDATE record SET version = version + 1, expires = ?, data = ? WHERE collection = ? AND item = ? AND "
    "version = ?",
    // delete_record
    "DELETE FROM record WHERE collection = ? AND item = ? AND version = ?",
    // delete_indexes
    "DELETE FROM record_index WHERE collection = ? AND item = ?",
    // insert_index
    "INSERT INTO record_index (collection, field, value, item) VALUES (?, ?, ?, ?)",
    // insert_authority
    "INSERT INTO authority (id, name, key_ref, certificate, chain) "
    "SELECT COALESCE(MAX(id), 0) + 1, ?, ?, ?, ? FROM authority",
    // update_authority
    "UPDATE authority SET certificate = ?, chain = ? WHERE id = ? AND LENGTH(certificate) = 0",
    // insert_certificate
    "INSERT INTO certificate (authority, serial, profile, requester, not_before, not_after, shard, tbs, "
    "pipeline) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    // complete_certificate: of which only the serial number was known
    "UPDATE certificate SET not_before = ?, not_after = ?, tbs = ? WHERE authority = ? AND serial = ? AND "
    "LENGTH(tbs) = 0",
    // insert_signature
    "INSERT INTO signature (node, position, authority, serial, signed_at, octets) VALUES (?, ?, ?, ?, ?, ?)",
    // complete_signature: with another position, so that who reads what was issued reads it again
    "UPDATE signature SET node = ?, position = ?, octets = ? WHERE authority = ? AND serial = ? AND "
    "LENGTH(octets) = 0",
    // insert_revocation
    "INSERT INTO revocation (authority, shard, serial, reason, revoked_at, invalid_at, not_after, node, "
    "position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    // replace_revocation
    "UPDATE revocation SET reason = ?, revoked_at = ?, invalid_at = ?, node = ?, position = ? "
    "WHERE authority = ? AND shard = ? AND serial = ? AND reason = ?",
    // insert_crl
    "INSERT INTO crl (authority, shard, number, base, this_update, next_update, entries, octets, hash) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    // complete_crl
    "UPDATE crl SET octets = ?, hash = ? WHERE authority = ? AND shard = ? AND number = ? AND hash = ''",
    // insert_blocked_key
    "INSERT INTO blocked_key (hash) VALUES (?) ON CONFLICT DO NOTHING",
    // insert_name
    "INSERT INTO certificate_name (name, authority, serial) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    // change_expiry
    "INSERT INTO expiry (node, expiry_day, amount) VALUES (?, ?, ?) "
    "ON CONFLICT (node, expiry_day) DO UPDATE SET amount = expiry.amount + excluded.amount",
    // insert_audit
    "INSERT INTO audit (node, sequence, written_at, \"lines\", previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
    // purge_indexes
    "DELETE FROM record_index WHERE (collection, item) IN "
    "(SELECT collection, item FROM record WHERE expires < ? ORDER BY expires, collection, item LIMIT 1000)",
    // purge_records
    "DELETE FROM record WHERE (collection, item) IN "
    "(SELECT collection, item FROM record WHERE expires < ? ORDER BY expires, collection, item LIMIT 1000)",
    // copy_authority, copy_record, copy_lease: what is written by nobody but a move, whole rows
    "INSERT INTO authority (id, name, key_ref, certificate, chain) VALUES (?, ?, ?, ?, ?)",
    "INSERT INTO record (collection, item, version, expires, data) VALUES (?, ?, ?, ?, ?)",
    "INSERT INTO lease (name, holder, epoch, renewals, writes) VALUES (?, ?, ?, ?, ?)",
};

}  // namespace hanaper::sql
