// Accounts (RFC 8555 7.3).
#include "service.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::acme {
namespace {

constexpr std::size_t max_contacts = 10;
constexpr std::uint32_t orders_per_page = 100;

}  // namespace

Outcome<Account> Service::load_account(std::string_view id, Call& call) {
  auto account = store_.account(id);
  if (account) return *std::move(account);
  if (account.error().code == Code::not_found) return Problem{400, "accountDoesNotExist", "no such account"};
  return problem_of(account.error(), call);
}

Outcome<std::optional<Account>> Service::account_of_key(const std::string& thumbprint, Call& call) {
  const auto record = store_.keys.get(thumbprint);
  if (!record && record.error().code == Code::not_found) return std::optional<Account>{};
  if (!record) return problem_of(record.error(), call);
  ACME_TRY(Account account, load_account(record->data, call));
  return std::optional<Account>(std::move(account));
}

// RFC 8555 7.3: "unsupportedContact" for schemes we do not know, "invalidContact" for what is no address.
Outcome<std::vector<std::string>> Service::read_contact(const json::Value& payload) const {
  std::vector<std::string> contact;
  const json::Value* list = payload.optional("contact");
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

void Service::agree_to_terms(const json::Value& payload, Account& account) const {
  if (flag_at(payload, "termsOfServiceAgreed"))
    account.terms_agreed = options_.terms.empty() ? "-" : options_.terms;
}

// RFC 8555 7.3.3: "a 403 (Forbidden) ... of type userActionRequired ... MUST include a Link header field with
// link relation terms-of-service ... and an instance field"
std::optional<Problem> Service::check_terms(const Account& account) const {
  if (options_.terms.empty() || account.terms_agreed == options_.terms) return std::nullopt;
  Problem problem{403, "userActionRequired",
                  "the terms of service at " + options_.terms + " must be agreed to"};
  problem.extra.emplace_back("instance", options_.terms);
  problem.headers.push_back({"Link", "<" + options_.terms + ">;rel=\"terms-of-service\""});
  return problem;
}

std::optional<Problem> Service::outlast(const Account& account, Time made_expires, Call& call) {
  const Time now = host_.clock().now();
  if (!account.expires || *account.expires > std::max<Time>(made_expires, now + options_.unused_accounts / 2))
    return std::nullopt;
  const Time until = std::max<Time>(made_expires + std::chrono::hours{1}, now + options_.unused_accounts);
  if (const Status kept = store_.keep_account(account.id, until, call); !kept)
    return problem_of(kept.error(), call);
  return std::nullopt;
}

Outcome<Response> Service::present_account(const Account& account, int status) const {
  auto jwk = jose::jwk_of(account.spki);
  if (!jwk) return Problem{500, "serverInternal", "the account's key cannot be read"};
  json::Object object{{"status", account.status},
                      {"contact", json::Array(account.contact.begin(), account.contact.end())},
                      {"orders", url("/account/" + account.id + "/orders")},
                      {"createdAt", time_text(account.created)},
                      {"key", *std::move(jwk)}};
  if (!account.terms_agreed.empty()) object.emplace_back("termsOfServiceAgreed", true);
  if (!account.external_key.empty()) object.emplace_back("externalAccountBinding", account.binding);
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
    // RFC 8555 7.3.1: the account as it is, whatever else the request says.
    if (existing->status == "valid") return present_account(*existing, 200);
    return Problem{401, "unauthorized", "the account of this key is " + existing->status};
  }
  if (flag_at(payload, "onlyReturnExisting"))
    return Problem{400, "accountDoesNotExist", "no account has this key"};
  Account account;
  ACME_TRY(account.contact, read_contact(payload));
  agree_to_terms(payload, account);
  if (auto problem = check_terms(account)) return *std::move(problem);
  account.id = crypto::random_name(15);
  account.spki = jwk.spki;
  account.thumbprint = jwk.thumbprint;
  account.created = host_.clock().now();
  ACME_TRY(const std::optional<ExternalKey> binding, bind_account(signed_request, payload, account, call));
  // Whom the operator knows may take his time.
  if (!binding) account.expires = account.created + options_.unused_accounts;
  if (Status allowed =
          options_.limits.take("accounts-per-address", x509::client_of(request.address), account.created);
      !allowed)
    return problem_of(allowed.error(), call);
  std::vector<RecordWrite> writes{store_.write(account), store_.write_key(account)};
  if (binding) writes.push_back(store_.write(*binding));
  const Status stored = store_.commit(std::move(writes), call);
  if (!stored && stored.error().code == Code::conflict) {
    // The same key, a moment earlier: there is one account for it. Or the same binding.
    ACME_TRY(const std::optional<Account> first, account_of_key(jwk.thumbprint, call));
    if (first) return present_account(*first, 200);
    return Problem{503, "serverInternal",
                   binding ? "the external account is being bound elsewhere; try again"
                           : "the key's former account is being forgotten; try again",
                   std::chrono::seconds{binding ? 1 : 60}};
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
  if (payload.optional("contact") != nullptr) {
    ACME_TRY(account.contact, read_contact(payload));
  }
  agree_to_terms(payload, account);
  if (const json::Value* status = payload.optional("status")) {
    if (status->text() == nullptr || (*status->text() != "deactivated" && *status->text() != account.status))
      return malformed_problem("a client sets no status but deactivated");
    account.status = *status->text();
  }
  if (Status stored = store_.commit({store_.write(account)}, call); !stored)
    return problem_of(stored.error(), call);
  if (account.status == "deactivated") host_.log().info("account deactivated", {{"account", account.id}});
  return present_account(account, 200);
}

// RFC 8555 7.1.2.1
Outcome<Response> Service::account_orders(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open_post_as_get(request, call));
  if (signed_request.account->id != id)
    return Problem{403, "unauthorized", "this account belongs to somebody else"};
  const std::string_view after =
      request.query.starts_with("after=") ? request.query.substr(6) : std::string_view{};
  if (after.size() > 64) return malformed_problem("after: no such order", 404);
  const auto records = store_.orders.find("account", id, after, orders_per_page);
  if (!records) return problem_of(records.error(), call);
  json::Array urls;
  for (const Record& record : *records) {
    const auto order = read_order(record);
    if (!order) return problem_of(order.error(), call);
    // "The server SHOULD include pending orders and SHOULD NOT include orders that are invalid"
    const bool dead =
        order->status == "invalid" || (order->status == "pending" && order->expires <= host_.clock().now());
    if (!dead) urls.emplace_back(url("/order/" + record.key));
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
