// What the operator asks: `hanaper acme ...`.
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <charconv>
#include <map>

namespace hanaper::acme {
namespace {

constexpr std::uint32_t sweep_page = 500;
constexpr std::size_t most_rows = 10'000;
constexpr auto default_spread = std::chrono::days{1};

// Words of the form "key=value".
class Words {
 public:
  explicit Words(const std::vector<std::string>& words) : words_(words) {}
  std::string text(std::string_view key) const {
    const auto all = texts(key);
    return all.empty() ? "" : all.back();
  }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> found;
    for (const std::string& word : words_)
      if (word.starts_with(std::string(key) + "=")) found.push_back(word.substr(key.size() + 1));
    return found;
  }
  Result<std::optional<std::int64_t>> number(std::string_view key) const {
    const std::string value = text(key);
    if (value.empty()) return std::optional<std::int64_t>{};
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || number < 1)
      return malformed(std::string(key) + ": \"" + value + "\" is no positive number");
    return std::optional(number);
  }

 private:
  const std::vector<std::string>& words_;
};

json::Array texts(const std::vector<std::string>& list) { return {list.begin(), list.end()}; }

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

Result<json::Value> Service::operate(std::string_view command, const std::vector<std::string>& words,
                                     Call& call) {
  if (command == "eab") return operate_external(words, call);
  if (command == "accounts") return list_accounts();
  if (command == "orders") return list_orders(words);
  if (command == "explain") return explain(words.empty() ? "" : words.front());
  if (command == "renew-early") return renew_early(words, call);
  return unsupported("there is no command \"" + std::string(command) + "\"");
}

Result<json::Value> Service::operate_external(const std::vector<std::string>& words, Call& call) {
  const Words given(words);
  const std::string verb = words.empty() ? "" : words.front();
  if (verb == "list")
    return list(store_.external_keys, "", "", "kid", "state",
                [&](const Record& record) -> Result<json::Value> {
                  HANAPER_TRY(const ExternalKey key, read_external_key(record));
                  return external_row(key);
                });
  if (verb == "revoke") {
    auto key = store_.external_key(given.text("kid"));
    if (!key && key.error().code == Code::not_found) return json::Value(json::Array{});  // another instance's
    if (!key) return key.error();
    key->revoked = true;
    HANAPER_CHECK(store_.commit({store_.write(*key)}, call));
    return json::Value(json::Array{external_row(*key)});
  }
  if (verb != "create") return unsupported("there is no command \"eab " + verb + "\"");
  ExternalKey key;
  key.owner = given.text("owner");
  if (key.owner.empty()) return malformed("owner: who the key is for is needed");
  key.profiles = given.texts("profile");
  const std::vector<std::string> known = issuer_.profiles();
  for (const std::string& profile : key.profiles)
    if (std::ranges::find(known, profile) == known.end())
      return malformed("profile: the pipeline has no profile \"" + profile + "\"");
  key.names = given.texts("name");
  for (const std::string& name : key.names)
    if (const auto range = x509::parse_subtree(name); !range)
      return malformed("name: " + range.error().detail);
  HANAPER_TRY(key.orders_left, given.number("quota"));
  HANAPER_TRY(const std::optional<std::int64_t> accounts, given.number("accounts"));
  key.accounts_left = accounts.value_or(1);
  key.created = host_.clock().now();
  if (const std::string within = given.text("within"); !within.empty()) {
    HANAPER_TRY(const std::chrono::milliseconds time, parse_duration(within));
    key.expires = key.created + time;
  }
  key.id = crypto::random_name(12);
  // Both are words of clients' command lines.
  HANAPER_TRY(key.secret, base64::decode_url(crypto::random_name(32)));
  HANAPER_CHECK(store_.commit({store_.write(key)}, call));
  json::Value row = external_row(key);
  row.object()->emplace_back("hmac", base64::encode_url(key.secret));
  row.object()->emplace_back("directory", url("/directory"));
  return json::Value(json::Array{std::move(row)});
}

Result<json::Value> Service::list_accounts() {
  return list(store_.accounts, "", "", "account", "status", [&](const Record& record) -> Result<json::Value> {
    HANAPER_TRY(const Account account, read_account(record));
    json::Object row{{"account", account.id},
                     {"status", account.status},
                     {"contact", texts(account.contact)},
                     {"created", time_text(account.created)},
                     {"thumbprint", account.thumbprint}};
    if (!account.external_key.empty()) {
      row.emplace_back("kid", account.external_key);
      if (const auto key = store_.external_key(account.external_key)) row.emplace_back("owner", key->owner);
    }
    return json::Value(std::move(row));
  });
}

Result<json::Value> Service::list_orders(const std::vector<std::string>& words) {
  const std::string account = Words(words).text("account");
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
  if (!order && order.error().code == Code::not_found) return json::Value(json::Array{});
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
  return json::Value(json::Array{json::Object{{"order", order->id},
                                              {"account", order->account},
                                              {"status", order->status},
                                              {"expires", time_text(order->expires)},
                                              {"authorizations", std::move(states)},
                                              {"events", std::move(events)}}});
}

// All certificates of a profile that exist now are to be renewed from now on, spread over some time.
Result<json::Value> Service::renew_early(const std::vector<std::string>& words, Call& call) {
  const Words given(words);
  const std::string profile = given.text("profile");
  const std::vector<std::string> known = issuer_.profiles();
  if (std::ranges::find(known, profile) == known.end()) return json::Value(json::Array{});
  std::chrono::milliseconds within = default_spread;
  if (const std::string text = given.text("within"); !text.empty()) {
    HANAPER_TRY(within, parse_duration(text));
  }
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
