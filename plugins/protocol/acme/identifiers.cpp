// The identifiers of orders and authorizations (RFC 8555 7.1.3, RFC 8738, RFC 9444).
#include "service.hpp"

#include "methods.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr std::size_t max_identifiers = 100;

}  // namespace

bool Service::provable(Identifier::Kind kind) const {
  if (names_device(kind)) return options_.offers(device_attest);
  return kind == Identifier::Kind::dns || kind == Identifier::Kind::ip;
}

Outcome<Wanted> Service::read_identifier(const json::Value& item) const {
  const std::string_view type = item.text_at("type"), value = item.text_at("value");
  if (type.empty() || value.empty()) return malformed_problem("identifier: type and value are expected");
  const auto* kind =
      std::ranges::find(identifier_kinds, type, [](Identifier::Kind one) { return to_string(one); });
  if (kind == std::end(identifier_kinds) || !provable(*kind))
    return Problem{400, "unsupportedIdentifier",
                   "identifiers of type \"" + std::string(type.substr(0, 32)) + "\" are not supported"};
  auto identifier = x509::normal_identifier(*kind, value);
  if (!identifier) return malformed_problem(identifier.error().detail);
  // RFC 8738 3: "MUST contain the textual form of the address as defined in ... [RFC5952] Section 4"
  if (identifier->kind == Identifier::Kind::ip && identifier->value != value)
    return malformed_problem("identifier: \"" + std::string(value.substr(0, 64)) + "\" is written \"" +
                             identifier->value + "\" (RFC 5952)");
  Wanted wanted{*std::move(identifier), {}};
  const json::Value* ancestor = filled_in(item, "ancestorDomain");
  if (ancestor == nullptr) return wanted;
  // RFC 9444 4.2: "a DNS domain which is an ancestor of the requested identifier"
  const auto domain = ancestor->text() ? x509::normal_identifier(Identifier::Kind::dns, *ancestor->text())
                                       : Result<Identifier>(malformed("a text is expected"));
  if (!domain) return malformed_problem("ancestorDomain: " + domain.error().detail);
  Authorization above;
  above.identifier = *domain;
  above.subdomains = true;
  if (is_wildcard(*domain) || !above.covers(wanted.identifier))
    return malformed_problem("ancestorDomain: " + domain->value + " is not above " + wanted.identifier.value);
  wanted.ancestor = domain->value;
  return wanted;
}

Outcome<std::vector<Wanted>> Service::read_identifiers(const json::Value& payload) const {
  const json::Value* list = payload.optional("identifiers");
  if (list == nullptr || list->array() == nullptr || list->array()->empty())
    return malformed_problem("identifiers: a list of at least one is expected");
  if (list->array()->size() > max_identifiers)
    return malformed_problem("identifiers: more than " + std::to_string(max_identifiers));
  std::vector<Wanted> all;
  for (const json::Value& item : *list->array()) {
    ACME_TRY(Wanted wanted, read_identifier(item));
    if (std::ranges::find(all, wanted.identifier, &Wanted::identifier) == all.end())
      all.push_back(std::move(wanted));
  }
  return all;
}

std::optional<Problem> Service::check_permitted(const std::vector<Identifier>& identifiers,
                                                const std::string& profile, const Account& account,
                                                Call& call) {
  std::vector<Problem> refused;
  for (const Identifier& identifier : identifiers) {
    const Status permitted = issuer_.permits(profile, {identifier}, account.requester(), call);
    if (permitted) continue;
    if (permitted.error().code != Code::rejected) return problem_of(permitted.error(), call);
    refused.push_back({.status = 403,
                       .type = "rejectedIdentifier",
                       .detail = permitted.error().detail,
                       .identifier = identifier});
  }
  if (refused.empty()) return std::nullopt;
  const std::string detail = refused.size() == 1
                                 ? refused.front().detail
                                 : std::to_string(refused.size()) + " identifiers are not accepted";
  return Problem{
      .status = 403, .type = "rejectedIdentifier", .detail = detail, .subproblems = std::move(refused)};
}

}  // namespace hanaper::acme
