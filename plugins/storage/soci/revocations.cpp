// What CRLs and OCSP read: revocations in order, their change feed, the CRLs made so far.
#include "cursor.hpp"

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

// Runs a select of revocations with `rest` behind it; `last` sees the position of the last row.
std::vector<RevocationRow> select(soci::session& session, const std::string& rest, std::string parameter,
                                  std::size_t limit, long long* last) {
  long long authority = 0, shard = 0, reason = 0, revoked_at = 0, invalid_at = 0, not_after = 0, position = 0;
  std::string serial;
  soci::indicator has_invalid_at = soci::i_null;
  soci::statement statement =
      (session.prepare << "SELECT authority, shard, serial, reason, revoked_at, invalid_at, not_after, "
                          "position FROM revocation WHERE "
                       << rest << " LIMIT " << limit,
       soci::use(parameter), soci::into(authority), soci::into(shard), soci::into(serial), soci::into(reason),
       soci::into(revoked_at), soci::into(invalid_at, has_invalid_at), soci::into(not_after),
       soci::into(position));
  statement.execute();
  std::vector<RevocationRow> rows;
  rows.reserve(std::min<std::size_t>(limit, 256));
  while (statement.fetch()) {
    RevocationRow& row = rows.emplace_back();
    row.authority = static_cast<AuthorityId>(authority);
    row.serial = serial_of(serial);
    row.shard = static_cast<std::uint32_t>(shard);
    row.reason = static_cast<RevocationReason>(reason);
    row.at = from_milliseconds(revoked_at);
    if (has_invalid_at == soci::i_ok) row.invalidity = from_milliseconds(invalid_at);
    row.not_after = from_milliseconds(not_after);
    if (last != nullptr) *last = position;
  }
  return rows;
}

}  // namespace

Result<std::vector<RevocationRow>> SqlStorage::revocations(AuthorityId authority, std::uint32_t shard,
                                                           const Serial& after, std::uint32_t limit) {
  limit = std::min<std::uint32_t>(limit, 10'000);
  return read([&](Connection& connection) {
    if (auto rows = connection.scan_revocations(authority, shard, after, limit)) return *std::move(rows);
    const std::string rest = "authority = " + std::to_string(authority) +
                             " AND shard = " + std::to_string(shard) +
                             " AND serial > :after ORDER BY authority, shard, serial";
    return select(connection.session(), rest, after.hex(), limit, nullptr);
  });
}

Result<std::vector<RevocationRow>> SqlStorage::revoked_since(std::string& cursor, std::uint32_t limit) {
  Positions positions;
  auto rows = read([&](soci::session& session) {
    positions = read_cursor(cursor);
    for (const std::string& node : texts(session, "SELECT node FROM writer ORDER BY node"))
      positions.try_emplace(node, 0);
    std::vector<RevocationRow> all;
    for (auto& [node, position] : positions) {
      const std::size_t room = std::min<std::size_t>(limit, 10'000) - all.size();
      if (room == 0) break;
      const std::string rest =
          "node = :node AND position > " + std::to_string(position) + " ORDER BY node, position";
      std::ranges::move(select(session, rest, node, room, &position), std::back_inserter(all));
    }
    return all;
  });
  if (rows) cursor = write_cursor(positions);
  return rows;
}

Result<std::string> SqlStorage::revocation_cursor() {
  return read([&](soci::session& session) {
    Positions positions;
    for (const std::string& node : texts(session, "SELECT node FROM writer ORDER BY node")) {
      long long last = 0;
      session << "SELECT COALESCE(MAX(position), 0) FROM revocation WHERE node = :node", soci::use(node),
          soci::into(last);
      positions[node] = last;
    }
    return write_cursor(positions);
  });
}

Result<std::vector<CrlRow>> SqlStorage::crls(AuthorityId authority, std::uint32_t shard,
                                             std::uint32_t limit) {
  return read([&](soci::session& session) {
    long long number = 0, base = 0, this_update = 0, next_update = 0, entries = 0, octets = 0;
    std::string hash;
    soci::statement statement =
        (session.prepare << "SELECT number, base, this_update, next_update, entries, octets, hash FROM crl "
                            "WHERE authority = "
                         << authority << " AND shard = " << shard << " ORDER BY number DESC LIMIT "
                         << std::min<std::uint32_t>(limit, 1000),
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
  });
}

}  // namespace hanaper::sql
