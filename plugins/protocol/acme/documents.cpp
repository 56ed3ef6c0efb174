// The rules of the states, and the records.
#include "documents.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr auto grace = std::chrono::days{30};        // how long what is dead can still be looked at
constexpr auto grace_unused = std::chrono::days{1};  // the same, where nobody has begun with it
constexpr std::size_t history_limit = 60;
constexpr std::size_t event_limit = 400;

}  // namespace

void add_event(History& history, Time at, std::string text) {
  if (text.size() > event_limit) text.resize(event_limit);
  if (history.size() >= history_limit) history.erase(history.begin() + 1);
  history.push_back({at, std::move(text)});
}

bool Authorization::covers(const Identifier& name) const {
  if (name.kind != identifier.kind) return false;
  const bool star = is_wildcard(name);
  const std::string_view plain = std::string_view(name.value).substr(star ? 2 : 0);
  // RFC 9444 4: for the ancestor itself, and for every name below.
  if (subdomains) {
    if (plain == identifier.value) return true;
    return identifier.kind == Identifier::Kind::dns && plain.size() > identifier.value.size() &&
           plain.ends_with(identifier.value) && plain[plain.size() - identifier.value.size() - 1] == '.';
  }
  return plain == identifier.value && star == wildcard;
}

Challenge* Authorization::find(std::string_view type) {
  const auto found = std::ranges::find(challenges, type, &Challenge::type);
  return found == challenges.end() ? nullptr : &*found;
}

Challenge* Authorization::under_way() {
  const auto found = std::ranges::find(challenges, "processing", &Challenge::status);
  return found == challenges.end() ? nullptr : &*found;
}

const Challenge* Authorization::under_way() const {
  const auto found = std::ranges::find(challenges, "processing", &Challenge::status);
  return found == challenges.end() ? nullptr : &*found;
}

void Authorization::settle(Time now) {
  if (expires <= now && (status == "valid" || status == "pending")) status = "expired";
}

ValidityPeriod Order::AutoRenewal::first(Time due) const {
  // "the ACME server MUST NOT set the notBefore of the first STAR certificate to a date prior to the
  // auto-renewal start-date"
  return {std::max<Time>(start, due - adjust), later(due).not_after};
}

ValidityPeriod Order::AutoRenewal::later(Time due) const {
  return {due - adjust, std::min<Time>(due + lifetime, end)};
}

void Order::settle(Time now, const std::vector<Authorization>& of) {
  if (status != "pending") return;
  const auto all = [&](std::initializer_list<std::string_view> wanted) {
    return std::ranges::all_of(of, [&](const Authorization& each) {
      return std::ranges::find(wanted, each.status) != wanted.end();
    });
  };
  if (expires <= now || !all({"pending", "valid"}))
    status = "invalid";
  else if (all({"valid"}))
    status = "ready";
}

bool is_wildcard(const Identifier& identifier) {
  return identifier.kind == Identifier::Kind::dns && identifier.value.starts_with("*.");
}

Identifier without_wildcard(Identifier identifier) {
  if (is_wildcard(identifier)) identifier.value.erase(0, 2);
  return identifier;
}

json::Value identifier_json(const Identifier& identifier) {
  return json::Object{{"type", to_string(identifier.kind)}, {"value", identifier.value}};
}

std::string index_of(std::string_view account, const Identifier& identifier) {
  const Fingerprint whole =
      crypto::sha256({as_bytes(account), as_bytes("/"), as_bytes(to_string(identifier.kind)), as_bytes("/"),
                      as_bytes(identifier.value)});
  return base64::encode_url(ByteView(whole).first(18));
}

namespace {

RecordWrite record(std::string key, std::uint64_t version, std::optional<Time> expires, std::string data) {
  return {.collection = {},
          .key = std::move(key),
          .expected = version,
          .erase = false,
          .expires = expires,
          .indexes = {},
          .data = std::move(data)};
}

}  // namespace

std::string certificate_name(const CertificateId& id) {
  return std::to_string(id.authority) + "." + id.serial.hex();
}

RecordWrite record_of(const Account& account) {
  return record(account.id, account.version, account.expires, write_document(account));
}

RecordWrite key_record_of(const Account& account, std::uint64_t version) {
  return record(account.thumbprint, version, account.expires, account.id);
}

RecordWrite record_of(const Authorization& authorization) {
  const bool is_pending = authorization.status == "pending";
  const bool open = is_pending && authorization.under_way() != nullptr;
  RecordWrite write = record(authorization.id, authorization.version,
                             authorization.expires + (is_pending && !open ? grace_unused : grace),
                             write_document(authorization));
  if (is_pending || authorization.status == "valid")
    write.indexes.push_back({"name", index_of(authorization.account, authorization.identifier)});
  // What a restart, or another node, must go on with.
  if (open) write.indexes.push_back({"open", "validating"});
  // How many an account has.
  if (is_pending) write.indexes.push_back({"pending", authorization.account});
  return write;
}

RecordWrite record_of(const Order& order) {
  RecordWrite write = record(order.id, order.version, order.keep_until.value_or(order.expires + grace),
                             write_document(order));
  write.indexes.push_back({"account", order.account});
  if (order.status == "processing") write.indexes.push_back({"open", "issuing"});
  if (order.renew && order.status == "valid" && order.renew->next < order.renew->end)
    write.indexes.push_back({"open", "renewing"});
  return write;
}

RecordWrite record_of(const ExternalKey& key) { return record(key.id, key.version, {}, write_document(key)); }

}  // namespace hanaper::acme
