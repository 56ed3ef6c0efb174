// Accounts (RFC 8555 7.3).
#include "service.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::acme {
namespace {

constexpr std::size_t max_contacts = 10;
constexpr std::uint32_t orders_per_page = 100;

bool flag(const json::Value& payload, std::string_view name) {
  const json::Value* value = payload.find(name);
  return value && value->boolean() && *value->boolean();
}

}  // namespace

Outcome<Account> Service::load_account(std::string_view id, Call& call) {
  const Problem unknown{400, "accountDoesNotExist", "no such account"};
  if (id.empty() || id.size() > 64) return unknown;
  const auto record = accounts_.get(id);
  if (!record) return record.error().code == Code::not_found ? unknown : problem_of(record.error(), call);
  auto account = read_account(*record);
  if (!account) return problem_of(account.error(), call);
  return *std::move(account);
}

Outcome<std::optional<Account>> Service::account_of_key(const std::string& thumbprint, Call& call) {
  const auto record = keys_.get(thumbprint);
  if (!record && record.error().code == Code::not_found) return std::optional<Account>{};
  if (!record) return problem_of(record.error(), call);
  ACME_TRY(Account account, load_account(record->data, call));
  return std::optional<Account>(std::move(account));
}

// RFC 8555 7.3: "unsupportedContact" for schemes we do not know, "invalidContact" for what is no address.
Outcome<std::vector<std::string>> Service::read_contact(const json::Value& payload) const {
  std::vector<std::string> contact;
  const json::Value* list = payload.find("contact");
  if (list == nullptr) return contact;
  if (list->array() == nullptr || list->array()->size() > max_contacts)
    return malformed_problem("contact: an array of at most " + std::to_string(max_contacts) +
                             " URLs is expected");
  for (const json::Value& item : *list->array()) {
    if (item.text() == nullptr) return malformed_problem("contact: a URL is expected");
    const std::string& address = *item.text();
    if (!address.starts_with("mailto:"))
      return Problem{400, "unsupportedContact", "contact: only mailto URLs are supported"};
    // "Clients MUST NOT include ... hfields" and one address only: both hold characters that no plain address
    // has.
    if (const auto normal = x509::normal_email(std::string_view(address).substr(7)); !normal)
      return Problem{400, "invalidContact", "contact: " + normal.error().detail};
    contact.push_back(address);
  }
  return contact;
}

Response Service::present_account(const Account& account, int status) const {
  json::Array contact;
  for (const std::string& address : account.contact) contact.emplace_back(address);
  json::Object object{{"status", account.status},
                      {"contact", std::move(contact)},
                      {"orders", url("/account/" + account.id + "/orders")},
                      {"createdAt", time_text(account.created)},
                      {"key", account.jwk}};
  if (account.terms_agreed) object.emplace_back("termsOfServiceAgreed", true);
  Response response{
      status, {{"Content-Type", "application/json"}}, json::write(json::Value(std::move(object)))};
  // RFC 8555 7.3 and 7.3.1 want it with newAccount; it does no harm with the others.
  response.with("Location", url("/account/" + account.id));
  if (!options_.terms.empty()) response.with("Link", "<" + options_.terms + ">;rel=\"terms-of-service\"");
  return response;
}

Outcome<Response> Service::new_account(const Request& request, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::key, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  const jose::Jwk& jwk = *signed_request.jwk;
  ACME_TRY(const std::optional<Account> existing, account_of_key(jwk.thumbprint, call));
  if (existing) {
    if (existing->status != "valid")
      return Problem{401, "unauthorized", "the account of this key is " + existing->status};
    return present_account(*existing, 200);
  }
  if (flag(payload, "onlyReturnExisting"))
    return Problem{400, "accountDoesNotExist", "no account has this key"};
  const auto key = x509::parse_public_key(jwk.spki);
  if (Status checked = key ? x509::check_public_key(*key) : Status(key.error()); !checked)
    return Problem{400, "badPublicKey", checked.error().detail};
  Account account;
  ACME_TRY(account.contact, read_contact(payload));
  account.terms_agreed = flag(payload, "termsOfServiceAgreed");
  if (!options_.terms.empty() && !account.terms_agreed)
    return Problem{403, "userActionRequired",
                   "the terms of service at " + options_.terms + " must be agreed to"};
  account.id = crypto::random_name(15);
  auto canonical = jose::jwk_of(jwk.spki);
  if (!canonical) return problem_of(canonical.error(), call);
  account.jwk = *std::move(canonical);
  account.thumbprint = jwk.thumbprint;
  account.created = host_.clock().now();
  RecordWrite owner;
  owner.key = account.thumbprint;
  owner.data = account.id;
  const Status stored =
      host_.commit({accounts_.bind(record_of(account)), keys_.bind(std::move(owner))}, call);
  if (!stored && stored.error().code == Code::conflict) {
    // The same key, a moment earlier: there is one account for it.
    ACME_TRY(const std::optional<Account> first, account_of_key(jwk.thumbprint, call));
    if (first) return present_account(*first, 200);
  }
  if (!stored) return problem_of(stored.error(), call);
  host_.log().info("account created", {{"account", account.id}, {"address", std::string(request.address)}});
  return present_account(account, 201);
}

Outcome<Response> Service::account(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  Account account = *signed_request.account;
  if (account.id != id) return Problem{403, "unauthorized", "this account belongs to somebody else"};
  if (signed_request.post_as_get) return present_account(account, 200);
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  // RFC 8555 7.3.2: fields a client may not set are ignored.
  if (payload.find("contact") != nullptr) {
    ACME_TRY(account.contact, read_contact(payload));
  }
  if (flag(payload, "termsOfServiceAgreed")) account.terms_agreed = true;
  if (const std::string_view status = payload.text_at("status"); !status.empty()) {
    if (status != "deactivated" && status != account.status)
      return malformed_problem("a client sets no status but deactivated");
    account.status = status;
  }
  const Status stored = host_.commit({accounts_.bind(record_of(account))}, call);
  if (!stored) return problem_of(stored.error(), call);
  if (account.status == "deactivated") host_.log().info("account deactivated", {{"account", account.id}});
  return present_account(account, 200);
}

// RFC 8555 7.1.2.1
Outcome<Response> Service::account_orders(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  if (signed_request.account->id != id)
    return Problem{403, "unauthorized", "this account belongs to somebody else"};
  if (!signed_request.post_as_get) return malformed_problem("POST-as-GET has an empty payload");
  const std::string_view after =
      request.query.starts_with("after=") ? request.query.substr(6) : std::string_view{};
  const auto records = orders_.find("account", id, after, orders_per_page);
  if (!records) return problem_of(records.error(), call);
  json::Array urls;
  for (const Record& record : *records) {
    auto order = read_order(record);
    if (!order) return problem_of(order.error(), call);
    order->settle(host_.clock().now());
    if (order->status != "invalid") urls.emplace_back(url("/order/" + record.key));
  }
  Response response{200,
                    {{"Content-Type", "application/json"}},
                    json::write(json::Value(json::Object{{"orders", std::move(urls)}}))};
  if (records->size() == orders_per_page)
    response.with("Link", "<" + url("/account/" + std::string(id) + "/orders?after=" + records->back().key) +
                              ">;rel=\"next\"");
  return response;
}

}  // namespace hanaper::acme
