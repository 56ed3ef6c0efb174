// Orders, authorizations, finalization, certificates (RFC 8555 7.4, 7.5).
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <charconv>

namespace hanaper::acme {
namespace {

constexpr std::size_t max_identifiers = 100;

struct Member {
  std::string_view order;
  std::size_t index = 0;
  std::string_view rest;  // behind the index's slash
};

// "ORDER/INDEX" or "ORDER/INDEX/REST".
std::optional<Member> split_member(std::string_view name) {
  Member member;
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  member.order = name.substr(0, slash);
  name.remove_prefix(slash + 1);
  const std::size_t next = name.find('/');
  const std::string_view digits = name.substr(0, next);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), member.index);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (next != std::string_view::npos) member.rest = name.substr(next + 1);
  return member;
}

}  // namespace

// RFC 8555 7.4: every identifier on its own, so that the client learns about all that are wrong.
Outcome<std::vector<Identifier>> Service::read_identifiers(const json::Value& payload, const Account& account,
                                                           Call& call) {
  const json::Value* list = payload.find("identifiers");
  if (list == nullptr || list->array() == nullptr || list->array()->empty())
    return malformed_problem("identifiers: a list of at least one is expected");
  if (list->array()->size() > max_identifiers)
    return malformed_problem("identifiers: more than " + std::to_string(max_identifiers));
  std::vector<Identifier> identifiers;
  std::vector<Problem> wrong;
  for (const json::Value& item : *list->array()) {
    const std::string_view type = item.text_at("type"), value = item.text_at("value");
    if (type.empty() || value.empty()) return malformed_problem("identifiers: type and value are expected");
    if (type != "dns" && type != "ip")
      return Problem{400, "unsupportedIdentifier",
                     "identifiers of type \"" + std::string(type.substr(0, 32)) + "\" are not supported"};
    auto identifier =
        x509::normal_identifier(type == "dns" ? Identifier::Kind::dns : Identifier::Kind::ip, value);
    if (!identifier) return malformed_problem(identifier.error().detail);
    if (std::ranges::find(identifiers, *identifier) != identifiers.end()) continue;
    if (Status permitted = issuer_.permits({}, {*identifier}, "acme:account/" + account.id, call);
        !permitted) {
      if (permitted.error().code != Code::rejected) return problem_of(permitted.error(), call);
      wrong.push_back({.status = 403,
                       .type = "rejectedIdentifier",
                       .detail = permitted.error().detail,
                       .identifier = *identifier});
    }
    identifiers.push_back(*std::move(identifier));
  }
  if (wrong.size() == 1)
    return Problem{
        .status = 403, .type = "rejectedIdentifier", .detail = wrong.front().detail, .subproblems = wrong};
  if (!wrong.empty())
    return Problem{.status = 403,
                   .type = "rejectedIdentifier",
                   .detail = std::to_string(wrong.size()) + " identifiers are not accepted",
                   .subproblems = std::move(wrong)};
  return identifiers;
}

Outcome<Authorization> Service::make_authorization(const Identifier& identifier) const {
  Authorization authorization;
  authorization.identifier = identifier;
  authorization.wildcard = identifier.value.starts_with("*.");
  if (authorization.wildcard) authorization.identifier.value.erase(0, 2);
  authorization.expires = host_.clock().now() + options_.order_lifetime;
  for (const std::string& type : options_.challenges) {
    // RFC 8555 8.3: one file at one host proves nothing about all names below it.
    if (authorization.wildcard && type == "http-01") continue;
    authorization.challenges.push_back({type, crypto::random_name(24), "pending", {}, {}});
  }
  if (authorization.challenges.empty())
    return Problem{.status = 403,
                   .type = "rejectedIdentifier",
                   .detail = "no challenge offered here can prove \"" + identifier.value + "\""};
  return authorization;
}

Outcome<Response> Service::new_order(const Request& request, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  Order order;
  order.account = signed_request.account->id;
  ACME_TRY(order.identifiers, read_identifiers(payload, *signed_request.account, call));
  for (auto [name, target] : {std::pair{"notBefore", &order.not_before}, {"notAfter", &order.not_after}}) {
    const json::Value* value = payload.find(name);
    if (value == nullptr) continue;
    const auto time =
        value->text() ? parse_time_text(*value->text()) : Result<Time>(malformed("a text is expected"));
    if (!time) return malformed_problem(std::string(name) + ": " + time.error().detail);
    *target = *time;
  }
  for (const Identifier& identifier : order.identifiers) {
    ACME_TRY(Authorization authorization, make_authorization(identifier));
    order.authorizations.push_back(std::move(authorization));
  }
  order.id = crypto::random_name(15);
  order.expires = host_.clock().now() + options_.order_lifetime;
  if (const Status stored = host_.commit({orders_.bind(record_of(order))}, call); !stored)
    return problem_of(stored.error(), call);
  orders_made_.add();
  return present_order(order, 201);
}

Outcome<Order> Service::load_order(std::string_view id, const Account& account, Call& call) {
  const auto record = id.size() > 64 ? Result<Record>(not_found("no such order")) : orders_.get(id);
  if (!record && record.error().code == Code::not_found) return malformed_problem("no such order", 404);
  if (!record) return problem_of(record.error(), call);
  auto order = read_order(*record);
  if (!order) return problem_of(order.error(), call);
  if (order->account != account.id)
    return Problem{403, "unauthorized", "the order belongs to another account"};
  order->settle(host_.clock().now());
  return *std::move(order);
}

Response Service::present_order(const Order& order, int status) const {
  json::Array identifiers, authorizations;
  for (std::size_t i = 0; i < order.identifiers.size(); ++i) {
    identifiers.push_back(identifier_json(order.identifiers[i]));
    authorizations.emplace_back(url("/authorization/" + order.id + "/" + std::to_string(i)));
  }
  json::Object object{{"status", order.status},
                      {"expires", time_text(order.expires)},
                      {"identifiers", std::move(identifiers)},
                      {"authorizations", std::move(authorizations)},
                      {"finalize", url("/order/" + order.id + "/finalize")}};
  if (order.not_before) object.emplace_back("notBefore", time_text(*order.not_before));
  if (order.not_after) object.emplace_back("notAfter", time_text(*order.not_after));
  if (order.status == "valid") object.emplace_back("certificate", url("/certificate/" + order.id));
  if (order.error.object()) object.emplace_back("error", order.error);
  Response response{
      status, {{"Content-Type", "application/json"}}, json::write(json::Value(std::move(object)))};
  response.with("Location", url("/order/" + order.id));
  if (order.status == "processing") response.with("Retry-After", "1");
  return response;
}

Outcome<Response> Service::order(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  if (!signed_request.post_as_get) return malformed_problem("POST-as-GET has an empty payload");
  ACME_TRY(const Order order, load_order(id, *signed_request.account, call));
  return present_order(order, 200);
}

json::Value Service::challenge_object(const Order& order, std::size_t index,
                                      const Challenge& challenge) const {
  json::Object object{
      {"type", challenge.type},
      {"url", url("/challenge/" + order.id + "/" + std::to_string(index) + "/" + challenge.type)},
      {"status", challenge.status},
      {"token", challenge.token}};
  if (challenge.validated) object.emplace_back("validated", time_text(*challenge.validated));
  if (challenge.error.object()) object.emplace_back("error", challenge.error);
  return object;
}

json::Value Service::authorization_object(const Order& order, std::size_t index) const {
  const Authorization& authorization = order.authorizations[index];
  json::Array challenges;
  for (const Challenge& challenge : authorization.challenges) {
    // RFC 8555 7.1.4: "for final authorizations, the challenge that was used"
    if (authorization.status == "valid" && challenge.status != "valid") continue;
    challenges.push_back(challenge_object(order, index, challenge));
  }
  json::Object object{{"identifier", identifier_json(authorization.identifier)},
                      {"status", authorization.status},
                      {"expires", time_text(authorization.expires)},
                      {"challenges", std::move(challenges)}};
  // "For ... wildcard ... MUST be present and true; for others MUST be absent"
  if (authorization.wildcard) object.emplace_back("wildcard", true);
  return object;
}

Outcome<Response> Service::authorization(const Request& request, std::string_view name, Call& call) {
  const auto member = split_member(name);
  if (!member || !member->rest.empty()) return malformed_problem("no such authorization", 404);
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(Order order, load_order(member->order, *signed_request.account, call));
  if (member->index >= order.authorizations.size()) return malformed_problem("no such authorization", 404);
  if (!signed_request.post_as_get) {
    // RFC 8555 7.5.2: deactivation is the one change a client can make.
    ACME_TRY(const json::Value payload, payload_object(signed_request));
    if (payload.text_at("status") != "deactivated")
      return malformed_problem("an authorization can only be deactivated");
    const Status changed = change_order(
        order.id,
        [&](Order& current) {
          std::string& status = current.authorizations[member->index].status;
          if (status != "pending" && status != "valid") return false;
          status = "deactivated";
          return true;
        },
        call);
    if (!changed) return problem_of(changed.error(), call);
    ACME_TRY(order, load_order(member->order, *signed_request.account, call));
  }
  Response response{
      200, {{"Content-Type", "application/json"}}, json::write(authorization_object(order, member->index))};
  if (std::ranges::any_of(order.authorizations[member->index].challenges,
                          [](const Challenge& challenge) { return challenge.status == "processing"; }))
    response.with("Retry-After", "1");
  return response;
}

Outcome<Response> Service::challenge(const Request& request, std::string_view name, Call& call) {
  const auto member = split_member(name);
  if (!member) return malformed_problem("no such challenge", 404);
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(Order order, load_order(member->order, *signed_request.account, call));
  const auto find = [&](Order& in) -> Challenge* {
    if (member->index >= in.authorizations.size()) return nullptr;
    auto& challenges = in.authorizations[member->index].challenges;
    const auto found = std::ranges::find(challenges, member->rest, &Challenge::type);
    return found == challenges.end() ? nullptr : &*found;
  };
  Challenge* challenge = find(order);
  if (challenge == nullptr) return malformed_problem("no such challenge", 404);
  if (!signed_request.post_as_get && challenge->status == "pending" &&
      order.authorizations[member->index].status == "pending") {
    // RFC 8555 7.5.1: the client is ready. Fields of the payload are for other kinds of challenges.
    ACME_TRY(const json::Value payload, payload_object(signed_request));
    const Status changed = change_order(
        order.id,
        [&](Order& current) {
          Challenge* stored = find(current);
          if (stored == nullptr || stored->status != "pending" || current.status != "pending") return false;
          stored->status = "processing";
          return true;
        },
        call);
    if (!changed) return problem_of(changed.error(), call);
    if (Status scheduled = schedule_validation(order.id, member->index, challenge->type); !scheduled)
      return problem_of(scheduled.error(), call);
    ACME_TRY(order, load_order(member->order, *signed_request.account, call));
    challenge = find(order);
  }
  Response response{200,
                    {{"Content-Type", "application/json"}},
                    json::write(challenge_object(order, member->index, *challenge))};
  response.with(
      "Link", "<" + url("/authorization/" + order.id + "/" + std::to_string(member->index)) + ">;rel=\"up\"");
  if (challenge->status == "processing") response.with("Retry-After", "1");
  return response;
}

// Reads, changes and writes the order until nobody came between; `change` says whether there is anything to
// write.
Status Service::change_order(const std::string& id, const std::function<bool(Order&)>& change, Call& call) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    HANAPER_TRY(const Record record, orders_.get(id));
    HANAPER_TRY(Order order, read_order(record));
    const bool settled = order.settle(host_.clock().now());
    if (!change(order) && !settled) return {};
    order.settle(host_.clock().now());
    const Status stored = host_.commit({orders_.bind(record_of(order))}, call);
    if (stored || stored.error().code != Code::conflict) return stored;
  }
  return unavailable("the order is changed by many at once");
}

Outcome<Response> Service::finalize(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  ACME_TRY(Order order, load_order(id, *signed_request.account, call));
  // RFC 8555 7.4: "A request to finalize an order will result in error if the order is not in the 'ready'
  // state"
  if (order.status != "ready") return Problem{403, "orderNotReady", "the order is " + order.status};
  const auto csr = base64::decode_url(payload.text_at("csr"));
  if (!csr || csr->empty())
    return Problem{400, "badCSR", "csr: " + (csr ? std::string("is missing") : csr.error().detail)};
  ACME_TRY(const Issued issued, issue(order, *csr, call));
  host_.log().info(
      "certificate issued",
      {{"order", order.id}, {"account", order.account}, {"serial", issued.serial.hex()}, {"call", call.id}});
  return present_order(order, 200);
}

// The order is claimed with the intent and finished with the signature, in the same commits: two finalize
// requests, on whatever nodes, cannot both issue, and a crash leaves either a ready or a valid order.
Outcome<Issued> Service::issue(Order& order, ByteView csr, Call& call) {
  Order claimed = order;
  claimed.status = "processing";
  IssueRequest request;
  request.requester = "acme:account/" + order.account;
  request.csr = csr;
  request.names = order.identifiers;
  request.not_before = order.not_before;
  request.not_after = order.not_after;
  request.with_intent.push_back(orders_.bind(record_of(claimed)));
  Order finished = claimed;
  finished.version = order.version + 1;
  finished.status = "valid";
  request.with_record = [&](const Issued& issued) {
    finished.certificate = CertificateId{issued.authority, issued.serial};
    finished.keep_until = issued.not_after;
    return std::vector<RecordWrite>{orders_.bind(record_of(finished))};
  };
  auto issued = issuer_.issue(request, call);
  if (issued) {
    order = std::move(finished);
    ++order.version;
    return *std::move(issued);
  }
  const Code code = issued.error().code;
  // RFC 8555 7.4: a CSR that is not accepted leaves the order ready for a better one. What failed after the
  // claim is given back, so that the client may try again.
  if (code == Code::unavailable || code == Code::internal) {
    const Status released = change_order(
        order.id,
        [](Order& current) {
          if (current.status != "processing") return false;
          current.status = "ready";
          return true;
        },
        call);
    if (!released)
      host_.log().warning("order left in processing",
                          {{"order", order.id}, {"error", released.error().detail}});
  }
  if (code == Code::conflict) return Problem{403, "orderNotReady", "the order is being finalized already"};
  return problem_of(issued.error(), call);
}

Outcome<Response> Service::certificate(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  if (!signed_request.post_as_get) return malformed_problem("POST-as-GET has an empty payload");
  ACME_TRY(const Order order, load_order(id, *signed_request.account, call));
  if (!order.certificate) return malformed_problem("the order has no certificate", 404);
  const auto status = issuer_.status(*order.certificate);
  if (!status) return problem_of(status.error(), call);
  std::string chain = pem::encode("CERTIFICATE", status->certificate);
  for (const Bytes& above : issuer_.chain()) chain += pem::encode("CERTIFICATE", above);
  return Response{200, {{"Content-Type", "application/pem-certificate-chain"}}, std::move(chain)};
}

}  // namespace hanaper::acme
