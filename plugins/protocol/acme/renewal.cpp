// When to renew (ACME Renewal Information, RFC 9773), and what replaces what.
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr auto ask_again = std::chrono::hours{6};
// Over how long the renewals are spread that something made due at once: no fleet returns in one minute.
constexpr auto spread = std::chrono::days{1};

// acme.sh looks for these words in a refusal, and orders once more without `replaces` when it finds them. It
// knows of the types only alreadyReplaced and malformed.
Problem not_replaced(int status, std::string type, const std::string& why) {
  return {status, std::move(type), "ARI: 'replaces': " + why};
}

}  // namespace

// RFC 9773 4.1: base64url of the authority's key identifier, ".", base64url of the serial number's octets.
Result<CertificateId> Service::find_certificate(std::string_view name) {
  const Error wrong = malformed("\"" + std::string(name.substr(0, 80)) +
                                "\" is not the unique identifier of a certificate (RFC 9773 4.1)");
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || name.size() > 200) return wrong;
  const auto authority = base64::decode_url(name.substr(0, dot));
  const auto octets = base64::decode_url(name.substr(dot + 1));
  if (!authority || authority->empty() || !octets) return wrong;
  const auto serial = Serial::from_der(*octets);
  if (!serial) return wrong;
  return issuer_.find(*authority, *serial);
}

std::vector<Service::EarlyRenewal> Service::early_renewals(Call&) {
  std::vector<EarlyRenewal> list;
  const auto record = store_.shared.get("renew-early");
  const auto document = record ? json::parse(record->data) : Result<json::Value>(record.error());
  if (!document || document->array() == nullptr) return list;
  for (const json::Value& item : *document->array()) {
    const json::Value *from = item.find("from"), *to = item.find("to");
    if (from && from->integer() && to && to->integer())
      list.push_back({std::string(item.text_at("profile")), Time{std::chrono::milliseconds{*from->integer()}},
                      Time{std::chrono::milliseconds{*to->integer()}}});
  }
  return list;
}

ValidityPeriod Service::renewal_window(const CertificateStatus& status, Call& call) {
  const CertificateRow& row = status.row;
  const auto lifetime = row.not_after - row.not_before;
  // A third of its life before the end, a twentieth of its life long: the client picks a time within.
  ValidityPeriod window{row.not_after - lifetime / 3, row.not_after - lifetime / 3 + lifetime / 20};
  const auto earlier = [&](Time from, Time to) {
    if (from < window.not_before) window = {from, to};
  };
  for (const EarlyRenewal& early : early_renewals(call))
    if (early.profile == row.profile && row.not_before < early.from) earlier(early.from, early.to);
  // Another authority has taken over: everybody moves to it.
  if (row.authority != trust_.authority())
    if (const std::vector<Bytes> path = trust_.path(); !path.empty())
      if (const auto authority = x509::parse_certificate(path.front()))
        earlier(authority->not_before, authority->not_before + spread);
  // 4.2: revoked certificates are to be replaced at once.
  if (row.revoked && !row.released) {
    const Time revoked = row.revoked_at.value_or(row.not_before);
    window = {revoked - std::chrono::hours{1}, revoked - std::chrono::seconds{1}};
  }
  window.not_before = std::chrono::floor<std::chrono::seconds>(window.not_before);
  window.not_after = std::max<Time>(std::chrono::floor<std::chrono::seconds>(window.not_after),
                                    window.not_before + std::chrono::seconds{1});
  return window;
}

Outcome<Response> Service::renewal_info(const Request&, std::string_view name, Call& call) {
  const auto id = find_certificate(name);
  if (!id)
    return id.error().code == Code::unavailable
               ? problem_of(id.error(), call)
               : malformed_problem(id.error().detail, id.error().code == Code::not_found ? 404 : 400);
  const auto status = issuer_.status(*id);
  if (!status) return problem_of(status.error(), call);
  const ValidityPeriod window = renewal_window(*status, call);
  json::Object object{{"suggestedWindow", json::Object{{"start", time_text(window.not_before)},
                                                       {"end", time_text(window.not_after)}}}};
  if (!options_.website.empty()) object.emplace_back("explanationURL", options_.website);
  Response response{200, {{"Content-Type", "application/json"}}, json::write(json::Value(std::move(object)))};
  response.with("Retry-After", std::to_string(std::chrono::seconds{ask_again}.count()));
  return response;
}

// RFC 9773 5. The record that says so is written with the order: one order wins, on whatever nodes.
Outcome<Service::Replacement> Service::replace(const SignedRequest& request, const Order& order, Call& call) {
  const auto id = find_certificate(order.replaces);
  if (!id && id.error().code == Code::unavailable) return problem_of(id.error(), call);
  if (!id) return not_replaced(400, "malformed", id.error().detail);
  const auto status = issuer_.status(*id);
  if (!status) return problem_of(status.error(), call);
  if (status->row.requester != request.account->requester())
    return not_replaced(403, "unauthorized", "the certificate was ordered by another account");
  const auto view = x509::parse_certificate(status->certificate);
  const x509::ExtensionView* extension = view ? view->find(oid::subject_alt_name) : nullptr;
  auto names =
      extension ? x509::parse_general_names(extension->value) : Result<x509::GeneralNames>(not_found("none"));
  if (!names || std::ranges::none_of(names->names, [&](const Identifier& name) {
        return std::ranges::find(order.identifiers, name) != order.identifiers.end();
      }))
    return not_replaced(400, "malformed", "the certificate and the order have no name in common");
  RecordWrite write;
  write.key = certificate_name(*id);
  write.data = order.id;
  write.expires = status->row.not_after + std::chrono::days{30};
  if (const auto earlier = store_.replaced.get(write.key)) {
    // An order that came to nothing frees it.
    auto other = store_.order(earlier->data);
    if (other && other->status == "pending") {
      const auto authorizations = store_.authorizations_of(*other);
      if (authorizations) other->settle(host_.clock().now(), *authorizations);
    }
    if (other && other->status != "invalid")
      return not_replaced(409, "alreadyReplaced", "another order replaces that certificate");
    write.expected = earlier->version;
  }
  return Replacement{store_.replaced.bind(std::move(write)), std::move(names->names)};
}

}  // namespace hanaper::acme
