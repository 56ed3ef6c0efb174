// External account binding (RFC 8555 7.3.4): an account that belongs to somebody the operator knows.
#include "service.hpp"

#include <hanaper/toolkit/extensions.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

// A domain stands for itself and everything below, a range for its addresses.
bool covered(const std::vector<std::string>& names, const Identifier& identifier) {
  const Identifier plain = without_wildcard(identifier);
  return names.empty() || std::ranges::any_of(names, [&](const std::string& text) {
           const auto range = x509::parse_subtree(text);
           return range && range->kind == plain.kind && x509::allows({{*range}, {}}, plain);
         });
}

Problem unauthorized(std::string detail) { return {401, "unauthorized", std::move(detail)}; }

}  // namespace

Outcome<std::optional<ExternalKey>> Service::bind_account(const SignedRequest& request,
                                                          const json::Value& payload, Account& account,
                                                          Call& call) {
  const json::Value* binding = payload.optional("externalAccountBinding");
  if (binding == nullptr) {
    if (options_.external_account_required)
      return Problem{403, "externalAccountRequired",
                     "accounts here are bound to an external account; ask the operator for its key"};
    return std::optional<ExternalKey>{};
  }
  const auto inner = jose::parse_jws(json::write(*binding));
  if (!inner) return malformed_problem("externalAccountBinding: " + inner.error().detail);
  // "the alg ... MUST indicate a MAC-based algorithm, the kid ... MUST contain the key identifier ..., the
  // nonce field MUST NOT be present, the url field MUST be set to the same value as the outer JWS"
  if (inner->header.optional("nonce") != nullptr)
    return malformed_problem("externalAccountBinding: nonce must be left out");
  if (inner->jwk || inner->kid.empty()) return malformed_problem("externalAccountBinding: kid is needed");
  if (inner->url != request.url)
    return malformed_problem("externalAccountBinding: url is not that of the outer jws");
  const auto bound = json::parse(as_text(inner->payload));
  const auto jwk = bound ? jose::parse_jwk(*bound) : Result<jose::Jwk>(bound.error());
  if (!jwk || jwk->thumbprint != request.jwk->thumbprint)
    return malformed_problem("externalAccountBinding: the payload is not the account's key");
  if (inner->alg != "HS256")
    return Problem{400,
                   "badSignatureAlgorithm",
                   "externalAccountBinding: alg must be HS256",
                   {},
                   {},
                   {},
                   {{"algorithms", json::Array{"HS256"}}}};
  auto key = store_.external_key(inner->kid);
  if (!key && key.error().code != Code::not_found) return problem_of(key.error(), call);
  if (!key || key->revoked || !jose::verify_mac(*inner, key->secret))
    return unauthorized("externalAccountBinding: the key identifier or the mac is wrong");
  if (key->expires && *key->expires <= host_.clock().now())
    return unauthorized("externalAccountBinding: the key has expired");
  if (key->accounts_left <= 0) return unauthorized("externalAccountBinding: the key has been used");
  --key->accounts_left;
  account.external_key = key->id;
  account.binding = *binding;
  return std::optional<ExternalKey>(*std::move(key));
}

Outcome<std::optional<ExternalKey>> Service::check_binding(const Account& account,
                                                           const std::vector<Identifier>& identifiers,
                                                           const std::optional<std::string>& wanted,
                                                           Call& call) {
  if (account.external_key.empty()) {
    if (options_.external_account_required)
      return Problem{403, "externalAccountRequired", "this account is not bound to an external account"};
    return std::optional<ExternalKey>{};
  }
  auto key = store_.external_key(account.external_key);
  if (!key) return problem_of(key.error(), call);
  if (key->revoked) return Problem{403, "unauthorized", "the external account's key has been revoked"};
  if (wanted && !key->profiles.empty()) {
    const std::string profile = wanted->empty() ? issuer_.profiles().front() : *wanted;
    if (std::ranges::find(key->profiles, profile) == key->profiles.end())
      return Problem{403, "invalidProfile", "the external account may not use the profile " + profile};
  }
  std::vector<Problem> outside;
  for (const Identifier& identifier : identifiers)
    if (!covered(key->names, identifier))
      outside.push_back({.status = 403,
                         .type = "rejectedIdentifier",
                         .detail = "the external account is not allowed \"" + identifier.value + "\"",
                         .identifier = identifier});
  if (!outside.empty())
    return Problem{.status = 403,
                   .type = "rejectedIdentifier",
                   .detail = outside.front().detail,
                   .subproblems = std::move(outside)};
  return std::optional<ExternalKey>(*std::move(key));
}

Outcome<std::optional<ExternalKey>> Service::charge_binding(const Account& account, const Order& order,
                                                            Call& call) {
  ACME_TRY(std::optional<ExternalKey> key, check_binding(account, order.identifiers, order.profile, call));
  if (!key || !key->orders_left) return std::optional<ExternalKey>{};
  if (*key->orders_left <= 0)
    return Problem{429, "rateLimited", "the quota of the external account is used up"};
  --*key->orders_left;
  return key;
}

Status Service::still_bound(const Account& account, const Order& order, Call& call) {
  auto allowed = check_binding(account, order.identifiers, order.profile, call);
  if (allowed) return {};
  Problem& problem = allowed.problem();
  return problem.status >= 500 ? unavailable(std::move(problem.detail))
                               : forbidden(std::move(problem.detail));
}

}  // namespace hanaper::acme
