// Documents and leases.
#include "sql_storage.hpp"

namespace hanaper::sql {

namespace {

// Keys and index values are at most 200 octets of printable ASCII; what is not, no document has. Databases
// would rather refuse to compare it.
bool is_key(std::string_view text) {
  return text.size() <= 200 && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// Documents, their columns and their indexes side by side, so that both are of one moment.
std::vector<Record> select_records(Connection& connection, const std::string& documents,
                                   std::initializer_list<Field> values) {
  std::vector<Record> records;
  connection.select(
      "SELECT d.item, d.version, d.expires, d.data, x.field, x.value FROM (" + documents +
          ") d LEFT JOIN record_index x ON x.collection = d.collection AND x.item = d.item "
          "ORDER BY d.item, x.field, x.value",
      std::span(values.begin(), values.size()), [&](const Cells& cells) {
        if (records.empty() || records.back().key != cells.text(0)) {
          Record& record = records.emplace_back();
          record.key = cells.text(0);
          record.version = static_cast<std::uint64_t>(cells.number(1));
          if (!cells.empty(2)) record.expires = from_milliseconds(cells.number(2));
          record.data = cells.text(3);
        }
        if (!cells.empty(4))
          records.back().indexes.push_back({std::string(cells.text(4)), std::string(cells.text(5))});
      });
  return records;
}

constexpr std::string_view columns =
    "SELECT r.collection, r.item, r.version, r.expires, r.data FROM record r ";

}  // namespace

Result<Record> SqlStorage::get(std::string_view collection, std::string_view key) {
  static const std::string one = std::string(columns) + "WHERE r.collection = ? AND r.item = ?";
  std::vector<Record> found;
  if (is_key(key)) {
    HANAPER_TRY(found, read([&](Connection& connection) {
                  return select_records(connection, one, {collection, key});
                }));
  }
  if (found.empty() || (found.front().expires && *found.front().expires <= host_.clock().now()))
    return not_found("no " + std::string(collection) + " \"" + std::string(key.substr(0, 200)) + "\"");
  return std::move(found.front());
}

Result<std::vector<Record>> SqlStorage::find(std::string_view collection, std::string_view field,
                                             std::string_view value, std::string_view after,
                                             std::uint32_t limit) {
  static const std::string alive = " AND (r.expires IS NULL OR r.expires > ?) ";
  static const std::string all =
      std::string(columns) + "WHERE r.collection = ? AND r.item > ?" + alive + "ORDER BY r.item LIMIT ?";
  // In the index's order: in that of the documents, SQLite would go through all of them.
  static const std::string some = std::string(columns) +
                                  "JOIN record_index i ON i.collection = r.collection AND i.item = r.item "
                                  "WHERE i.collection = ? AND i.item > ? AND i.field = ? AND i.value = ?" +
                                  alive + "ORDER BY i.item LIMIT ?";
  if (!is_key(value) || !is_key(after)) return std::vector<Record>{};
  const std::int64_t now = milliseconds(host_.clock().now());
  const std::int64_t most = std::min<std::uint32_t>(limit, 1000);
  return read([&](Connection& connection) {
    return field.empty() ? select_records(connection, all, {collection, after, now, most})
                         : select_records(connection, some, {collection, after, field, value, now, most});
  });
}

Result<std::vector<LeaseRow>> SqlStorage::all() {
  return read([&](soci::session& session) {
    std::string name, holder;
    long long epoch = 0, renewals = 0;
    soci::statement statement =
        (session.prepare << "SELECT name, holder, epoch, renewals FROM lease ORDER BY name", soci::into(name),
         soci::into(holder), soci::into(epoch), soci::into(renewals));
    statement.execute();
    std::vector<LeaseRow> rows;
    while (statement.fetch())
      rows.push_back({name, holder, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(renewals)});
    return rows;
  });
}

Result<std::uint64_t> SqlStorage::take(const LeaseRow& seen, std::string_view holder) {
  const std::string owner(holder);
  const auto epoch = static_cast<long long>(seen.epoch), renewals = static_cast<long long>(seen.renewals);
  return write([&](soci::session& session) -> Result<std::uint64_t> {
    const Error moved_on = conflict("lease " + seen.name + " has moved on");
    if (epoch == 0) {
      long long taken = 0;
      session << "SELECT epoch FROM lease WHERE name = :name", soci::use(seen.name), soci::into(taken);
      if (session.got_data()) return moved_on;
      session << "INSERT INTO lease (name, holder, epoch, renewals, writes) VALUES (:name, :holder, 1, 1, 0)",
          soci::use(seen.name), soci::use(owner);
      return 1;
    }
    soci::statement update =
        (session.prepare << "UPDATE lease SET holder = :holder, epoch = epoch + 1, renewals = renewals + 1 "
                            "WHERE name = :name AND epoch = :epoch AND renewals = :renewals",
         soci::use(owner), soci::use(seen.name), soci::use(epoch), soci::use(renewals));
    update.execute(true);
    if (update.get_affected_rows() != 1) return moved_on;
    return seen.epoch + 1;
  });
}

Status SqlStorage::renew(std::string_view holder) {
  const std::string owner(holder);
  return write([&](soci::session& session) -> Status {
    session << "UPDATE lease SET renewals = renewals + 1 WHERE holder = :holder", soci::use(owner);
    return {};
  });
}

Status SqlStorage::release(std::string_view name, std::string_view holder) {
  const std::string lease(name), owner(holder);
  return write([&](soci::session& session) -> Status {
    session << "UPDATE lease SET holder = '' WHERE name = :name AND holder = :holder", soci::use(lease),
        soci::use(owner);
    return {};
  });
}

}  // namespace hanaper::sql
