// Documents and leases.
#include "sql_storage.hpp"

namespace hanaper::sql {

Record SqlStorage::record_of(soci::session& session, std::string_view collection, std::string item,
                             long long version, std::optional<Time> expires, std::string data) {
  Record record{std::move(item), static_cast<std::uint64_t>(version), expires, {}, std::move(data)};
  const std::string name(collection);
  RecordIndex index;
  soci::statement statement =
      (session.prepare << "SELECT field, value FROM record_index WHERE collection = :collection AND item = "
                          ":item ORDER BY field, value",
       soci::use(name), soci::use(record.key), soci::into(index.field), soci::into(index.value));
  statement.execute();
  while (statement.fetch()) record.indexes.push_back(index);
  return record;
}

namespace {

struct StoredRecord {
  std::string item, data;
  long long version = 0, expires = 0;
  soci::indicator has_expires = soci::i_null;

  std::optional<Time> expiry() const {
    return has_expires == soci::i_ok ? std::optional(from_milliseconds(expires)) : std::nullopt;
  }
};

}  // namespace

Result<Record> SqlStorage::get(std::string_view collection, std::string_view key) {
  HANAPER_TRY(
      std::optional<Record> found, read([&](soci::session& session) -> std::optional<Record> {
        const std::string name(collection), item(key);
        StoredRecord row;
        session
            << "SELECT version, expires, data FROM record WHERE collection = :collection AND item = :item",
            soci::use(name), soci::use(item), soci::into(row.version),
            soci::into(row.expires, row.has_expires), soci::into(row.data);
        if (!session.got_data()) return std::nullopt;
        if (row.expiry() && *row.expiry() <= host_.clock().now()) return std::nullopt;
        return record_of(session, collection, item, row.version, row.expiry(), std::move(row.data));
      }));
  if (!found)
    return not_found("no " + std::string(collection) + " \"" + std::string(key.substr(0, 200)) + "\"");
  return *std::move(found);
}

Result<std::vector<Record>> SqlStorage::find(std::string_view collection, std::string_view field,
                                             std::string_view value, std::string_view after,
                                             std::uint32_t limit) {
  return read([&](soci::session& session) {
    const std::string name(collection), field_name(field), wanted(value), first(after);
    const std::string now = std::to_string(milliseconds(host_.clock().now()));
    const std::string rest = " AND (r.expires IS NULL OR r.expires > " + now + ") ORDER BY r.item LIMIT " +
                             std::to_string(std::min<std::uint32_t>(limit, 1000));
    const std::string columns = "SELECT r.item, r.version, r.expires, r.data FROM record r ";
    StoredRecord row;
    soci::statement statement(session);
    statement.exchange(soci::into(row.item));
    statement.exchange(soci::into(row.version));
    statement.exchange(soci::into(row.expires, row.has_expires));
    statement.exchange(soci::into(row.data));
    statement.exchange(soci::use(name));
    if (!field.empty()) {
      statement.exchange(soci::use(field_name));
      statement.exchange(soci::use(wanted));
    }
    statement.exchange(soci::use(first));
    statement.alloc();
    statement.prepare(field.empty()
                          ? columns + "WHERE r.collection = :collection AND r.item > :first" + rest
                          : columns +
                                "JOIN record_index i ON i.collection = r.collection AND i.item = r.item "
                                "WHERE i.collection = :collection AND i.field = :field AND i.value = :value "
                                "AND i.item > :first" +
                                rest);
    statement.define_and_bind();
    statement.execute();
    std::vector<StoredRecord> rows;
    while (statement.fetch()) rows.push_back(row);
    std::vector<Record> records;
    for (StoredRecord& stored : rows)
      records.push_back(record_of(session, collection, stored.item, stored.version, stored.expiry(),
                                  std::move(stored.data)));
    return records;
  });
}

Result<std::uint64_t> SqlStorage::acquire(std::string_view name, std::string_view holder,
                                          std::chrono::milliseconds ttl) {
  const std::int64_t now = milliseconds(host_.clock().now());
  const std::string lease(name), owner(holder);
  std::string what;
  try {
    const auto connection = dialect_->connect(true);
    soci::session& session = connection->session();
    connection->begin();
    long long epoch = 0, expires = 0;
    std::string current;
    session << "SELECT holder, epoch, expires FROM lease WHERE name = :name", soci::use(lease),
        soci::into(current), soci::into(epoch), soci::into(expires);
    const bool exists = session.got_data();
    if (exists && current != owner && expires > now) {
      connection->rollback();
      return conflict("lease " + lease + " is held by " + current);
    }
    const long long until = now + ttl.count();
    const long long next = exists ? epoch + (current == owner ? 0 : 1) : 1;
    if (exists) {
      soci::statement update =
          (session.prepare << "UPDATE lease SET holder = :holder, epoch = :next, expires = :until "
                              "WHERE name = :name AND epoch = :epoch AND holder = :current",
           soci::use(owner), soci::use(next), soci::use(until), soci::use(lease), soci::use(epoch),
           soci::use(current));
      update.execute(true);
      if (update.get_affected_rows() != 1) {
        connection->rollback();
        return conflict("lease " + lease + " was just taken");
      }
    } else {
      session << "INSERT INTO lease (name, holder, epoch, expires) VALUES (:name, :holder, :next, :until)",
          soci::use(lease), soci::use(owner), soci::use(next), soci::use(until);
    }
    connection->commit();
    return static_cast<std::uint64_t>(next);
  } catch (const Failure& failure) {
    what = failure.what;
  } catch (const soci::soci_error&) {
    const Failure failure = dialect_->classify();
    if (failure.kind == Failure::Kind::duplicate) return conflict("lease " + lease + " was just taken");
    what = failure.what;
  }
  return unavailable(dialect_->place() + ": " + what);
}

Status SqlStorage::release(std::string_view name, std::string_view holder) {
  const std::string lease(name), owner(holder);
  std::string what;
  try {
    const auto connection = dialect_->connect(true);
    connection->begin();
    connection->session() << "UPDATE lease SET expires = 0 WHERE name = :name AND holder = :holder",
        soci::use(lease), soci::use(owner);
    connection->commit();
    return {};
  } catch (const Failure& failure) {
    what = failure.what;
  } catch (const soci::soci_error&) {
    what = dialect_->classify().what;
  }
  return unavailable(dialect_->place() + ": " + what);
}

}  // namespace hanaper::sql
