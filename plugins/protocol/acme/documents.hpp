// What is stored, and the rules of its states (RFC 8555 7.1.6). Accounts, authorizations and orders are one
// document each; an order refers to its authorizations, which may serve several orders.
#pragma once

#include "problem.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::acme {

// A member that is true.
inline bool flag_at(const json::Value& object, std::string_view name) {
  const json::Value* value = object.find(name);
  return value && value->boolean() && *value->boolean();
}

// An optional member that a client has filled in. Programs whose language knows no absent text or time send
// the empty text, or the first moment of year 1: Go's and .NET's zero.
inline const json::Value* filled_in(const json::Value& object, std::string_view name) {
  const json::Value* value = object.optional(name);
  const std::string* text = value ? value->text() : nullptr;
  return text && (text->empty() || text->starts_with("0001-01-01T00:00:00")) ? nullptr : value;
}

// Something that happened to an order or an authorization; the last of them are kept for whoever asks why.
struct Event {
  Time at;
  std::string text;
};
using History = std::vector<Event>;
void add_event(History& history, Time at, std::string text);

// valid -> deactivated
struct Account {
  std::string id;
  std::uint64_t version = 0;  // of the record
  std::string status = "valid";
  Bytes spki;  // DER
  std::string thumbprint;
  std::vector<std::string> contact;
  std::string terms_agreed;  // URL of those it has agreed to; "-" where there were none; empty: never
  Time created;
  std::optional<Time> expires;  // when it is forgotten, unless it is used; none: it stays
  std::string external_key;     // whose binding it was made with (RFC 8555 7.3.4); empty: none
  json::Value binding;          // as the client sent it

  std::string requester() const { return "acme:account/" + id; }
};

// pending -> processing -> valid | invalid
struct Challenge {
  std::string type;
  std::string token;
  std::string status = "pending";
  std::optional<Time> validated;
  json::Value error;  // a problem document, or null
};

// pending -> valid -> expired | deactivated; pending -> invalid | expired | deactivated
struct Authorization {
  std::string id;
  std::uint64_t version = 0;
  std::string account;
  Identifier identifier;    // without "*."
  bool wildcard = false;    // for "*." and the identifier
  bool subdomains = false;  // for every name below (RFC 9444)
  std::string status = "pending";
  Time expires;
  std::vector<Challenge> challenges;
  int attempts = 0;          // of the challenge under way
  Time next_attempt;         // of that: not before
  std::string run;           // of the daemon that has claimed it until then
  std::string client;        // who said that it was ready, by address: its turn it is
  std::string attested_key;  // SHA-256 of the key that a device attested, hexadecimal: certificates are for
                             // that key alone
  History history;

  // Whether it stands for that name of an order.
  bool covers(const Identifier& name) const;
  Challenge* find(std::string_view type);
  // The challenge being validated, or null.
  Challenge* under_way();
  const Challenge* under_way() const;
  void settle(Time now);
};

// pending -> ready -> processing -> valid; all but valid -> invalid; valid -> canceled (RFC 8739 3.1.2)
struct Order {
  // RFC 8739 3.1.1: the certificate is issued again and again.
  struct AutoRenewal {
    Time start, end;
    std::chrono::seconds lifetime{}, adjust{};
    bool certificate_get = false;
    Time next;                       // when the next certificate is due
    std::vector<Proof> proofs = {};  // of its names, as the first certificate was issued by them

    // RFC 8739 3.5: the validity of the first certificate, and of a later one, that is due at that time.
    ValidityPeriod first(Time due) const;
    ValidityPeriod later(Time due) const;
  };

  std::string id;
  std::uint64_t version = 0;
  std::string account;
  std::string status = "pending";
  Time expires;
  std::optional<Time> not_before, not_after;
  std::string profile;
  std::vector<Identifier> identifiers;
  std::vector<std::string> authorizations;  // one for each identifier; may repeat
  json::Value error;
  std::optional<CertificateId> certificate;
  std::string replaces;              // RFC 9773 5, as the client sent it
  Bytes csr;                         // while it is being issued, and as long as it is renewed
  Time claimed_until;                // processing: whoever finds it later takes over
  std::string run;                   // of the daemon that has claimed it, or anybody once that is over
  bool awaits_approval = false;      // processing: an operator has to decide
  std::optional<Time> keep_until;    // how long the document itself is kept
  std::optional<AutoRenewal> renew;  //
  History history;

  // Derives ready and invalid from the authorizations, given in their order, and from the time.
  void settle(Time now, const std::vector<Authorization>& of);
};

// A key that binds accounts to somebody the operator knows (RFC 8555 7.3.4).
struct ExternalKey {
  std::string id;
  std::uint64_t version = 0;
  std::string owner;
  Bytes secret;
  std::vector<std::string> profiles;  // allowed; none: all
  std::vector<std::string> names;     // domains, with all below, and address ranges; none: all
  std::int64_t accounts_left = 1;     // how many more accounts may be bound
  std::optional<std::int64_t> orders_left;
  std::optional<Time> expires;
  Time created;
  bool revoked = false;
};

// "*.example.test"
bool is_wildcard(const Identifier& identifier);
// The name without "*.".
Identifier without_wildcard(Identifier identifier);
json::Value identifier_json(const Identifier& identifier);
// Identifies a certificate in keys and indexes.
std::string certificate_name(const CertificateId& id);
// Identifies an identifier of an account in indexes.
std::string index_of(std::string_view account, const Identifier& identifier);

json::Array texts(const std::vector<std::string>& list);
Result<Account> read_account(const Record& record);
Result<Authorization> read_authorization(const Record& record);
Result<Order> read_order(const Record& record);
Result<ExternalKey> read_external_key(const Record& record);

// As JSON.
std::string write_document(const Account& account);
std::string write_document(const Authorization& authorization);
std::string write_document(const Order& order);
std::string write_document(const ExternalKey& key);

// The record that stores it, to be bound to its collection.
RecordWrite record_of(const Account& account);
// The record that finds it by its key; `version`: of the one before.
RecordWrite key_record_of(const Account& account, std::uint64_t version = 0);
RecordWrite record_of(const Authorization& authorization);
RecordWrite record_of(const Order& order);
RecordWrite record_of(const ExternalKey& key);

}  // namespace hanaper::acme
