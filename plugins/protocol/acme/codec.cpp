// Documents as JSON and back.
#include "documents.hpp"

#include <hanaper/toolkit/base64.hpp>

namespace hanaper::acme {

json::Array texts(const std::vector<std::string>& list) { return {list.begin(), list.end()}; }

namespace {

constexpr json::Limits limits{1024 * 1024, 16, 100'000};

Error damaged(std::string_view what) {
  return internal("acme: a stored document is damaged: " + std::string(what));
}

json::Value number(Time time) { return time.time_since_epoch().count(); }
json::Value number(const std::optional<Time>& time) { return time ? number(*time) : json::Value(nullptr); }

std::optional<Time> time_at(const json::Value& object, std::string_view name) {
  const json::Value* value = object.find(name);
  if (value == nullptr || value->integer() == nullptr) return std::nullopt;
  return Time{std::chrono::milliseconds{*value->integer()}};
}
Time needed_time(const json::Value& object, std::string_view name) {
  return time_at(object, name).value_or(Time{});
}
json::Value value_at(const json::Value& object, std::string_view name) {
  const json::Value* value = object.find(name);
  return value ? *value : json::Value(nullptr);
}
const json::Array& array_at(const json::Value& object, std::string_view name) {
  static const json::Array none;
  const json::Value* value = object.find(name);
  return value && value->array() ? *value->array() : none;
}
Bytes bytes_at(const json::Value& object, std::string_view name) {
  return base64::decode_url(object.text_at(name)).value_or({});
}

json::Value history_json(const History& history) {
  json::Array events;
  for (const Event& event : history) events.emplace_back(json::Array{number(event.at), event.text});
  return events;
}
History read_history(const json::Value& document) {
  History history;
  for (const json::Value& item : array_at(document, "history")) {
    const json::Array* pair = item.array();
    if (pair && pair->size() == 2 && (*pair)[0].integer() && (*pair)[1].text())
      history.push_back({Time{std::chrono::milliseconds{*(*pair)[0].integer()}}, *(*pair)[1].text()});
  }
  return history;
}

Result<Identifier> read_identifier(const json::Value& value) {
  const std::string_view type = value.text_at("type");
  for (Identifier::Kind kind : identifier_kinds)
    if (to_string(kind) == type) return Identifier{kind, std::string(value.text_at("value"))};
  return damaged("identifier type");
}

}  // namespace

std::string write_document(const Account& account) {
  json::Object document{{"status", account.status},
                        {"spki", base64::encode_url(account.spki)},
                        {"thumbprint", account.thumbprint},
                        {"contact", texts(account.contact)},
                        {"terms_agreed", account.terms_agreed},
                        {"created", number(account.created)}};
  if (!account.external_key.empty()) {
    document.emplace_back("external_key", account.external_key);
    document.emplace_back("binding", account.binding);
  }
  return json::write(json::Value(std::move(document)));
}

Result<Account> read_account(const Record& record) {
  HANAPER_TRY(const json::Value document, json::parse(record.data, limits));
  Account account;
  account.id = record.key;
  account.version = record.version;
  account.expires = record.expires;
  account.status = document.text_at("status");
  account.spki = bytes_at(document, "spki");
  account.thumbprint = document.text_at("thumbprint");
  account.contact = document.texts_at("contact");
  account.terms_agreed = document.text_at("terms_agreed");
  account.created = needed_time(document, "created");
  account.external_key = document.text_at("external_key");
  account.binding = value_at(document, "binding");
  if (account.spki.empty() || account.status.empty()) return damaged("account without key or status");
  return account;
}

std::string write_document(const Authorization& authorization) {
  json::Array challenges;
  for (const Challenge& challenge : authorization.challenges)
    challenges.emplace_back(json::Object{{"type", challenge.type},
                                         {"token", challenge.token},
                                         {"status", challenge.status},
                                         {"validated", number(challenge.validated)},
                                         {"error", challenge.error}});
  json::Object document{{"account", authorization.account},
                        {"identifier", identifier_json(authorization.identifier)},
                        {"wildcard", authorization.wildcard},
                        {"subdomains", authorization.subdomains},
                        {"status", authorization.status},
                        {"expires", number(authorization.expires)},
                        {"challenges", std::move(challenges)},
                        {"attempts", authorization.attempts},
                        {"next_attempt", number(authorization.next_attempt)},
                        {"history", history_json(authorization.history)}};
  if (!authorization.run.empty()) document.emplace_back("run", authorization.run);
  if (!authorization.client.empty()) document.emplace_back("client", authorization.client);
  if (!authorization.attested_key.empty()) document.emplace_back("attested_key", authorization.attested_key);
  return json::write(json::Value(std::move(document)));
}

Result<Authorization> read_authorization(const Record& record) {
  HANAPER_TRY(const json::Value document, json::parse(record.data, limits));
  Authorization authorization;
  authorization.id = record.key;
  authorization.version = record.version;
  authorization.account = document.text_at("account");
  HANAPER_TRY(authorization.identifier, read_identifier(value_at(document, "identifier")));
  authorization.wildcard = flag_at(document, "wildcard");
  authorization.subdomains = flag_at(document, "subdomains");
  authorization.status = document.text_at("status");
  authorization.expires = needed_time(document, "expires");
  for (const json::Value& item : array_at(document, "challenges"))
    authorization.challenges.push_back({std::string(item.text_at("type")), std::string(item.text_at("token")),
                                        std::string(item.text_at("status")), time_at(item, "validated"),
                                        value_at(item, "error")});
  authorization.attempts = static_cast<int>(document.integer_at("attempts"));
  authorization.next_attempt = needed_time(document, "next_attempt");
  authorization.run = document.text_at("run");
  authorization.client = document.text_at("client");
  authorization.attested_key = document.text_at("attested_key");
  authorization.history = read_history(document);
  if (authorization.challenges.empty()) return damaged("authorization without challenges");
  return authorization;
}

namespace {

json::Value renewal_json(const Order::AutoRenewal& renew) {
  json::Array proofs;
  for (const Proof& proof : renew.proofs)
    proofs.emplace_back(json::Object{{"identifier", identifier_json(proof.name)}, {"method", proof.method}});
  return json::Object{{"proofs", std::move(proofs)},    {"start", number(renew.start)},
                      {"end", number(renew.end)},       {"lifetime", renew.lifetime.count()},
                      {"adjust", renew.adjust.count()}, {"certificate_get", renew.certificate_get},
                      {"next", number(renew.next)}};
}
Result<Order::AutoRenewal> read_renewal(const json::Value& value) {
  std::vector<Proof> proofs;
  for (const json::Value& item : array_at(value, "proofs")) {
    HANAPER_TRY(Identifier name, read_identifier(value_at(item, "identifier")));
    proofs.push_back({std::move(name), std::string(item.text_at("method"))});
  }
  return Order::AutoRenewal{needed_time(value, "start"),
                            needed_time(value, "end"),
                            std::chrono::seconds{value.integer_at("lifetime")},
                            std::chrono::seconds{value.integer_at("adjust")},
                            flag_at(value, "certificate_get"),
                            needed_time(value, "next"),
                            std::move(proofs)};
}

}  // namespace

std::string write_document(const Order& order) {
  json::Array identifiers;
  for (const Identifier& identifier : order.identifiers) identifiers.push_back(identifier_json(identifier));
  json::Object document{{"account", order.account},
                        {"status", order.status},
                        {"expires", number(order.expires)},
                        {"not_before", number(order.not_before)},
                        {"not_after", number(order.not_after)},
                        {"profile", order.profile},
                        {"identifiers", std::move(identifiers)},
                        {"authorizations", texts(order.authorizations)},
                        {"error", order.error},
                        {"replaces", order.replaces},
                        {"csr", base64::encode_url(order.csr)},
                        {"claimed_until", number(order.claimed_until)},
                        {"keep_until", number(order.keep_until)},
                        {"history", history_json(order.history)}};
  if (order.certificate)
    document.emplace_back("certificate", json::Object{{"authority", order.certificate->authority},
                                                      {"serial", order.certificate->serial.hex()}});
  if (order.renew) document.emplace_back("renew", renewal_json(*order.renew));
  if (!order.run.empty()) document.emplace_back("run", order.run);
  if (order.awaits_approval) document.emplace_back("awaits_approval", true);
  return json::write(json::Value(std::move(document)));
}

Result<Order> read_order(const Record& record) {
  HANAPER_TRY(const json::Value document, json::parse(record.data, limits));
  Order order;
  order.id = record.key;
  order.version = record.version;
  order.account = document.text_at("account");
  order.status = document.text_at("status");
  order.expires = needed_time(document, "expires");
  order.not_before = time_at(document, "not_before");
  order.not_after = time_at(document, "not_after");
  order.profile = document.text_at("profile");
  for (const json::Value& item : array_at(document, "identifiers")) {
    HANAPER_TRY(Identifier identifier, read_identifier(item));
    order.identifiers.push_back(std::move(identifier));
  }
  order.authorizations = document.texts_at("authorizations");
  order.error = value_at(document, "error");
  order.replaces = document.text_at("replaces");
  order.csr = bytes_at(document, "csr");
  order.claimed_until = needed_time(document, "claimed_until");
  order.run = document.text_at("run");
  order.keep_until = time_at(document, "keep_until");
  order.awaits_approval = flag_at(document, "awaits_approval");
  order.history = read_history(document);
  if (order.identifiers.empty() || order.authorizations.size() != order.identifiers.size())
    return damaged("order without identifiers");
  if (const json::Value* certificate = document.find("certificate")) {
    HANAPER_TRY(const Serial serial, Serial::from_text(certificate->text_at("serial")));
    order.certificate = CertificateId{static_cast<AuthorityId>(certificate->integer_at("authority")), serial};
  }
  if (const json::Value* renew = document.find("renew")) {
    HANAPER_TRY(order.renew, read_renewal(*renew));
  }
  return order;
}

std::string write_document(const ExternalKey& key) {
  json::Object document{{"owner", key.owner},
                        {"secret", base64::encode_url(key.secret)},
                        {"profiles", texts(key.profiles)},
                        {"names", texts(key.names)},
                        {"accounts_left", key.accounts_left},
                        {"expires", number(key.expires)},
                        {"created", number(key.created)},
                        {"revoked", key.revoked}};
  if (key.orders_left) document.emplace_back("orders_left", *key.orders_left);
  return json::write(json::Value(std::move(document)));
}

Result<ExternalKey> read_external_key(const Record& record) {
  HANAPER_TRY(const json::Value document, json::parse(record.data, limits));
  ExternalKey key;
  key.id = record.key;
  key.version = record.version;
  key.owner = document.text_at("owner");
  key.secret = bytes_at(document, "secret");
  key.profiles = document.texts_at("profiles");
  key.names = document.texts_at("names");
  key.accounts_left = document.integer_at("accounts_left");
  if (document.find("orders_left")) key.orders_left = document.integer_at("orders_left");
  key.expires = time_at(document, "expires");
  key.created = needed_time(document, "created");
  key.revoked = flag_at(document, "revoked");
  if (key.secret.empty()) return damaged("external key without secret");
  return key;
}

}  // namespace hanaper::acme
