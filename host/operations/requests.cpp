// Requests that wait for approval, and the answer to them.
#include "table.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::operations {
namespace {

constexpr std::int64_t most_in_a_page = 500;

json::Value described(const issuance::RememberedRequest& request) {
  json::Object object{{"request", request.id},
                      {"state", to_string(request.state)},
                      {"pipeline", request.pipeline},
                      {"profile", request.profile},
                      {"requester", request.requester},
                      {"subject", request.subject},
                      {"purposes", request.purposes},
                      {"asked", time_text(request.asked_at)},
                      {"moved", time_text(request.moved_at)}};
  if (!request.by.empty()) object.emplace_back("by", request.by);
  if (!request.reason.empty()) object.emplace_back("reason", request.reason);
  if (!request.certificate.serial.empty()) object.emplace_back("serial", request.certificate.serial.hex());
  return json::Value(std::move(object));
}

constexpr issuance::RequestState states[] = {issuance::RequestState::pending,
                                             issuance::RequestState::approved, issuance::RequestState::denied,
                                             issuance::RequestState::issuing, issuance::RequestState::issued};

Result<json::Value> decide(Node& node, const Caller& caller, const Arguments& arguments, bool approve,
                           const std::string& reason, Call& call) {
  HANAPER_TRY(const issuance::RememberedRequest request,
              node.requests().decide(arguments.text("request"), approve, reason, caller.name, call));
  return described(request);
}

}  // namespace

Result<json::Value> list_requests(Node& node, const Caller&, const Arguments& arguments, Call&) {
  const auto* state =
      std::ranges::find(states, arguments.text("state"), [](auto one) { return to_string(one); });
  const auto limit = static_cast<std::uint32_t>(
      arguments.has("limit") ? std::min(arguments.integer("limit"), most_in_a_page) : most_in_a_page);
  HANAPER_TRY(const std::vector<issuance::RememberedRequest> found,
              node.requests().list(*state, arguments.text("after"), limit));
  json::Array rows;
  for (const issuance::RememberedRequest& request : found) rows.push_back(described(request));
  return items(std::move(rows), found.size() == limit ? found.back().id : std::string());
}

Result<json::Value> approve_request(Node& node, const Caller& caller, const Arguments& arguments,
                                    Call& call) {
  return decide(node, caller, arguments, true, arguments.text("comment"), call);
}

Result<json::Value> deny_request(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  return decide(node, caller, arguments, false, arguments.text("reason"), call);
}

}  // namespace hanaper::operations
