// Accounts and orders as they are stored, and the rules of their states (RFC 8555 7.1.6).
#pragma once

#include "problem.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::acme {

// Account: status valid -> deactivated.
struct Account {
  std::string id;
  std::uint64_t version = 0;  // of the record
  std::string status = "valid";
  json::Value jwk;
  std::string thumbprint;
  std::vector<std::string> contact;
  bool terms_agreed = false;
  Time created;
};

// pending -> processing -> valid | invalid
struct Challenge {
  std::string type;
  std::string token;
  std::string status = "pending";
  std::optional<Time> validated;
  json::Value error;  // a problem document, or null
};

// pending -> valid -> expired | deactivated | revoked; pending -> invalid
struct Authorization {
  Identifier identifier;  // without "*."
  bool wildcard = false;
  std::string status = "pending";
  Time expires;
  std::vector<Challenge> challenges;
};

// pending -> ready -> processing -> valid; pending or ready -> invalid. An order carries its authorizations:
// a whole order is three writes of one document.
struct Order {
  std::string id;
  std::uint64_t version = 0;  // of the record
  std::string account;
  std::string status = "pending";
  Time expires;
  std::optional<Time> not_before, not_after;
  std::string profile;
  std::vector<Identifier> identifiers;
  std::vector<Authorization> authorizations;
  json::Value error;
  std::optional<CertificateId> certificate;
  std::optional<Time> keep_until;  // how long the document itself is kept

  // Derives the order's status from its authorizations and from the time. True when something changed.
  bool settle(Time now);
};

json::Value identifier_json(const Identifier& identifier);

std::string write_document(const Account& account);
Result<Account> read_account(const Record& record);
std::string write_document(const Order& order);
Result<Order> read_order(const Record& record);

// The record that stores it, to be bound to its collection.
RecordWrite record_of(const Account& account);
RecordWrite record_of(const Order& order);

}  // namespace hanaper::acme
