// What CRLs and OCSP read: revocations in order, their change feed, the CRLs made so far.
#include "cursor.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace hanaper::sql {

Positions read_cursor(std::string_view text) {
  Positions positions;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) continue;
    const Bytes name = from_hex(word.substr(0, equals)).value_or({});
    std::from_chars(word.data() + equals + 1, word.data() + word.size(),
                    positions[std::string(as_text(name))]);
  }
  return positions;
}

std::string write_cursor(const Positions& positions) {
  std::string text;
  for (const auto& [node, position] : positions)
    text += (text.empty() ? "" : " ") + to_hex(as_bytes(node)) + "=" + std::to_string(position);
  return text;
}

Positions read_positions(Connection& connection, std::string_view cursor) {
  Positions positions = read_cursor(cursor);
  connection.select("SELECT node FROM writer ORDER BY node", {},
                    [&](const Cells& cells) { positions.try_emplace(std::string(cells.text(0)), 0); });
  return positions;
}

// One column.
std::vector<std::string> texts(soci::session& session, const char* sql) {
  std::string text;
  soci::statement statement = (session.prepare << sql, soci::into(text));
  statement.execute();
  std::vector<std::string> rows;
  while (statement.fetch()) rows.push_back(text);
  return rows;
}

namespace {

// Runs a select of revocations with `rest` behind it; `last` sees the position of the last row. A CRL reads
// millions of them.
std::vector<RevocationRow> select(Connection& connection, std::string_view rest,
                                  std::span<const Field> values, std::int64_t* last = nullptr) {
  std::vector<RevocationRow> rows;
  connection.select(
      "SELECT authority, shard, serial, reason, revoked_at, invalid_at, not_after, position FROM "
      "revocation WHERE " +
          std::string(rest),
      values, [&](const Cells& cells) {
        RevocationRow& row = rows.emplace_back();
        row.authority = static_cast<AuthorityId>(cells.number(0));
        row.shard = static_cast<std::uint32_t>(cells.number(1));
        row.serial = serial_of(cells.text(2));
        row.reason = static_cast<RevocationReason>(cells.number(3));
        row.at = from_milliseconds(cells.number(4));
        if (!cells.empty(5)) row.invalidity = from_milliseconds(cells.number(5));
        row.not_after = from_milliseconds(cells.number(6));
        if (last != nullptr) *last = cells.number(7);
      });
  return rows;
}

// The newest first, of those that `rest` wants too.
std::vector<CrlRow> select_crls(soci::session& session, AuthorityId authority, std::uint32_t shard,
                                const char* rest, std::uint32_t limit) {
  long long number = 0, base = 0, this_update = 0, next_update = 0, entries = 0, octets = 0;
  std::string hash;
  soci::statement statement =
      (session.prepare << "SELECT number, base, this_update, next_update, entries, octets, hash FROM crl "
                          "WHERE authority = "
                       << authority << " AND shard = " << shard << rest << " ORDER BY number DESC LIMIT "
                       << limit,
       soci::into(number), soci::into(base), soci::into(this_update), soci::into(next_update),
       soci::into(entries), soci::into(octets), soci::into(hash));
  statement.execute();
  std::vector<CrlRow> rows;
  while (statement.fetch()) {
    CrlRow& row = rows.emplace_back();
    row.authority = authority;
    row.shard = shard;
    row.number = static_cast<std::uint64_t>(number);
    row.base = static_cast<std::uint64_t>(base);
    row.this_update = from_milliseconds(this_update);
    row.next_update = from_milliseconds(next_update);
    row.entries = static_cast<std::uint64_t>(entries);
    row.size = static_cast<std::uint64_t>(octets);
    if (!hash.empty()) row.hash = fingerprint(hash);
  }
  return rows;
}

}  // namespace

Result<std::vector<RevocationRow>> SqlStorage::revocations(AuthorityId authority, std::uint32_t shard,
                                                           const Serial& after, std::uint32_t limit) {
  const std::string behind = after.hex();
  const Field values[] = {std::int64_t{authority}, std::int64_t{shard}, behind,
                          std::int64_t{std::min<std::uint32_t>(limit, 10'000)}};
  return read([&](Connection& connection) {
    return select(connection,
                  "authority = ? AND shard = ? AND serial > ? ORDER BY authority, shard, serial LIMIT ?",
                  values);
  });
}

Result<std::vector<RevocationRow>> SqlStorage::revoked_since(std::string& cursor, std::uint32_t limit) {
  Positions positions;
  auto rows = read([&](Connection& connection) {
    positions = read_positions(connection, cursor);
    std::vector<RevocationRow> all;
    for (auto& [node, position] : positions) {
      const std::int64_t room = std::min<std::int64_t>(limit, 10'000) - std::ssize(all);
      if (room == 0) break;
      const Field values[] = {node, position, room};
      std::ranges::move(
          select(connection, "node = ? AND position > ? ORDER BY node, position LIMIT ?", values, &position),
          std::back_inserter(all));
    }
    return all;
  });
  if (rows) cursor = write_cursor(positions);
  return rows;
}

Result<std::string> SqlStorage::feed_cursor() {
  return read([&](Connection& connection) {
    Positions positions = read_positions(connection, "");
    for (auto& [node, position] : positions) {
      const Field values[] = {node};
      for (const char* last : {"SELECT COALESCE(MAX(position), 0) FROM revocation WHERE node = ?",
                               "SELECT COALESCE(MAX(position), 0) FROM signature WHERE node = ?"})
        connection.select(last, values,
                          [&](const Cells& cells) { position = std::max(position, cells.number(0)); });
    }
    return write_cursor(positions);
  });
}

Result<std::vector<CrlRow>> SqlStorage::crls(AuthorityId authority, std::uint32_t shard,
                                             std::uint32_t limit) {
  return read([&](soci::session& session) {
    return select_crls(session, authority, shard, "", std::min<std::uint32_t>(limit, 1000));
  });
}

Result<CrlRow> SqlStorage::newest_crl(AuthorityId authority, std::uint32_t shard, bool delta) {
  HANAPER_TRY(const std::vector<CrlRow> rows, read([&](soci::session& session) {
                const char* kind = delta ? " AND base <> 0 AND hash <> ''" : " AND base = 0 AND hash <> ''";
                return select_crls(session, authority, shard, kind, 1);
              }));
  if (rows.empty()) return not_found("no such CRL has been made yet");
  return rows.front();
}

}  // namespace hanaper::sql
