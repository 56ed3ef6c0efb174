// Orders (RFC 8555 7.1.3, 7.4).
#include "service.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::acme {

// The members of a newOrder that say how the certificate shall be.
std::optional<Problem> Service::read_wishes(const json::Value& payload, Order& order) const {
  if (const json::Value* profile = filled_in(payload, "profile")) {
    // draft-ietf-acme-profiles 3
    const std::vector<std::string> known = issuer_.profiles();
    if (profile->text() == nullptr || std::ranges::find(known, *profile->text()) == known.end())
      return Problem{400, "invalidProfile", "profile: there is no such profile; the directory lists them"};
    order.profile = *profile->text();
  }
  for (auto [name, target] : {std::pair{"notBefore", &order.not_before}, {"notAfter", &order.not_after}}) {
    const json::Value* value = filled_in(payload, name);
    if (value == nullptr) continue;
    const auto time =
        value->text() ? parse_time_text(*value->text()) : Result<Time>(malformed("a text is expected"));
    if (!time) return malformed_problem(std::string(name) + ": " + time.error().detail);
    *target = *time;
  }
  if (payload.optional("auto-renewal")) return read_auto_renewal(payload, order);
  // 7.4: "If the server is unable to fulfill the ... notBefore/notAfter ... it MUST reject"
  if (order.not_before || order.not_after)
    if (const auto possible = issuer_.validity(order.profile, order.not_before, order.not_after); !possible)
      return malformed_problem(possible.error().detail);
  return std::nullopt;
}

std::optional<Problem> Service::check_limits(const Order& order, const std::vector<Identifier>& replaced) {
  const Time now = host_.clock().now();
  const auto problem = [](const Status& status) {
    return Problem{429, "rateLimited", status.error().detail, status.error().retry_after};
  };
  // Whoever fails all the time is made to wait.
  if (Status failures = options_.limits.check("failures-per-account", order.account, now); !failures)
    return problem(failures);
  if (Status taken = options_.limits.take("orders-per-account", order.account, now); !taken)
    return problem(taken);
  for (const Identifier& identifier : order.identifiers) {
    // A renewal in time is never kept back by a limit of names.
    if (std::ranges::find(replaced, identifier) != replaced.end()) continue;
    if (Status taken = options_.limits.take("names-per-account", order.account, now); !taken)
      return problem(taken);
    // Of that account alone: nothing is proven yet, and a stranger must not use up what is the owner's.
    if (Status taken = options_.limits.take("orders-per-name", order.account + " " + identifier.value, now);
        !taken)
      return problem(taken);
  }
  return std::nullopt;
}

// Finds or makes an authorization for each identifier; the new ones are to be written with the order.
Outcome<std::vector<RecordWrite>> Service::authorize(const std::vector<Wanted>& wanted, Order& order,
                                                     std::vector<Authorization>& of, Call& call) {
  std::vector<RecordWrite> writes;
  std::vector<Authorization> made;
  for (const Wanted& each : wanted) {
    ACME_TRY(std::optional<Authorization> found,
             reusable(each.identifier, order.account, each.ancestor, call));
    if (found) {
      order.expires = std::min(order.expires, found->expires);
      add_event(order.history, host_.clock().now(),
                each.identifier.value + ": authorization " + found->id + " is used again");
    }
    // Two names below one ancestor share its authorization.
    if (!found)
      if (const auto shared = std::ranges::find_if(
              made, [&](const Authorization& other) { return other.covers(each.identifier); });
          shared != made.end())
        found = *shared;
    if (!found) {
      const Identifier proven =
          each.ancestor.empty() ? each.identifier : Identifier{Identifier::Kind::dns, each.ancestor};
      ACME_TRY(found, make_authorization(proven, !each.ancestor.empty(), order.account));
      writes.push_back(store_.write(*found));
      made.push_back(*found);
    }
    order.authorizations.push_back(found->id);
    of.push_back(*std::move(found));
  }
  if (!made.empty())
    if (auto problem = check_pending(order.account, made.size(), call)) return *std::move(problem);
  return writes;
}

Outcome<Response> Service::new_order(const Request& request, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  const Account& account = *signed_request.account;
  if (auto problem = check_terms(account)) return *std::move(problem);
  ACME_TRY(const std::vector<Wanted> wanted, read_identifiers(payload));
  Order order;
  order.id = crypto::random_name(15);
  order.account = account.id;
  order.expires = host_.clock().now() + options_.order_lifetime;
  for (const Wanted& each : wanted) order.identifiers.push_back(each.identifier);
  if (auto problem = read_wishes(payload, order)) return *std::move(problem);
  if (auto problem = check_permitted(order.identifiers, order.profile, account, call))
    return *std::move(problem);
  std::vector<RecordWrite> writes;
  std::vector<Identifier> replaced;
  if (const json::Value* replaces = filled_in(payload, "replaces")) {
    if (replaces->text() == nullptr) return malformed_problem("ARI: 'replaces': a text is expected");
    order.replaces = *replaces->text();
    ACME_TRY(Replacement replacement, replace(signed_request, order, call));
    writes.push_back(std::move(replacement.write));
    replaced = std::move(replacement.names);
  }
  ACME_TRY(const std::optional<ExternalKey> binding, charge_binding(account, order, call));
  if (binding) writes.push_back(store_.write(*binding));
  if (auto problem = check_limits(order, replaced)) return *std::move(problem);
  add_event(order.history, host_.clock().now(), "order made from " + std::string(request.address));
  std::vector<Authorization> authorizations;
  ACME_TRY(std::vector<RecordWrite> new_ones, authorize(wanted, order, authorizations, call));
  std::ranges::move(new_ones, std::back_inserter(writes));
  writes.push_back(store_.write(order));
  if (auto problem = outlast(account, order.expires, call)) return *std::move(problem);
  const Status stored = store_.commit(std::move(writes), call);
  if (!stored && stored.error().code == Code::conflict) {
    if (!order.replaces.empty())
      return Problem{409, "alreadyReplaced", "ARI: 'replaces': another order replaces that certificate"};
    return Problem{503, "serverInternal", "the external account is in use elsewhere; try again",
                   std::chrono::seconds{1}};
  }
  if (!stored) return problem_of(stored.error(), call);
  orders_made_.add();
  order.settle(host_.clock().now(), authorizations);
  return present_order(order, 201);
}

Outcome<Order> Service::load_order(std::string_view id, const Account& account, Call& call) {
  auto order = store_.order(id);
  if (!order && order.error().code == Code::not_found) return malformed_problem("no such order", 404);
  if (!order) return problem_of(order.error(), call);
  if (order->account != account.id)
    return Problem{403, "unauthorized", "the order belongs to another account"};
  if (order->status == "pending") {
    const auto authorizations = store_.authorizations_of(*order);
    if (!authorizations) return problem_of(authorizations.error(), call);
    order->settle(host_.clock().now(), *authorizations);
    if (order->status == "invalid")
      for (const Authorization& each : *authorizations)
        for (const Challenge& challenge : each.challenges)
          if (challenge.status == "invalid") order->error = challenge.error;
  }
  return *std::move(order);
}

Response Service::present_order(const Order& order, int status) const {
  json::Array identifiers, authorizations;
  for (const Identifier& identifier : order.identifiers) identifiers.push_back(identifier_json(identifier));
  for (const std::string& id : order.authorizations) {
    json::Value address = url("/authorization/" + id);
    if (std::ranges::find(authorizations, address) == authorizations.end())
      authorizations.push_back(std::move(address));
  }
  json::Object object{{"status", order.status},
                      {"expires", time_text(order.expires)},
                      {"identifiers", std::move(identifiers)},
                      {"authorizations", std::move(authorizations)},
                      {"finalize", url("/order/" + order.id + "/finalize")}};
  if (order.not_before) object.emplace_back("notBefore", time_text(*order.not_before));
  if (order.not_after) object.emplace_back("notAfter", time_text(*order.not_after));
  if (!order.profile.empty()) object.emplace_back("profile", order.profile);
  if (!order.replaces.empty()) object.emplace_back("replaces", order.replaces);
  if (order.renew) {
    const Order::AutoRenewal& renew = *order.renew;
    object.emplace_back("auto-renewal", json::Object{{"start-date", time_text(renew.start)},
                                                     {"end-date", time_text(renew.end)},
                                                     {"lifetime", renew.lifetime.count()},
                                                     {"lifetime-adjust", renew.adjust.count()},
                                                     {"allow-certificate-get", renew.certificate_get}});
  }
  if (order.status == "valid")
    object.emplace_back(order.renew ? "star-certificate" : "certificate",
                        url((order.renew ? "/star-certificate/" : "/certificate/") + order.id));
  if (order.error.object()) object.emplace_back("error", order.error);
  Response response{
      status, {{"Content-Type", "application/json"}}, json::write(json::Value(std::move(object)))};
  response.with("Location", url("/order/" + order.id));
  if (order.status == "processing") response.with("Retry-After", order.awaits_approval ? "15" : "1");
  return response;
}

Outcome<Response> Service::order(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(const Order order, load_order(id, *signed_request.account, call));
  if (signed_request.post_as_get) return present_order(order, 200);
  if (!order.renew) return malformed_problem("POST-as-GET has an empty payload");
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  return cancel(order, payload, call);
}

}  // namespace hanaper::acme
