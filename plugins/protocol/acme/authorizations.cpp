// Authorizations and their challenges (RFC 8555 7.1.4, 7.4.1, 7.5).
#include "service.hpp"

#include "methods.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::acme {

std::vector<std::string> Service::methods_for(const Identifier& identifier, bool below) const {
  std::vector<std::string> methods;
  for (const std::string& type : options_.challenges)
    if (method_fits(type, identifier.kind, below)) methods.push_back(type);
  return methods;
}

Outcome<Authorization> Service::make_authorization(const Identifier& identifier, bool subdomains,
                                                   const std::string& account) const {
  const Time now = host_.clock().now();
  Authorization made;
  made.id = crypto::random_name(15);
  made.account = account;
  made.identifier = without_wildcard(identifier);
  made.wildcard = is_wildcard(identifier);
  made.subdomains = subdomains;
  made.expires = now + options_.order_lifetime;
  for (const std::string& type : methods_for(made.identifier, made.wildcard || subdomains))
    made.challenges.push_back({type, crypto::random_name(24), "pending", {}, {}});
  if (made.challenges.empty())
    return Problem{.status = 403,
                   .type = "rejectedIdentifier",
                   .detail = "no challenge offered here can prove \"" + identifier.value + "\""};
  add_event(made.history, now, "authorization made for " + identifier.value);
  return made;
}

// Nothing has come of it yet, and it is as one that would be made now.
bool Service::is_untouched(const Authorization& one) const {
  // A device attests each key anew.
  if (one.status != "pending" || one.under_way() != nullptr || names_device(one.identifier.kind))
    return false;
  return std::ranges::equal(one.challenges, methods_for(one.identifier, one.wildcard || one.subdomains), {},
                            &Challenge::type);
}

std::optional<Problem> Service::check_pending(const std::string& account, std::size_t more, Call& call) {
  const std::size_t most = options_.pending_authorizations;
  const auto pending = store_.pending_of(account, most);
  if (!pending) return problem_of(pending.error(), call);
  if (pending->count + more <= most) return std::nullopt;
  Problem problem{429, "rateLimited",
                  "an account has at most " + std::to_string(most) +
                      " pending authorizations; meet those that there are, or deactivate them"};
  // The client can make room at any time; without it, time does.
  const auto first_end = pending->first_end.value_or(Time::max()) - host_.clock().now();
  problem.retry_after = std::clamp<std::chrono::seconds>(std::chrono::ceil<std::chrono::seconds>(first_end),
                                                         std::chrono::seconds{1}, std::chrono::hours{1});
  return problem;
}

// An authorization of the account that stands for the name already: a valid one, or one that nobody has begun
// with.
Outcome<std::optional<Authorization>> Service::reusable(const Identifier& identifier,
                                                        const std::string& account,
                                                        const std::string& ancestor, Call& call) {
  Identifier asked = without_wildcard(identifier);
  if (!ancestor.empty()) asked.value = ancestor;
  const auto known = store_.authorizations_for(account, asked);
  if (!known) return problem_of(known.error(), call);
  // One that would end in the middle of the order is of no use.
  const Time soon = host_.clock().now() +
                    std::min<std::chrono::milliseconds>(std::chrono::hours{1}, options_.order_lifetime / 2);
  for (const Authorization& one : *known)
    if (one.status == "valid" && one.attested_key.empty() && one.covers(identifier) && one.expires > soon)
      return std::optional<Authorization>(one);
  const Time half = host_.clock().now() + options_.order_lifetime / 2;
  for (const Authorization& one : *known)
    if (is_untouched(one) && one.subdomains == !ancestor.empty() && one.covers(identifier) &&
        one.expires > half)
      return std::optional<Authorization>(one);
  return std::optional<Authorization>{};
}

// RFC 8555 7.4.1
Outcome<Response> Service::new_authorization(const Request& request, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  const Account& account = *signed_request.account;
  if (auto problem = check_terms(account)) return *std::move(problem);
  const json::Value* item = payload.optional("identifier");
  if (item == nullptr) return malformed_problem("identifier is missing");
  ACME_TRY(const Wanted wanted, read_identifier(*item));
  // "the server MUST NOT ... wildcard domain names in pre-authorization requests"
  if (is_wildcard(wanted.identifier))
    return malformed_problem("identifier: a wildcard name cannot be authorized ahead of its order");
  if (names_device(wanted.identifier.kind))
    return malformed_problem("identifier: a device attests the key of an order, and not ahead of it");
  const bool subdomains = flag_at(*item, "subdomainAuthAllowed") || flag_at(payload, "subdomainAuthAllowed");
  if (subdomains && wanted.identifier.kind != Identifier::Kind::dns)
    return malformed_problem("subdomainAuthAllowed: only domains have subdomains");
  if (auto problem = check_permitted({wanted.identifier}, {}, account, call)) return *std::move(problem);
  if (auto allowed = check_binding(account, {wanted.identifier}, {}, call); !allowed)
    return std::move(allowed.problem());
  const Time now = host_.clock().now();
  Status free = options_.limits.check("failures-per-account", account.id, now);
  if (free) free = options_.limits.take("orders-per-account", account.id, now);
  if (free) free = options_.limits.take("names-per-account", account.id, now);
  if (!free) return problem_of(free.error(), call);
  if (auto problem = check_pending(account.id, 1, call)) return *std::move(problem);
  ACME_TRY(const Authorization made, make_authorization(wanted.identifier, subdomains, account.id));
  if (auto problem = outlast(account, made.expires, call)) return *std::move(problem);
  if (Status stored = store_.commit({store_.write(made)}, call); !stored)
    return problem_of(stored.error(), call);
  Response response{201, {{"Content-Type", "application/json"}}, json::write(authorization_object(made))};
  response.with("Location", url("/authorization/" + made.id));
  return response;
}

Outcome<Authorization> Service::load_authorization(std::string_view id, const Account& account, Call& call) {
  auto one = store_.authorization(id);
  if (!one && one.error().code == Code::not_found) return malformed_problem("no such authorization", 404);
  if (!one) return problem_of(one.error(), call);
  if (one->account != account.id)
    return Problem{403, "unauthorized", "the authorization belongs to another account"};
  return *std::move(one);
}

json::Value Service::challenge_object(const Authorization& authorization, const Challenge& challenge) const {
  json::Object object{{"type", challenge.type},
                      {"url", url("/challenge/" + authorization.id + "/" + challenge.type)},
                      {"status", challenge.status},
                      {"token", challenge.token}};
  if (challenge.validated) object.emplace_back("validated", time_text(*challenge.validated));
  if (challenge.error.object()) object.emplace_back("error", challenge.error);
  if (challenge.type == "dns-persist-01")
    object.emplace_back("issuer-domain-names",
                        json::Array(options_.caa_identities.begin(), options_.caa_identities.end()));
  return object;
}

json::Value Service::authorization_object(const Authorization& authorization) const {
  json::Array challenges;
  for (const Challenge& challenge : authorization.challenges) {
    // RFC 8555 7.1.4: "For final (valid) authorizations, ... the challenge that was used"
    if (authorization.status == "valid" && challenge.status != "valid") continue;
    challenges.push_back(challenge_object(authorization, challenge));
  }
  json::Object object{{"identifier", identifier_json(authorization.identifier)},
                      {"status", authorization.status},
                      {"expires", time_text(authorization.expires)},
                      {"challenges", std::move(challenges)}};
  // "For ... wildcard ... MUST be present and true; for others MUST be absent"
  if (authorization.wildcard) object.emplace_back("wildcard", true);
  if (authorization.subdomains) object.emplace_back("subdomainAuthAllowed", true);
  return object;
}

Outcome<Response> Service::authorization(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(Authorization one, load_authorization(id, *signed_request.account, call));
  if (!signed_request.post_as_get) {
    // RFC 8555 7.5.2: deactivation is the one change a client can make.
    ACME_TRY(const json::Value payload, payload_object(signed_request));
    if (payload.text_at("status") != "deactivated")
      return malformed_problem("an authorization can only be deactivated");
    auto changed = store_.change(
        std::move(one),
        [&](Authorization& current) {
          if (current.status != "pending" && current.status != "valid") return false;
          current.status = "deactivated";
          add_event(current.history, host_.clock().now(), "deactivated by the client");
          return true;
        },
        call);
    if (!changed) return problem_of(changed.error(), call);
    one = *std::move(changed);
  }
  Response response{200, {{"Content-Type", "application/json"}}, json::write(authorization_object(one))};
  if (one.status == "pending" && one.under_way()) response.with("Retry-After", "1");
  return response;
}

// The client is ready: the validation begins, or is hurried.
Outcome<Authorization> Service::begin(const Authorization& one, std::string_view type,
                                      const std::string& client, Call& call) {
  bool begun = false, claimed = false;
  auto changed = store_.change(
      one,
      [&](Authorization& current) {
        begun = false;
        Challenge* challenge = current.find(type);
        if (current.status != "pending" || challenge == nullptr) return false;
        const Time now = host_.clock().now();
        if (current.under_way() != nullptr) {
          // 8.2: "Clients can explicitly request a retry by re-sending their response to a challenge"
          const bool waits = current.next_attempt > now && current.next_attempt <= now + longest_pause;
          if (current.under_way() != challenge || !waits || validation_queue_.has(current.id)) return false;
        } else {
          challenge->status = "processing";
          current.attempts = 0;
          current.client = client;
          add_event(current.history, now, "client is ready for " + challenge->type);
        }
        // What finds no room waits in storage, for any node.
        claimed = validation_queue_.has_room(current.account);
        if (claimed)
          claim_attempt(current);
        else
          current.next_attempt = now;
        return begun = true;
      },
      call);
  if (!changed) return problem_of(changed.error(), call);
  if (begun && claimed) {
    validation_queue_.add({.account = changed->account,
                           .authorization = changed->id,
                           .client = client,
                           .claimed = changed->next_attempt,
                           .abandoned = false});
    if (Status started = start_validations(); !started) return problem_of(started.error(), call);
  }
  return *std::move(changed);
}

Outcome<Authorization> Service::begin_and_wait(const Authorization& one, std::string_view type,
                                               const std::string& client, Call& call) {
  Verdicts::Place place(verdicts_, one.id);
  ACME_TRY(Authorization begun, begin(one, type, client, call));
  if (begun.under_way() == nullptr) return begun;
  place.wait(std::min(options_.verdict_wait, call.remaining()));
  auto judged = store_.authorization(one.id);
  if (judged) return *std::move(judged);
  return begun;
}

// "AUTHORIZATION/TYPE"
Outcome<Response> Service::challenge(const Request& request, std::string_view name, Call& call) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return malformed_problem("no such challenge", 404);
  const std::string_view type = name.substr(slash + 1);
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(Authorization one, load_authorization(name.substr(0, slash), *signed_request.account, call));
  if (one.find(type) == nullptr) return malformed_problem("no such challenge", 404);
  if (!signed_request.post_as_get) {
    // RFC 8555 7.5.1: the client is ready; only attestations come with the payload.
    ACME_TRY(const json::Value payload, payload_object(signed_request));
    if (type == device_attest) {
      ACME_TRY(one, attest(one, payload, *signed_request.account, call));
    } else {
      ACME_TRY(one, begin_and_wait(one, type, x509::client_of(request.address), call));
    }
  }
  const Challenge& challenge = *one.find(type);
  Response response{
      200, {{"Content-Type", "application/json"}}, json::write(challenge_object(one, challenge))};
  response.with("Link", "<" + url("/authorization/" + one.id) + ">;rel=\"up\"");
  if (challenge.status == "processing") {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(one.next_attempt - host_.clock().now());
    // Beyond the longest pause it is an attempt that is being made.
    response.with("Retry-After",
                  std::to_string(wait > longest_pause ? 1 : std::max<std::int64_t>(wait.count(), 1)));
  }
  return response;
}

}  // namespace hanaper::acme
