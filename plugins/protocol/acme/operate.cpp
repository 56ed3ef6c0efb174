// What an operator can have done: `hanaper acme ...`.
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <map>

namespace hanaper::acme {
namespace {

constexpr std::uint32_t sweep_page = 500;
constexpr std::size_t most_rows = 10'000;

constexpr Parameter create_parameters[] = {
    {"owner", ParameterType::text, Parameter::required, {}, {}, "who the key is for"},
    {"profile",
     ParameterType::text,
     Parameter::repeats,
     {},
     {},
     "one of the pipeline's profiles; default all"},
    {"name",
     ParameterType::text,
     Parameter::repeats,
     {},
     {},
     "a domain, with all below, or an address range it is limited to"},
    {"quota",
     ParameterType::integer,
     0,
     {},
     "1..1000000000",
     "how many orders it is good for; default any number"},
    {"accounts", ParameterType::integer, 0, "1", "1..1000000000",
     "how many accounts may be bound to it; default 1"},
    {"within", ParameterType::duration, 0, {}, {}, "how long it may be used; default for ever"},
};
constexpr Parameter revoke_parameters[] = {
    {"kid", ParameterType::text, Parameter::required | Parameter::word, {}, {}, "as eab list shows it"},
};
constexpr Parameter orders_parameters[] = {
    {"account", ParameterType::text, 0, {}, {}, "only those of that account"},
};
constexpr Parameter explain_parameters[] = {
    {"order", ParameterType::text, Parameter::required | Parameter::word, {}, {}, "by its name or URL"},
};
constexpr Parameter renew_parameters[] = {
    {"profile", ParameterType::text, Parameter::required, {}, {}, "one of the pipeline's profiles"},
    {"within", ParameterType::duration, 0, "1d", {}, "over how long to spread; default 1d"},
};

constexpr Column external_columns[] = {
    {"kid"},
    {"owner"},
    {"state", ColumnType::text, true, {}, "open, used or revoked"},
    {"names", ColumnType::texts},
    {"profiles", ColumnType::texts},
    {"accounts_left", ColumnType::integer},
    {"orders_left", ColumnType::integer, true, {}, "absent: any number"},
    {"expires", ColumnType::time},
    {"created", ColumnType::time, false},
};
constexpr Column created_columns[] = {
    {"directory"},
    {"kid"},
    {"hmac", ColumnType::text, true, {}, "the key in base64url; it is shown this once"},
    {"owner", ColumnType::text, false},
    {"state", ColumnType::text, false},
    {"names", ColumnType::texts, false},
    {"profiles", ColumnType::texts, false},
    {"accounts_left", ColumnType::integer, false},
    {"orders_left", ColumnType::integer, false, {}, "absent: any number"},
    {"expires", ColumnType::time, false},
    {"created", ColumnType::time, false},
};
constexpr Column account_columns[] = {
    {"account"},
    {"status"},
    {"created", ColumnType::time},
    {"owner", ColumnType::text, true, {}, "of the external key"},
    {"contact", ColumnType::texts},
    {"expires", ColumnType::time, false, {}, "absent: it stays"},
    {"kid", ColumnType::text, false, {}, "of the external key"},
    {"thumbprint", ColumnType::text, false, {}, "of its key (RFC 7638)"},
};
constexpr Column order_columns[] = {
    {"order"},  {"status"}, {"account"}, {"expires", ColumnType::time}, {"names", ColumnType::texts},
    {"serial"},
};
constexpr Column authorization_columns[] = {
    {"name"},
    {"status"},
    {"expires", ColumnType::time},
    {"authorization", ColumnType::text, false},
};
constexpr Column event_columns[] = {
    {"at", ColumnType::time},
    {"about", ColumnType::text, true, {}, "order, or a name"},
    {"what"},
};
constexpr Column explain_columns[] = {
    {"order"},
    {"account"},
    {"status"},
    {"expires", ColumnType::time},
    {"authorizations", ColumnType::rows, true, authorization_columns},
    {"events", ColumnType::rows, true, event_columns},
};
constexpr Column renew_columns[] = {{"profile"}, {"from", ColumnType::time}, {"to", ColumnType::time}};

constexpr Operation operation_table[] = {
    {"eab create", "POST /external-keys", "make a key that an account can be bound to",
     Permission::system_operate, AnswerForm::one, create_parameters, created_columns, true},
    {"eab list",
     "GET /external-keys",
     "list the keys that accounts can be bound to",
     Permission::system_read,
     AnswerForm::list,
     {},
     external_columns},
    {"eab revoke", "DELETE /external-keys/{kid}",
     "have a key bind no more accounts, and its accounts get nothing", Permission::system_operate,
     AnswerForm::one, revoke_parameters, external_columns},
    {"accounts",
     "GET /accounts",
     "list accounts",
     Permission::system_read,
     AnswerForm::list,
     {},
     account_columns},
    {"orders", "GET /orders", "list orders", Permission::system_read, AnswerForm::list, orders_parameters,
     order_columns},
    {"explain", "GET /orders/{order}", "tell what happened to an order, attempt by attempt",
     Permission::system_read, AnswerForm::one, explain_parameters, explain_columns},
    {"renew-early", "POST /early-renewals", "have the certificates of a profile renewed from now on",
     Permission::system_operate, AnswerForm::list, renew_parameters, renew_columns},
};

json::Value external_row(const ExternalKey& key) {
  json::Object row{{"kid", key.id},
                   {"owner", key.owner},
                   {"profiles", texts(key.profiles)},
                   {"names", texts(key.names)},
                   {"accounts_left", key.accounts_left},
                   {"created", time_text(key.created)},
                   {"state", key.revoked             ? "revoked"
                             : key.accounts_left > 0 ? "open"
                                                     : "used"}};
  if (key.orders_left) row.emplace_back("orders_left", *key.orders_left);
  if (key.expires) row.emplace_back("expires", time_text(*key.expires));
  return row;
}

using Row = std::function<Result<json::Value>(const Record&)>;

// A row for each document of the index, up to a limit. One that cannot be read is a row as well: it hides no
// other.
Result<json::Value> list(Collection& collection, std::string_view field, std::string_view value,
                         std::string_view name, std::string_view state, const Row& row) {
  json::Array rows;
  for (std::string after;;) {
    HANAPER_TRY(const std::vector<Record> records, collection.find(field, value, after, sweep_page));
    for (const Record& record : records) {
      auto one = row(record);
      if (!one && one.error().code == Code::unavailable) return one;
      rows.push_back(
          one ? *std::move(one)
              : json::Value(json::Object{{std::string(name), record.key},
                                         {std::string(state), "cannot be read: " + one.error().detail}}));
      if (rows.size() == most_rows) return json::Value(std::move(rows));
    }
    if (records.size() < sweep_page) return json::Value(std::move(rows));
    after = records.back().key;
  }
}

}  // namespace

std::span<const Operation> operations() { return operation_table; }

Result<json::Value> Service::operate(std::string_view words, const Arguments& arguments, Call& call) {
  if (words == "eab create") return create_external(arguments, call);
  if (words == "eab list") return list_external();
  if (words == "eab revoke") return revoke_external(arguments, call);
  if (words == "accounts") return list_accounts();
  if (words == "orders") return list_orders(arguments);
  if (words == "explain") return explain(arguments.text("order"));
  if (words == "renew-early") return renew_early(arguments, call);
  return unsupported("there is no operation \"" + std::string(words) + "\"");
}

Result<json::Value> Service::list_external() {
  return list(store_.external_keys, "", "", "kid", "state", [&](const Record& record) -> Result<json::Value> {
    HANAPER_TRY(const ExternalKey key, read_external_key(record));
    return external_row(key);
  });
}

Result<json::Value> Service::revoke_external(const Arguments& arguments, Call& call) {
  const std::string& kid = arguments.text("kid");
  auto key = store_.external_key(kid);
  if (!key && key.error().code == Code::not_found) return not_found("no external key \"" + kid + "\"");
  if (!key) return key.error();
  key->revoked = true;
  HANAPER_CHECK(store_.commit({store_.write(*key)}, call));
  return external_row(*key);
}

Result<json::Value> Service::create_external(const Arguments& arguments, Call& call) {
  ExternalKey key;
  key.owner = arguments.text("owner");
  key.profiles = arguments.texts("profile");
  const std::vector<std::string> known = issuer_.profiles();
  for (const std::string& profile : key.profiles)
    if (std::ranges::find(known, profile) == known.end())
      return malformed("profile: the pipeline has no profile \"" + profile + "\"");
  key.names = arguments.texts("name");
  for (const std::string& name : key.names)
    if (const auto range = x509::parse_subtree(name); !range)
      return malformed("name: " + range.error().detail);
  if (arguments.has("quota")) key.orders_left = arguments.integer("quota");
  key.accounts_left = arguments.integer("accounts");
  key.created = host_.clock().now();
  if (arguments.has("within")) key.expires = key.created + arguments.duration("within");
  key.id = crypto::random_name(12);
  // Both are words of clients' command lines.
  HANAPER_TRY(key.secret, base64::decode_url(crypto::random_name(32)));
  HANAPER_CHECK(store_.commit({store_.write(key)}, call));
  json::Value row = external_row(key);
  row.object()->emplace_back("hmac", base64::encode_url(key.secret));
  row.object()->emplace_back("directory", url("/directory"));
  return row;
}

Result<json::Value> Service::list_accounts() {
  return list(store_.accounts, "", "", "account", "status", [&](const Record& record) -> Result<json::Value> {
    HANAPER_TRY(const Account account, read_account(record));
    json::Object row{{"account", account.id},
                     {"status", account.status},
                     {"contact", texts(account.contact)},
                     {"created", time_text(account.created)},
                     {"thumbprint", account.thumbprint}};
    if (account.expires) row.emplace_back("expires", time_text(*account.expires));
    if (!account.external_key.empty()) {
      row.emplace_back("kid", account.external_key);
      if (const auto key = store_.external_key(account.external_key)) row.emplace_back("owner", key->owner);
    }
    return json::Value(std::move(row));
  });
}

Result<json::Value> Service::list_orders(const Arguments& arguments) {
  const std::string& account = arguments.text("account");
  return list(store_.orders, account.empty() ? "" : "account", account, "order", "status",
              [&](const Record& record) -> Result<json::Value> {
                HANAPER_TRY(Order order, read_order(record));
                HANAPER_TRY(const auto authorizations, store_.authorizations_of(order));
                order.settle(host_.clock().now(), authorizations);
                json::Array names;
                for (const Identifier& name : order.identifiers) names.emplace_back(name.value);
                json::Object row{{"order", order.id},
                                 {"account", order.account},
                                 {"status", order.status},
                                 {"names", std::move(names)},
                                 {"expires", time_text(order.expires)}};
                if (order.certificate) row.emplace_back("serial", order.certificate->serial.hex());
                return json::Value(std::move(row));
              });
}

// Everything that happened to an order and its authorizations, in its order.
Result<json::Value> Service::explain(const std::string& id) {
  auto order = store_.order(id.substr(id.rfind('/') + 1));
  if (!order && order.error().code == Code::not_found) return not_found("no order \"" + id + "\"");
  if (!order) return order.error();
  HANAPER_TRY(const auto authorizations, store_.authorizations_of(*order));
  order->settle(host_.clock().now(), authorizations);
  std::multimap<Time, std::pair<std::string, std::string>> all;  // about, what
  for (const Event& event : order->history) all.emplace(event.at, std::pair("order", event.text));
  std::vector<std::string> seen;
  for (const Authorization& one : authorizations) {
    if (std::ranges::find(seen, one.id) != seen.end()) continue;
    seen.push_back(one.id);
    for (const Event& event : one.history)
      all.emplace(event.at, std::pair((one.wildcard ? "*." : "") + one.identifier.value, event.text));
  }
  json::Array events, states;
  for (const auto& [at, event] : all)
    events.emplace_back(
        json::Object{{"at", time_text_ms(at)}, {"about", event.first}, {"what", event.second}});
  for (const Authorization& one : authorizations)
    states.emplace_back(json::Object{{"authorization", one.id},
                                     {"name", (one.wildcard ? "*." : "") + one.identifier.value},
                                     {"status", one.status},
                                     {"expires", time_text(one.expires)}});
  return json::Value(json::Object{{"order", order->id},
                                  {"account", order->account},
                                  {"status", order->status},
                                  {"expires", time_text(order->expires)},
                                  {"authorizations", std::move(states)},
                                  {"events", std::move(events)}});
}

// All certificates of a profile that exist now are to be renewed from now on, spread over some time.
Result<json::Value> Service::renew_early(const Arguments& arguments, Call& call) {
  const std::string& profile = arguments.text("profile");
  const std::vector<std::string> known = issuer_.profiles();
  if (std::ranges::find(known, profile) == known.end())
    return not_found("no ACME service issues by the profile \"" + profile + "\"");
  const std::chrono::milliseconds within = arguments.duration("within");
  const Time from = host_.clock().now(), to = from + within;
  RecordWrite write;
  write.key = "renew-early";
  json::Array list;
  if (const auto record = store_.shared.get("renew-early")) {
    write.expected = record->version;
    for (const EarlyRenewal& early : early_renewals(call))
      if (early.profile != profile)
        list.emplace_back(json::Object{{"profile", early.profile},
                                       {"from", early.from.time_since_epoch().count()},
                                       {"to", early.to.time_since_epoch().count()}});
  }
  list.emplace_back(json::Object{{"profile", profile},
                                 {"from", from.time_since_epoch().count()},
                                 {"to", to.time_since_epoch().count()}});
  write.data = json::write(json::Value(std::move(list)));
  HANAPER_CHECK(store_.commit({store_.shared.bind(std::move(write))}, call));
  return json::Value(
      json::Array{json::Object{{"profile", profile}, {"from", time_text(from)}, {"to", time_text(to)}}});
}

}  // namespace hanaper::acme
