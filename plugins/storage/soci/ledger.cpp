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

// A certificate with what has become of it. SOCI fills the fields of one object again and again.
struct Wide {
  long long authority = 0, not_before = 0, not_after = 0, shard = 0;
  long long position = 0, signed_at = 0, reason = 0, revoked_at = 0, invalid_at = 0;
  std::string serial, profile, requester, tbs, octets;
  soci::indicator has_position = soci::i_null, has_signature = soci::i_null, has_signed_at = soci::i_null;
  soci::indicator has_reason = soci::i_null, has_revoked_at = soci::i_null, has_invalid_at = soci::i_null;

  static constexpr std::string_view columns =
      "SELECT c.authority, c.serial, c.profile, c.requester, c.not_before, c.not_after, c.shard, c.tbs, "
      "s.position, s.octets, s.signed_at, r.reason, r.revoked_at, r.invalid_at FROM certificate c "
      "LEFT JOIN signature s ON s.authority = c.authority AND s.serial = c.serial "
      "LEFT JOIN revocation r ON r.authority = c.authority AND r.shard = c.shard AND r.serial = c.serial ";

  void bind(soci::statement& statement) {
    statement.exchange(soci::into(authority));
    for (std::string* text : {&serial, &profile, &requester}) statement.exchange(soci::into(*text));
    for (long long* integer : {&not_before, &not_after, &shard}) statement.exchange(soci::into(*integer));
    statement.exchange(soci::into(tbs));
    statement.exchange(soci::into(position, has_position));
    statement.exchange(soci::into(octets, has_signature));
    statement.exchange(soci::into(signed_at, has_signed_at));
    statement.exchange(soci::into(reason, has_reason));
    statement.exchange(soci::into(revoked_at, has_revoked_at));
    statement.exchange(soci::into(invalid_at, has_invalid_at));
  }

  CertificateRow value(const Dialect& dialect) const {
    CertificateRow row;
    row.authority = static_cast<AuthorityId>(authority);
    row.serial = serial_of(serial);
    row.profile = profile;
    row.requester = requester;
    row.not_before = from_milliseconds(not_before);
    row.not_after = from_milliseconds(not_after);
    row.shard = static_cast<std::uint32_t>(shard);
    row.tbs = dialect.decode(tbs);
    if (has_signature == soci::i_ok) row.signature = dialect.decode(octets);
    if (has_signed_at == soci::i_ok) row.issued_at = from_milliseconds(signed_at);
    if (has_reason != soci::i_ok) return row;
    row.released = static_cast<RevocationReason>(reason) == RevocationReason::remove_from_crl;
    if (row.released) return row;
    row.revoked = static_cast<RevocationReason>(reason);
    row.revoked_at = from_milliseconds(revoked_at);
    if (has_invalid_at == soci::i_ok) row.invalidity = from_milliseconds(invalid_at);
    return row;
  }
};

// Runs the wide select with `rest` behind it and text parameters :p0, :p1, ...; `last` sees the position of
// the last row's signature.
std::vector<CertificateRow> select(soci::session& session, const Dialect& dialect, const std::string& rest,
                                   std::vector<std::string> parameters, long long* last = nullptr) {
  Wide row;
  soci::statement statement(session);
  row.bind(statement);
  for (std::string& parameter : parameters) statement.exchange(soci::use(parameter));
  statement.alloc();
  statement.prepare(std::string(Wide::columns) + rest, soci::details::st_one_time_query);
  statement.define_and_bind();
  statement.execute();
  std::vector<CertificateRow> rows;
  while (statement.fetch()) {
    rows.push_back(row.value(dialect));
    if (last != nullptr) *last = row.position;
  }
  return rows;
}

std::string number(std::int64_t value) { return std::to_string(value); }

}  // namespace

Result<std::vector<AuthorityRow>> SqlStorage::authorities() {
  return read([&](soci::session& session) {
    long long id = 0, generation = 0;
    std::string name, key, certificate, chain;
    soci::statement statement =
        (session.prepare
             << "SELECT id, name, generation, key_ref, certificate, chain FROM authority ORDER BY id",
         soci::into(id), soci::into(name), soci::into(generation), soci::into(key), soci::into(certificate),
         soci::into(chain));
    statement.execute();
    std::vector<AuthorityRow> rows;
    while (statement.fetch())
      rows.push_back({static_cast<AuthorityId>(id), name, static_cast<std::uint32_t>(generation), key,
                      dialect_->decode(certificate), dialect_->decode(chain)});
    return rows;
  });
}

Result<CertificateRow> SqlStorage::certificate(AuthorityId authority, const Serial& serial) {
  HANAPER_TRY(std::vector<CertificateRow> rows, read([&](soci::session& session) {
                return select(session, *dialect_,
                              "WHERE c.authority = " + number(authority) + " AND c.serial = :p0",
                              {serial.hex()});
              }));
  if (rows.empty()) return not_found("no certificate with serial number " + serial.hex());
  return std::move(rows.front());
}

Result<std::vector<CertificateRow>> SqlStorage::search(const CertificateQuery& query) {
  std::string rest;
  std::vector<std::string> parameters;
  const auto parameter = [&](std::string value) {
    parameters.push_back(std::move(value));
    return ":p" + std::to_string(parameters.size() - 1);
  };
  if (!query.name.empty()) {
    const std::string first = parameter(query.name);
    rest += "JOIN (SELECT DISTINCT authority, serial FROM certificate_name WHERE ";
    rest += query.name_is_prefix ? "name >= " + first + " AND name < " + parameter(query.name + "~")
                                 : "name = " + first;
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
            " OR (c.authority = " + authority + " AND c.serial > " + parameter(query.after->serial.hex()) +
            "))";
  }
  rest += " ORDER BY c.not_after, c.authority, c.serial LIMIT " +
          number(std::min<std::uint32_t>(query.limit, 1000));
  return read([&](soci::session& session) { return select(session, *dialect_, rest, parameters); });
}

Result<std::vector<CertificateRow>> SqlStorage::issued_since(std::string& cursor, std::uint32_t limit) {
  Positions positions;
  auto rows = read([&](soci::session& session) {
    positions = read_cursor(cursor);
    for (const std::string& node : texts(session, "SELECT node FROM writer ORDER BY node"))
      positions.try_emplace(node, 0);
    std::vector<CertificateRow> all;
    for (auto& [node, position] : positions) {
      const std::size_t room = std::min<std::size_t>(limit, 10'000) - all.size();
      if (room == 0) break;
      const std::string rest = "WHERE s.node = :p0 AND s.position > " + number(position) +
                               " ORDER BY s.position LIMIT " + std::to_string(room);
      std::ranges::move(select(session, *dialect_, rest, {node}, &position), std::back_inserter(all));
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
    session << "SELECT number FROM writer WHERE node = :node", soci::use(name), soci::into(count);
    if (session.got_data()) state.number = static_cast<std::uint64_t>(count);
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
