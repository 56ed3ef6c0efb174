// Finalization (RFC 8555 7.4): from a ready order to a certificate, whatever comes between.
//
// The order is claimed with the intent to sign, and finished with the signature, in the same commits: two
// finalize requests, on whatever nodes, cannot both issue. A claimed order keeps its request; when whoever
// claimed it does not come back, any node takes it up and goes on, so that processing is always followed by
// valid or invalid. So is an order that waits for an operator's approval: it is taken up now and then until
// the operator decides.
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr auto claim_time = std::chrono::seconds{60};  // longer than a request may take
constexpr auto retry_time = std::chrono::seconds{3};
constexpr auto approval_look = std::chrono::seconds{15};  // how soon a decision is noticed
constexpr std::uint32_t issuing_page = 200;

Problem not_ready(const Order& order) { return {403, "orderNotReady", "the order is " + order.status}; }

}  // namespace

// RFC 8555 11.1: "The CSR's key ... MUST NOT be an account key", of whatever account.
std::optional<Problem> Service::check_csr_key(ByteView csr, Call& call) {
  const auto view = x509::parse_csr(csr);
  if (!view) return Problem{400, "badCSR", view.error().detail};
  const auto value = jose::jwk_of(view->spki);
  const auto jwk = value ? jose::parse_jwk(*value) : Result<jose::Jwk>(value.error());
  if (!jwk) return std::nullopt;  // no account can have such a key; what it is worth is judged later
  const auto owner = store_.keys.get(jwk->thumbprint);
  if (owner) return Problem{400, "badCSR", "the request's key is an account's key"};
  if (owner.error().code != Code::not_found) return problem_of(owner.error(), call);
  return std::nullopt;
}

Outcome<Response> Service::finalize(const Request& request, std::string_view id, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  ACME_TRY(Order order, load_order(id, *signed_request.account, call));
  // "A request to finalize an order will result in error if the order is not in the 'ready' state"
  if (order.status != "ready") return not_ready(order);
  const auto csr = base64::decode_url(payload.text_at("csr"));
  if (!csr || csr->empty())
    return Problem{400, "badCSR", "csr: " + (csr ? std::string("is missing") : csr.error().detail)};
  if (auto problem = check_csr_key(*csr, call)) return *std::move(problem);
  order.csr = *csr;
  // Before there is a certificate: it shall have its account.
  if (signed_request.account->expires)
    if (const Status kept = store_.keep_account(signed_request.account->id, {}, call); !kept)
      return problem_of(kept.error(), call);
  const auto issued = issue(order, *signed_request.account, call);
  if (issued) return present_order(order, 200);
  // A request that is refused leaves the order ready for a better one.
  const Code code = issued.error().code;
  ACME_TRY(const Order after, load_order(id, *signed_request.account, call));
  // Another request was faster. A client that asks the same twice is told of the order all the same.
  const bool other = code == Code::conflict && after.csr != order.csr;
  if (other && after.status != "ready") return not_ready(after);
  // It waits for approval, or broke off after the claim: it goes on by itself.
  if (after.status == "processing" || after.status == "valid") return present_order(after, 200);
  return problem_of(issued.error(), call);
}

// RFC 8555 7.5.2: what is deactivated, or has expired, issues nothing, however far its order has come.
Status Service::check_authorized(const Order& order, const std::vector<Authorization>& of) const {
  for (std::size_t i = 0; i < order.identifiers.size(); ++i) {
    const std::string& name = order.identifiers[i].value;
    if (of[i].status != "valid")
      return forbidden("the authorization of \"" + name + "\" is " + of[i].status + ", not valid");
    if (!of[i].covers(order.identifiers[i]))
      return forbidden("the authorization of \"" + name + "\" is for another name");
  }
  return {};
}

// Issues by the order's request, and leaves the order as it is stored then.
Result<Issued> Service::issue(Order& order, const Account& account, Call& call) {
  HANAPER_TRY(const std::vector<Authorization> authorizations, store_.authorizations_of(order));
  HANAPER_CHECK(check_authorized(order, authorizations));
  HANAPER_CHECK(check_attested(order, authorizations));
  HANAPER_CHECK(still_bound(account, order, call));
  const Time now = host_.clock().now();
  Order claimed = order;
  claimed.status = "processing";
  claimed.claimed_until = now + claim_time;
  claimed.run = host_.run();
  claimed.awaits_approval = false;
  add_event(claimed.history, now, "finalization began, call " + call.id);
  IssueRequest request;
  request.profile = order.profile;
  request.requester = account.requester();
  request.csr = order.csr;
  request.names = order.identifiers;
  request.not_before = order.not_before;
  request.not_after = order.not_after;
  const Time due = order.renew ? std::max(now, order.renew->start) : now;
  if (order.renew) {
    const ValidityPeriod first = order.renew->first(due);
    request.not_before = first.not_before;
    request.not_after = first.not_after;
    request.own_period = true;
  }
  request.account_uri = url("/account/" + order.account);
  request.approved_as = order.id;
  for (std::size_t i = 0; i < order.identifiers.size(); ++i)
    for (const Challenge& challenge : authorizations[i].challenges)
      if (challenge.status == "valid") request.proofs.push_back({order.identifiers[i], challenge.type});
  request.with_pending = [&](std::string_view id) {
    Order waiting = order;
    waiting.status = "processing";
    waiting.awaits_approval = true;
    waiting.claimed_until = now + approval_look;
    add_event(waiting.history, now, "request " + std::string(id) + " waits for approval");
    return std::vector<RecordWrite>{store_.write(waiting)};
  };
  request.with_intent.push_back(store_.write(claimed));
  Order finished = claimed;
  finished.version = order.version + 1;
  finished.status = "valid";
  if (!order.renew) finished.csr.clear();
  request.with_record = [&](const Issued& issued) {
    std::vector<RecordWrite> writes;
    finished.certificate = CertificateId{issued.authority, issued.serial};
    finished.keep_until = issued.not_after;
    if (finished.renew) {
      finished.renew->proofs = request.proofs;
      finished.renew->next = issued.not_after - (issued.not_after - due) / 2;
      finished.keep_until = std::max(issued.not_after, finished.renew->end);
      writes.push_back(store_.write_star(issued, order.id));
    }
    add_event(finished.history, host_.clock().now(), "issued " + issued.serial.hex());
    writes.push_back(store_.write(finished));
    return writes;
  };
  auto issued = issuer_.issue(request, call);
  if (!issued) return issued;
  order = std::move(finished);
  ++order.version;
  host_.log().info(
      "certificate issued",
      {{"order", order.id}, {"account", order.account}, {"serial", issued->serial.hex()}, {"call", call.id}});
  return issued;
}

// Goes on with a claimed order that nobody works at any more.
Status Service::finish(const std::string& id, Call& call) {
  HANAPER_TRY(Order order, store_.order(id));
  const bool abandoned = !order.awaits_approval && host_.is_over(order.run);
  if (order.status != "processing" || (order.claimed_until > host_.clock().now() && !abandoned)) return {};
  const auto account = store_.account(order.account);
  if (!account && account.error().code != Code::not_found) return account.error();
  const bool wanted = account && account->status == "valid" && order.expires > host_.clock().now();
  const auto issued =
      wanted ? issue(order, *account, call) : Result<Issued>(forbidden("its account or its time is over"));
  if (issued || issued.error().code == Code::conflict) return {};  // done, or somebody else is at it
  const Code code = issued.error().code;
  const bool waits = code == Code::pending;
  const bool again = waits || code == Code::unavailable || code == Code::internal;
  const auto changed = store_.change_order(
      id,
      [&](Order& current) {
        if (current.status != "processing") return false;
        const Time now = host_.clock().now();
        current.claimed_until = now + (waits ? approval_look : retry_time);
        current.run = host_.run();
        if (waits) return true;
        add_event(current.history, now, "finalization failed: " + issued.error().detail);
        if (!again) {
          current.status = "invalid";
          current.error = to_json(problem_of(issued.error(), call));
        }
        return true;
      },
      call);
  return changed ? Status() : changed.error();
}

Status Service::take_up_issuing(Call& call) {
  for (std::string after; call.remaining().count() > 0;) {
    HANAPER_TRY(const std::vector<Record> records,
                store_.orders.find("open", "issuing", after, issuing_page));
    for (const Record& record : records)
      if (Status done = finish(record.key, call); !done)
        host_.log().error("an order cannot be finished",
                          {{"order", record.key}, {"error", done.error().detail}});
    if (records.size() < issuing_page) break;
    after = records.back().key;
  }
  return {};
}

}  // namespace hanaper::acme
