#include "documents.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr auto grace = std::chrono::days{30};  // how long a dead order can still be looked at

Error damaged(std::string_view what) {
  return internal("acme: a stored document is damaged: " + std::string(what));
}

json::Value optional_time(const std::optional<Time>& time) {
  if (!time) return nullptr;
  return time->time_since_epoch().count();
}

std::optional<Time> time_at(const json::Value& object, std::string_view name) {
  const json::Value* value = object.find(name);
  if (value == nullptr || value->integer() == nullptr) return std::nullopt;
  return Time{std::chrono::milliseconds{*value->integer()}};
}

Result<Identifier> read_identifier(const json::Value* value) {
  if (value == nullptr) return damaged("no identifier");
  const std::string_view type = value->text_at("type");
  for (Identifier::Kind kind : {Identifier::Kind::dns, Identifier::Kind::ip})
    if (to_string(kind) == type) return Identifier{kind, std::string(value->text_at("value"))};
  return damaged("identifier type");
}

json::Value challenge_json(const Challenge& challenge) {
  return json::Object{{"type", challenge.type},
                      {"token", challenge.token},
                      {"status", challenge.status},
                      {"validated", optional_time(challenge.validated)},
                      {"error", challenge.error}};
}

json::Value authorization_json(const Authorization& authorization) {
  json::Array challenges;
  for (const Challenge& challenge : authorization.challenges) challenges.push_back(challenge_json(challenge));
  return json::Object{{"identifier", identifier_json(authorization.identifier)},
                      {"wildcard", authorization.wildcard},
                      {"status", authorization.status},
                      {"expires", authorization.expires.time_since_epoch().count()},
                      {"challenges", std::move(challenges)}};
}

Result<Authorization> read_authorization(const json::Value& value) {
  Authorization authorization;
  HANAPER_TRY(authorization.identifier, read_identifier(value.find("identifier")));
  const json::Value* wildcard = value.find("wildcard");
  authorization.wildcard = wildcard && wildcard->boolean() && *wildcard->boolean();
  authorization.status = value.text_at("status");
  authorization.expires = time_at(value, "expires").value_or(Time{});
  const json::Value* challenges = value.find("challenges");
  if (challenges == nullptr || challenges->array() == nullptr) return damaged("no challenges");
  for (const json::Value& item : *challenges->array()) {
    Challenge challenge{std::string(item.text_at("type")),
                        std::string(item.text_at("token")),
                        std::string(item.text_at("status")),
                        time_at(item, "validated"),
                        {}};
    if (const json::Value* error = item.find("error")) challenge.error = *error;
    authorization.challenges.push_back(std::move(challenge));
  }
  return authorization;
}

}  // namespace

json::Value identifier_json(const Identifier& identifier) {
  return json::Object{{"type", to_string(identifier.kind)}, {"value", identifier.value}};
}

bool Order::settle(Time now) {
  const std::string before = status;
  for (Authorization& authorization : authorizations) {
    if (authorization.expires > now) continue;
    if (authorization.status == "valid") authorization.status = "expired";
    if (authorization.status == "pending") authorization.status = "invalid";
  }
  if (status == "pending" || status == "ready") {
    const auto all = [&](std::string_view wanted) {
      return std::ranges::all_of(authorizations, [&](const auto& each) { return each.status == wanted; });
    };
    const auto open = [](const auto& each) { return each.status == "pending" || each.status == "valid"; };
    if (expires <= now || !std::ranges::all_of(authorizations, open))
      status = "invalid";
    else if (all("valid"))
      status = "ready";
  }
  return status != before;
}

std::string write_document(const Account& account) {
  json::Array contact;
  for (const std::string& address : account.contact) contact.emplace_back(address);
  return json::write(json::Value(json::Object{{"status", account.status},
                                              {"jwk", account.jwk},
                                              {"thumbprint", account.thumbprint},
                                              {"contact", std::move(contact)},
                                              {"terms_agreed", account.terms_agreed},
                                              {"created", account.created.time_since_epoch().count()}}));
}

Result<Account> read_account(const Record& record) {
  HANAPER_TRY(const json::Value document, json::parse(record.data));
  Account account;
  account.id = record.key;
  account.version = record.version;
  account.status = document.text_at("status");
  account.thumbprint = document.text_at("thumbprint");
  account.created = time_at(document, "created").value_or(Time{});
  const json::Value* jwk = document.find("jwk");
  if (jwk == nullptr || account.status.empty()) return damaged("account without key or status");
  account.jwk = *jwk;
  if (const json::Value* contact = document.find("contact"); contact && contact->array())
    for (const json::Value& address : *contact->array())
      if (address.text()) account.contact.push_back(*address.text());
  if (const json::Value* agreed = document.find("terms_agreed"); agreed && agreed->boolean())
    account.terms_agreed = *agreed->boolean();
  return account;
}

std::string write_document(const Order& order) {
  json::Array identifiers, authorizations;
  for (const Identifier& identifier : order.identifiers) identifiers.push_back(identifier_json(identifier));
  for (const Authorization& authorization : order.authorizations)
    authorizations.push_back(authorization_json(authorization));
  json::Object document{{"account", order.account},
                        {"status", order.status},
                        {"expires", order.expires.time_since_epoch().count()},
                        {"not_before", optional_time(order.not_before)},
                        {"not_after", optional_time(order.not_after)},
                        {"profile", order.profile},
                        {"identifiers", std::move(identifiers)},
                        {"authorizations", std::move(authorizations)},
                        {"error", order.error},
                        {"keep_until", optional_time(order.keep_until)}};
  if (order.certificate)
    document.emplace_back("certificate", json::Object{{"authority", order.certificate->authority},
                                                      {"serial", order.certificate->serial.hex()}});
  return json::write(json::Value(std::move(document)));
}

Result<Order> read_order(const Record& record) {
  HANAPER_TRY(const json::Value document, json::parse(record.data, {1024 * 1024, 16, 100'000}));
  Order order;
  order.id = record.key;
  order.version = record.version;
  order.account = document.text_at("account");
  order.status = document.text_at("status");
  order.expires = time_at(document, "expires").value_or(Time{});
  order.not_before = time_at(document, "not_before");
  order.not_after = time_at(document, "not_after");
  order.keep_until = time_at(document, "keep_until");
  order.profile = document.text_at("profile");
  if (const json::Value* error = document.find("error")) order.error = *error;
  const json::Value* identifiers = document.find("identifiers");
  const json::Value* authorizations = document.find("authorizations");
  if (identifiers == nullptr || !identifiers->array() || authorizations == nullptr ||
      !authorizations->array())
    return damaged("order without identifiers");
  for (const json::Value& item : *identifiers->array()) {
    HANAPER_TRY(Identifier identifier, read_identifier(&item));
    order.identifiers.push_back(std::move(identifier));
  }
  for (const json::Value& item : *authorizations->array()) {
    HANAPER_TRY(Authorization authorization, read_authorization(item));
    order.authorizations.push_back(std::move(authorization));
  }
  if (const json::Value* certificate = document.find("certificate")) {
    const json::Value* authority = certificate->find("authority");
    HANAPER_TRY(const Serial serial, Serial::from_text(certificate->text_at("serial")));
    if (authority == nullptr || authority->integer() == nullptr) return damaged("order's certificate");
    order.certificate = CertificateId{static_cast<AuthorityId>(*authority->integer()), serial};
  }
  return order;
}

RecordWrite record_of(const Account& account) {
  return {.collection = {},
          .key = account.id,
          .expected = account.version,
          .erase = false,
          .expires = {},
          .indexes = {},
          .data = write_document(account)};
}

RecordWrite record_of(const Order& order) {
  RecordWrite write{.collection = {},
                    .key = order.id,
                    .expected = order.version,
                    .erase = false,
                    .expires = order.keep_until.value_or(order.expires + grace),
                    .indexes = {},
                    .data = write_document(order)};
  write.indexes.push_back({"account", order.account});
  // What a restart must go on with.
  const bool validating = std::ranges::any_of(order.authorizations, [](const Authorization& authorization) {
    return std::ranges::any_of(authorization.challenges,
                               [](const Challenge& challenge) { return challenge.status == "processing"; });
  });
  if (validating) write.indexes.push_back({"open", "validating"});
  if (order.status == "processing") write.indexes.push_back({"open", "processing"});
  return write;
}

}  // namespace hanaper::acme
