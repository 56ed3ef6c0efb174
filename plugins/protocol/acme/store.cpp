#include "store.hpp"

namespace hanaper::acme {
namespace {

constexpr int patience = 20;                  // how often somebody may come between
constexpr std::uint32_t same_name_page = 50;  // authorizations of one name
constexpr std::uint32_t pending_page = 500;

Result<Record> read(Collection& collection, std::string_view id) {
  // Names come from URLs: what cannot be a key is not looked up.
  if (id.empty() || id.size() > 64) return not_found("no such document");
  return collection.get(id);
}

}  // namespace

Result<Account> Store::account(std::string_view id) {
  HANAPER_TRY(const Record record, read(accounts, id));
  return read_account(record);
}

Result<Authorization> Store::authorization(std::string_view id) {
  HANAPER_TRY(const Record record, read(authorizations, id));
  HANAPER_TRY(Authorization one, read_authorization(record));
  one.settle(host_.clock().now());
  return one;
}

Result<Order> Store::order(std::string_view id) {
  HANAPER_TRY(const Record record, read(orders, id));
  return read_order(record);
}

Result<ExternalKey> Store::external_key(std::string_view id) {
  HANAPER_TRY(const Record record, read(external_keys, id));
  return read_external_key(record);
}

RecordWrite Store::write_star(const Issued& issued, const std::string& order) const {
  RecordWrite write;
  write.key = certificate_name({issued.authority, issued.serial});
  write.data = order;
  write.expires = issued.not_after + std::chrono::days{30};
  return stars.bind(std::move(write));
}

Result<std::vector<Authorization>> Store::authorizations_of(const Order& order) {
  std::vector<Authorization> list;
  for (const std::string& id : order.authorizations) {
    auto one = authorization(id);
    if (!one && one.error().code != Code::not_found) return std::move(one).error();
    if (!one) {
      one = Authorization{};
      one->id = id;
      one->status = "expired";
    }
    list.push_back(*std::move(one));
  }
  return list;
}

Result<std::vector<Authorization>> Store::authorizations_for(std::string_view account,
                                                             const Identifier& identifier) {
  HANAPER_TRY(const std::vector<Record> records,
              authorizations.find("name", index_of(account, identifier), {}, same_name_page));
  std::vector<Authorization> list;
  for (const Record& record : records) {
    HANAPER_TRY(Authorization one, read_authorization(record));
    one.settle(host_.clock().now());
    if (one.account == account && one.identifier == identifier) list.push_back(std::move(one));
  }
  return list;
}

Result<Store::Pending> Store::pending_of(std::string_view account, std::size_t enough) {
  Pending pending;
  for (std::string after;;) {
    HANAPER_TRY(const std::vector<Record> records,
                authorizations.find("pending", account, after, pending_page));
    for (const Record& record : records) {
      HANAPER_TRY(Authorization one, read_authorization(record));
      one.settle(host_.clock().now());
      if (one.status != "pending") continue;
      pending.first_end = std::min(pending.first_end.value_or(one.expires), one.expires);
      if (++pending.count == enough) return pending;
    }
    if (records.size() < pending_page) return pending;
    after = records.back().key;
  }
}

// Both its documents, or neither.
Status Store::keep_account(const std::string& id, std::optional<Time> until, Call& call) {
  for (int attempt = 0; attempt < patience; ++attempt) {
    HANAPER_TRY(Account one, account(id));
    if (!one.expires || (until && *one.expires >= *until)) return {};
    const auto key = keys.get(one.thumbprint);
    if (!key && key.error().code == Code::not_found) continue;  // it is being changed
    if (!key) return key.error();
    one.expires = until;
    Status stored = commit({write(one), write_key(one, key->version)}, call);
    if (stored || stored.error().code != Code::conflict) return stored;
  }
  return unavailable("the account is changed by many at once");
}

Result<Authorization> Store::change(Authorization one, const std::function<bool(Authorization&)>& change,
                                    Call& call) {
  const std::string id = one.id;
  for (int attempt = 0; attempt < patience; ++attempt) {
    if (attempt > 0) {
      HANAPER_TRY(one, authorization(id));
    }
    one.settle(host_.clock().now());
    if (!change(one)) return one;
    const Status stored = commit({write(one)}, call);
    ++one.version;
    if (stored) return one;
    if (stored.error().code != Code::conflict) return stored.error();
  }
  return unavailable("the authorization is changed by many at once");
}

Result<Order> Store::change_order(std::string_view id, const std::function<bool(Order&)>& change,
                                  Call& call) {
  for (int attempt = 0; attempt < patience; ++attempt) {
    HANAPER_TRY(Order one, order(id));
    if (!change(one)) return one;
    const Status stored = commit({write(one)}, call);
    ++one.version;
    if (stored) return one;
    if (stored.error().code != Code::conflict) return stored.error();
  }
  return unavailable("the order is changed by many at once");
}

}  // namespace hanaper::acme
