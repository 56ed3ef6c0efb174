// The reading half of the ledger.
#include "cursor.hpp"
#include "sql_storage.hpp"

#include <charconv>
#include <iterator>

namespace hanaper::sql {

std::int64_t milliseconds(Time time) noexcept { return time.time_since_epoch().count(); }
Time from_milliseconds(long long count) noexcept { return Time{std::chrono::milliseconds{count}}; }

Fingerprint fingerprint(const std::string& hex) {
  Fingerprint result{};
  const Bytes octets = from_hex(hex).value_or({});
  if (octets.size() == result.size()) std::ranges::copy(octets, result.begin());
  return result;
}

// A CRL reads a million of them: no detour over the heap.
namespace {

// A table, because digits of random numbers make every branch a guess.
constexpr std::array<std::uint8_t, 256> digits = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(255);
  for (std::uint8_t i = 0; i < 16; ++i) values[static_cast<std::uint8_t>("0123456789abcdef"[i])] = i;
  return values;
}();

}  // namespace

Serial serial_of(std::string_view hex) {
  std::array<std::uint8_t, Serial::max_size> octets{};
  if (hex.size() % 2 != 0 || hex.size() > 2 * octets.size()) return {};
  for (std::size_t i = 0; i < hex.size() / 2; ++i) {
    const std::uint8_t high = digits[static_cast<std::uint8_t>(hex[2 * i])];
    const std::uint8_t low = digits[static_cast<std::uint8_t>(hex[2 * i + 1])];
    if (high > 15 || low > 15) return {};
    octets[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return Serial::from_der(ByteView(octets).first(hex.size() / 2)).value_or(Serial{});
}

namespace {

// A certificate with what has become of it, in the order of `wide`.
CertificateRow certificate_of(const Cells& cells, const Dialect& dialect) {
  CertificateRow row;
  row.authority = static_cast<AuthorityId>(cells.number(0));
  row.serial = serial_of(cells.text(1));
  row.profile = cells.text(2);
  row.requester = cells.text(3);
  row.not_before = from_milliseconds(cells.number(4));
  row.not_after = from_milliseconds(cells.number(5));
  row.shard = static_cast<std::uint32_t>(cells.number(6));
  row.tbs = dialect.decode(cells.text(7));
  if (!cells.empty(9)) row.signature = dialect.decode(cells.text(9));
  if (!cells.empty(10)) row.issued_at = from_milliseconds(cells.number(10));
  row.pipeline = cells.text(14);
  if (cells.empty(11)) return row;
  const auto reason = static_cast<RevocationReason>(cells.number(11));
  row.released = reason == RevocationReason::remove_from_crl;
  if (row.released) return row;
  row.revoked = reason;
  row.revoked_at = from_milliseconds(cells.number(12));
  if (!cells.empty(13)) row.invalidity = from_milliseconds(cells.number(13));
  return row;
}

constexpr std::string_view wide =
    "SELECT c.authority, c.serial, c.profile, c.requester, c.not_before, c.not_after, c.shard, c.tbs, "
    "s.position, s.octets, s.signed_at, r.reason, r.revoked_at, r.invalid_at, c.pipeline "
    "FROM certificate c "
    "LEFT JOIN signature s ON s.authority = c.authority AND s.serial = c.serial "
    "LEFT JOIN revocation r ON r.authority = c.authority AND r.shard = c.shard AND r.serial = c.serial ";

// Runs the wide select with `rest` behind it; `last` sees the position of the last row's signature.
std::vector<CertificateRow> select(Connection& connection, const Dialect& dialect, std::string_view rest,
                                   std::span<const Field> values, std::int64_t* last = nullptr) {
  std::vector<CertificateRow> rows;
  connection.select(std::string(wide) + std::string(rest), values, [&](const Cells& cells) {
    rows.push_back(certificate_of(cells, dialect));
    if (last != nullptr) *last = cells.number(8);
  });
  return rows;
}

std::string number(std::int64_t value) { return std::to_string(value); }

}  // namespace

Result<std::vector<AuthorityRow>> SqlStorage::authorities() {
  return read([&](soci::session& session) {
    long long id = 0;
    std::string name, key, certificate, chain;
    soci::statement statement =
        (session.prepare << "SELECT id, name, key_ref, certificate, chain FROM authority ORDER BY id",
         soci::into(id), soci::into(name), soci::into(key), soci::into(certificate), soci::into(chain));
    statement.execute();
    std::vector<AuthorityRow> rows;
    while (statement.fetch())
      rows.push_back(
          {static_cast<AuthorityId>(id), name, key, dialect_->decode(certificate), dialect_->decode(chain)});
    return rows;
  });
}

Result<CertificateRow> SqlStorage::certificate(AuthorityId authority, const Serial& serial) {
  const std::string hex = serial.hex();
  const Field values[] = {std::int64_t{authority}, hex};
  HANAPER_TRY(std::vector<CertificateRow> rows, read([&](Connection& connection) {
                return select(connection, *dialect_, "WHERE c.authority = ? AND c.serial = ?", values);
              }));
  if (rows.empty()) return not_found("no certificate with serial number " + serial.hex());
  return std::move(rows.front());
}

Result<std::vector<CertificateRow>> SqlStorage::search(const CertificateQuery& query) {
  std::string rest;
  std::vector<Field> values;
  const std::string behind = query.name + "~", after = query.after ? query.after->serial.hex() : "";
  if (!query.name.empty()) {
    rest += "JOIN (SELECT DISTINCT authority, serial FROM certificate_name WHERE ";
    rest += query.name_is_prefix ? "name >= ? AND name < ?" : "name = ?";
    values.emplace_back(query.name);
    if (query.name_is_prefix) values.emplace_back(behind);
    rest += ") n ON n.authority = c.authority AND n.serial = c.serial ";
  }
  rest += "WHERE 1 = 1";
  if (query.authority) rest += " AND c.authority = " + number(*query.authority);
  if (query.expires_from) rest += " AND c.not_after >= " + number(milliseconds(*query.expires_from));
  if (query.expires_before) rest += " AND c.not_after < " + number(milliseconds(*query.expires_before));
  switch (query.state) {
    case CertificateQuery::State::any:
      break;
    case CertificateQuery::State::reserved:
      rest += " AND s.position IS NULL";
      break;
    case CertificateQuery::State::issued:
      rest += " AND s.position IS NOT NULL AND (r.reason IS NULL OR r.reason = 8)";
      break;
    case CertificateQuery::State::revoked:
      rest += " AND r.reason IS NOT NULL AND r.reason <> 8";
      break;
  }
  if (query.after) {
    const std::string at = number(milliseconds(query.after->not_after)),
                      authority = number(query.after->authority);
    rest += " AND c.not_after >= " + at + " AND (c.not_after > " + at + " OR c.authority > " + authority +
            " OR (c.authority = " + authority + " AND c.serial > ?))";
    values.emplace_back(after);
  }
  rest += " ORDER BY c.not_after, c.authority, c.serial LIMIT " +
          number(std::min<std::uint32_t>(query.limit, 1000));
  return read([&](Connection& connection) { return select(connection, *dialect_, rest, values); });
}

Result<std::vector<CertificateRow>> SqlStorage::issued_since(std::string& cursor, std::uint32_t limit) {
  Positions positions;
  auto rows = read([&](Connection& connection) {
    positions = read_positions(connection, cursor);
    std::vector<CertificateRow> all;
    for (auto& [node, position] : positions) {
      const std::int64_t room = std::min<std::int64_t>(limit, 10'000) - std::ssize(all);
      if (room == 0) break;
      const Field values[] = {node, position, room};
      std::ranges::move(
          select(connection, *dialect_, "WHERE s.node = ? AND s.position > ? ORDER BY s.position LIMIT ?",
                 values, &position),
          std::back_inserter(all));
    }
    return all;
  });
  if (rows) cursor = write_cursor(positions);
  return rows;
}

Result<std::vector<Fingerprint>> SqlStorage::blocked_keys(const Fingerprint& after, std::uint32_t limit) {
  return read([&](soci::session& session) {
    const std::string first = to_hex(after);
    std::string hash;
    soci::statement statement =
        (session.prepare << "SELECT hash FROM blocked_key WHERE hash > :first ORDER BY hash LIMIT " << limit,
         soci::use(first), soci::into(hash));
    statement.execute();
    std::vector<Fingerprint> hashes;
    while (statement.fetch()) hashes.push_back(fingerprint(hash));
    return hashes;
  });
}

Result<std::vector<ExpiryChange>> SqlStorage::expiries() {
  return read([&](soci::session& session) {
    long long day = 0, amount = 0;
    soci::statement statement =
        (session.prepare
             << "SELECT expiry_day, SUM(amount) FROM expiry GROUP BY expiry_day ORDER BY expiry_day",
         soci::into(day), soci::into(amount));
    statement.execute();
    std::vector<ExpiryChange> days;
    while (statement.fetch()) days.push_back({day, amount});
    return days;
  });
}

Result<WriterState> SqlStorage::writer(std::string_view node) {
  return read([&](soci::session& session) {
    const std::string name(node);
    WriterState state;
    long long count = 0;
    std::string token;
    session << "SELECT number, token FROM writer WHERE node = :node", soci::use(name), soci::into(count),
        soci::into(token);
    if (session.got_data()) {
      state.number = static_cast<std::uint64_t>(count);
      if (const auto octets = from_hex(token); octets && octets->size() == state.token.size())
        std::ranges::copy(*octets, state.token.begin());
    }
    long long sequence = 0, at = 0;
    std::string hash;
    session
        << "SELECT sequence, written_at, hash FROM audit WHERE node = :node ORDER BY sequence DESC LIMIT 1",
        soci::use(name), soci::into(sequence), soci::into(at), soci::into(hash);
    if (session.got_data()) {
      state.audit_sequence = static_cast<std::uint64_t>(sequence);
      state.audit_at = from_milliseconds(at);
      state.audit_hash = fingerprint(hash);
    }
    return state;
  });
}

Result<std::vector<std::string>> SqlStorage::audit_nodes() {
  return read([&](soci::session& session) {
    return texts(session, "SELECT DISTINCT node FROM audit ORDER BY node");
  });
}

Result<std::vector<AuditPage>> SqlStorage::audit(std::string_view node, std::uint64_t after,
                                                 std::uint32_t limit) {
  return read([&](soci::session& session) {
    const std::string name(node);
    long long sequence = 0, at = 0;
    std::string lines, previous, hash;
    soci::statement statement =
        (session.prepare << "SELECT sequence, written_at, \"lines\", previous, hash FROM "
                            "audit WHERE node = :node AND sequence > "
                         << after << " ORDER BY sequence LIMIT " << limit,
         soci::use(name), soci::into(sequence), soci::into(at), soci::into(lines), soci::into(previous),
         soci::into(hash));
    statement.execute();
    std::vector<AuditPage> pages;
    while (statement.fetch())
      pages.push_back({static_cast<std::uint64_t>(sequence), from_milliseconds(at), lines,
                       fingerprint(previous), fingerprint(hash)});
    return pages;
  });
}

}  // namespace hanaper::sql
