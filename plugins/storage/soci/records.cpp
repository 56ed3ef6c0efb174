// Documents and leases.
#include "sql_storage.hpp"

#include <functional>

namespace hanaper::sql {

namespace {

// Keys and index values are at most 200 octets of printable ASCII; what is not, no document has. Databases
// would rather refuse to compare it.
bool is_key(std::string_view text) {
  return text.size() <= 200 && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

struct StoredRecord {
  std::string item, data;
  long long version = 0, expires = 0;
  soci::indicator has_expires = soci::i_null;

  Record value() const {
    Record record{item, static_cast<std::uint64_t>(version), {}, {}, data};
    if (has_expires == soci::i_ok) record.expires = from_milliseconds(expires);
    return record;
  }
};

// A select with its text parameters, and the variables that its rows go to.
template <class... Into>
void select(soci::session& session, const std::string& sql, std::vector<std::string> parameters,
            const std::function<void()>& row, Into&&... into) {
  soci::statement statement(session);
  (statement.exchange(into), ...);
  for (std::string& parameter : parameters) statement.exchange(soci::use(parameter));
  statement.alloc();
  statement.prepare(sql, soci::details::st_one_time_query);
  statement.define_and_bind();
  statement.execute();
  while (statement.fetch()) row();
}

// The documents that `from` names, a table expression `r` with its condition and order, and their indexes.
std::vector<Record> select_records(soci::session& session, const std::string& from,
                                   const std::string& order_and_limit,
                                   const std::vector<std::string>& parameters) {
  std::vector<Record> records;
  StoredRecord stored;
  select(
      session, "SELECT r.item, r.version, r.expires, r.data FROM " + from + order_and_limit, parameters,
      [&] { records.push_back(stored.value()); }, soci::into(stored.item), soci::into(stored.version),
      soci::into(stored.expires, stored.has_expires), soci::into(stored.data));
  if (records.empty()) return records;
  std::string item;
  RecordIndex index;
  auto record = records.begin();
  select(
      session,
      "SELECT x.item, x.field, x.value FROM (SELECT r.collection, r.item FROM " + from + order_and_limit +
          ") r JOIN record_index x ON x.collection = r.collection AND x.item = r.item "
          "ORDER BY x.item, x.field, x.value",
      parameters,
      [&] {
        while (record != records.end() && record->key < item) ++record;
        if (record != records.end() && record->key == item) record->indexes.push_back(index);
      },
      soci::into(item), soci::into(index.field), soci::into(index.value));
  return records;
}

}  // namespace

Result<Record> SqlStorage::get(std::string_view collection, std::string_view key) {
  std::vector<Record> found;
  if (is_key(key)) {
    HANAPER_TRY(found, read([&](soci::session& session) {
                  return select_records(session, "record r WHERE r.collection = :p0 AND r.item = :p1", "",
                                        {std::string(collection), std::string(key)});
                }));
  }
  if (found.empty() || (found.front().expires && *found.front().expires <= host_.clock().now()))
    return not_found("no " + std::string(collection) + " \"" + std::string(key.substr(0, 200)) + "\"");
  return std::move(found.front());
}

Result<std::vector<Record>> SqlStorage::find(std::string_view collection, std::string_view field,
                                             std::string_view value, std::string_view after,
                                             std::uint32_t limit) {
  if (!is_key(value) || !is_key(after)) return std::vector<Record>{};
  const std::string now = std::to_string(milliseconds(host_.clock().now()));
  const std::string rest = " AND (r.expires IS NULL OR r.expires > " + now + ") ORDER BY " +
                           // By the index's own column: by r.item SQLite walks the whole collection.
                           (field.empty() ? "r" : "i") + ".item LIMIT " +
                           std::to_string(std::min<std::uint32_t>(limit, 1000));
  std::string from = "record r WHERE r.collection = :p0 AND r.item > :p1";
  std::vector<std::string> parameters = {std::string(collection), std::string(after)};
  if (!field.empty()) {
    from =
        "record r JOIN record_index i ON i.collection = r.collection AND i.item = r.item "
        "WHERE i.collection = :p0 AND i.item > :p1 AND i.field = :p2 AND i.value = :p3";
    parameters.insert(parameters.end(), {std::string(field), std::string(value)});
  }
  return read([&](soci::session& session) { return select_records(session, from, rest, parameters); });
}

Result<std::uint64_t> SqlStorage::acquire(std::string_view name, std::string_view holder,
                                          std::chrono::milliseconds ttl) {
  const long long now = milliseconds(host_.clock().now()), until = now + ttl.count();
  const std::string lease(name), owner(holder);
  return write([&](soci::session& session) -> Result<std::uint64_t> {
    long long epoch = 0, expires = 0;
    std::string current;
    session << "SELECT holder, epoch, expires FROM lease WHERE name = :name", soci::use(lease),
        soci::into(current), soci::into(epoch), soci::into(expires);
    if (!session.got_data()) {
      session
          << "INSERT INTO lease (name, holder, epoch, expires, writes) VALUES (:name, :holder, 1, :until, 0)",
          soci::use(lease), soci::use(owner), soci::use(until);
      return 1;
    }
    if (current != owner && expires > now) return conflict("lease " + lease + " is held by " + current);
    const long long next = epoch + (current == owner ? 0 : 1);
    soci::statement update =
        (session.prepare << "UPDATE lease SET holder = :holder, epoch = :next, expires = :until "
                            "WHERE name = :name AND epoch = :epoch AND holder = :current",
         soci::use(owner), soci::use(next), soci::use(until), soci::use(lease), soci::use(epoch),
         soci::use(current));
    update.execute(true);
    if (update.get_affected_rows() != 1) return conflict("lease " + lease + " was just taken");
    return static_cast<std::uint64_t>(next);
  });
}

Status SqlStorage::release(std::string_view name, std::string_view holder) {
  const std::string lease(name), owner(holder);
  return write([&](soci::session& session) -> Status {
    session << "UPDATE lease SET expires = 0 WHERE name = :name AND holder = :holder", soci::use(lease),
        soci::use(owner);
    return {};
  });
}

}  // namespace hanaper::sql
