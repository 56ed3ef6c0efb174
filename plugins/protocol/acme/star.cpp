// Short-term certificates that renew themselves (STAR, RFC 8739).
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr auto longest = std::chrono::days{365};  // the directory's max-duration
constexpr std::uint32_t renewing_page = 200;

// A number of seconds; nothing when it is absent or none.
std::optional<std::chrono::seconds> seconds_at(const json::Value& object, std::string_view name) {
  const json::Value* value = object.optional(name);
  if (value == nullptr || value->integer() == nullptr || *value->integer() < 0 ||
      *value->integer() > std::chrono::seconds{longest}.count())
    return std::nullopt;
  return std::chrono::seconds{*value->integer()};
}

}  // namespace

// RFC 8739 3.1.1
std::optional<Problem> Service::read_auto_renewal(const json::Value& payload, Order& order) const {
  if (options_.star_min_lifetime.count() == 0)
    return malformed_problem("auto-renewal: certificates that renew themselves are not offered here");
  // "The ... notBefore and notAfter fields MUST NOT be present"
  if (order.not_before || order.not_after)
    return malformed_problem("auto-renewal: notBefore and notAfter must be left out");
  const json::Value& wish = *payload.optional("auto-renewal");
  const Time now = host_.clock().now();
  Order::AutoRenewal renew;
  renew.start = now;
  if (filled_in(wish, "start-date")) {
    const auto start = parse_time_text(wish.text_at("start-date"));
    if (!start) return malformed_problem("auto-renewal: start-date: " + start.error().detail);
    renew.start = std::max(*start, now);
  }
  const auto end = parse_time_text(wish.text_at("end-date"));
  if (!end) return malformed_problem("auto-renewal: end-date: " + end.error().detail);
  renew.end = *end;
  if (renew.end <= renew.start || renew.end - renew.start > longest)
    return malformed_problem("auto-renewal: end-date is not within " + duration_text(longest) +
                             " of the start");
  const auto lifetime = seconds_at(wish, "lifetime");
  if (!lifetime || *lifetime < options_.star_min_lifetime)
    return malformed_problem("auto-renewal: lifetime is a number of seconds, at least " +
                             duration_text(options_.star_min_lifetime));
  renew.lifetime = *lifetime;
  if (wish.optional("lifetime-adjust")) {
    const auto adjust = seconds_at(wish, "lifetime-adjust");
    if (!adjust || *adjust >= *lifetime)
      return malformed_problem("auto-renewal: lifetime-adjust is a number of seconds below the lifetime");
    renew.adjust = *adjust;
  }
  renew.certificate_get = flag_at(wish, "allow-certificate-get");
  if (const auto possible =
          issuer_.validity(order.profile, renew.start - renew.adjust, renew.start + renew.lifetime);
      !possible)
    return malformed_problem("auto-renewal: " + possible.error().detail);
  order.renew = renew;
  return std::nullopt;
}

// RFC 8739 3.1.2: {"status": "canceled"}
Outcome<Response> Service::cancel(const Order& order, const json::Value& payload, Call& call) {
  if (payload.text_at("status") != "canceled") return malformed_problem("such an order can only be canceled");
  if (order.status != "valid")
    return Problem{400, "autoRenewalCancellationInvalid", "the order is " + order.status + ", not valid"};
  const auto changed = store_.change_order(
      order.id,
      [&](Order& current) {
        if (current.status != "valid") return false;
        current.status = "canceled";
        current.expires = host_.clock().now();  // "MUST set an appropriate "expires" date": nothing follows
        add_event(current.history, host_.clock().now(), "canceled by the client");
        return true;
      },
      call);
  if (!changed) return problem_of(changed.error(), call);
  return present_order(*changed, 200);
}

// RFC 8739 3.3: the newest certificate; without authentication where the client wished so.
Outcome<Response> Service::star_certificate(const Request& request, std::string_view id, Call& call) {
  const bool open_to_all = request.method != Method::post;
  std::string account;
  if (!open_to_all) {
    ACME_TRY(const SignedRequest signed_request, open_post_as_get(request, call));
    account = signed_request.account->id;
  }
  const auto order = store_.order(id);
  if (!order || !order->renew || !order->certificate) return malformed_problem("no such certificate", 404);
  if (open_to_all && !order->renew->certificate_get)
    return Problem{403, "unauthorized", "this certificate is not for everybody; ask with POST-as-GET"};
  if (!open_to_all && order->account != account)
    return Problem{403, "unauthorized", "the order belongs to another account"};
  if (order->status == "canceled") return Problem{403, "autoRenewalCanceled", "the order was canceled"};
  if (order->renew->end <= host_.clock().now())
    return Problem{403, "autoRenewalExpired", "the order has ended"};
  const auto status = issuer_.status(*order->certificate);
  if (!status) return problem_of(status.error(), call);
  std::vector<Bytes> chain{status->certificate};
  for (Bytes& above : trust_.chain(order->certificate->authority)) chain.push_back(std::move(above));
  Response response = present_chain(request, "/star-certificate/" + std::string(id), std::move(chain));
  // "MUST include ... Cert-Not-Before and Cert-Not-After"
  response.with("Cert-Not-Before", http_date(status->row.not_before));
  response.with("Cert-Not-After", http_date(status->row.not_after));
  response.with("Expires", http_date(std::min(order->renew->next, status->row.not_after)));
  return response;
}

Status Service::renew_due(Call& call) {
  for (std::string after; call.remaining().count() > 0;) {
    HANAPER_TRY(const std::vector<Record> records,
                store_.orders.find("open", "renewing", after, renewing_page));
    for (const Record& record : records) {
      auto order = read_order(record);
      Status done = order ? Status() : order.error();
      if (order && order->renew && order->renew->next <= host_.clock().now())
        done = renew(*std::move(order), call);
      if (!done)
        host_.log().error("an order cannot be renewed",
                          {{"order", record.key}, {"error", done.error().detail}});
    }
    if (records.size() < renewing_page) break;
    after = records.back().key;
  }
  return {};
}

// One certificate more, in the place of the last. Two nodes that do it at once claim the same version: one.
Status Service::renew(Order order, Call& call) {
  const auto account = store_.account(order.account);
  if (!account || account->status != "valid") return {};
  const Time now = host_.clock().now();
  const std::string id = order.id;
  Order claimed = order;
  claimed.renew->next = now + std::chrono::minutes{1};
  IssueRequest request;
  request.profile = order.profile;
  request.requester = account->requester();
  request.csr = order.csr;
  request.names = order.identifiers;
  const ValidityPeriod period = order.renew->later(now);
  request.not_before = period.not_before;
  request.not_after = period.not_after;
  request.own_period = true;
  request.proofs = order.renew->proofs;
  request.account_uri = url("/account/" + order.account);
  request.approved_as = id + "/" + order.certificate->serial.hex();  // each renewal for itself
  request.with_intent.push_back(store_.write(claimed));
  Order finished = claimed;
  ++finished.version;
  request.with_record = [&](const Issued& issued) {
    finished.certificate = CertificateId{issued.authority, issued.serial};
    finished.renew->next = issued.not_after - (issued.not_after - now) / 2;
    add_event(finished.history, now, "renewed as " + issued.serial.hex());
    return std::vector<RecordWrite>{store_.write(finished), store_.write_star(issued, id)};
  };
  const Status bound = still_bound(*account, order, call);
  const auto issued = bound ? issuer_.issue(request, call) : Result<Issued>(bound.error());
  if (issued || issued.error().code == Code::conflict) return {};
  const auto changed = store_.change_order(
      id,
      [&](Order& current) {
        if (!current.renew) return false;
        current.renew->next = now + std::chrono::minutes{1};
        add_event(current.history, now, "renewal failed: " + issued.error().detail);
        return true;
      },
      call);
  return changed ? Status() : changed.error();
}

}  // namespace hanaper::acme
