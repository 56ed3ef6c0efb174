// hanaper requests: what waits for approval, and the answer to it.
#include "node_commands.hpp"
#include "session.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>
#include <iostream>

namespace hanaper::cli {
namespace {

constexpr std::uint32_t page = 500;
constexpr std::size_t most = 10'000;

json::Value described(const issuance::RememberedRequest& request) {
  json::Object object{{"request", request.id},
                      {"state", to_string(request.state)},
                      {"pipeline", request.pipeline},
                      {"profile", request.profile},
                      {"requester", request.requester},
                      {"subject", request.subject},
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

Result<json::Value> list_requests(Node& node, std::string_view wanted) {
  const auto* state = std::ranges::find(states, wanted, [](auto one) { return to_string(one); });
  if (state == std::end(states))
    return malformed("--state: requests are pending, approved, denied, issuing or issued, never \"" +
                     std::string(wanted) + "\"");
  json::Array rows;
  std::string after;
  while (rows.size() < most) {
    HANAPER_TRY(const std::vector<issuance::RememberedRequest> found,
                node.requests().list(*state, after, page));
    for (const issuance::RememberedRequest& request : found) rows.push_back(described(request));
    if (found.size() < page) break;
    after = found.back().id;
  }
  return json::Value(json::Object{{"requests", std::move(rows)}});
}

void print_requests(const json::Value& answer) {
  std::vector<std::vector<std::string>> rows = {
      {"REQUEST", "STATE", "PIPELINE", "REQUESTER", "SUBJECT", "ASKED"}};
  for (const json::Value& request : *answer.find("requests")->array())
    rows.push_back({std::string(request.text_at("request")), std::string(request.text_at("state")),
                    std::string(request.text_at("pipeline")), std::string(request.text_at("requester")),
                    std::string(request.text_at("subject")), std::string(request.text_at("asked"))});
  std::cout << table(rows);
}

}  // namespace

Result<json::Value> requests(Node& node, const json::Value& arguments, Call& call) {
  const std::string_view action = arguments.text_at("action"), id = arguments.text_at("request");
  if (action == "list") return list_requests(node, arguments.text_at("state"));
  if (action != "approve" && action != "deny")
    return malformed("no such action \"" + std::string(action) + "\"");
  HANAPER_TRY(const issuance::RememberedRequest request,
              node.requests().decide(id, action == "approve", std::string(arguments.text_at("reason")),
                                     std::string(arguments.text_at("user")), call));
  return described(request);
}

int run_requests(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string& action = arguments.positional.front();
  const bool list = action == "list";
  if (!list && action != "approve" && action != "deny")
    misuse("requests list, approve or deny; see hanaper help requests");
  if (arguments.positional.size() != (list ? 1U : 2U))
    misuse(list ? "requests list takes no argument" : "requests " + action + " wants the id of a request");
  const json::Value answer =
      session.run("requests", json::Object{{"action", action},
                                           {"request", list ? std::string() : arguments.positional[1]},
                                           {"state", arguments.text("--state", "pending")},
                                           {"reason", arguments.text("--reason", "")}});
  if (arguments.has("--json"))
    std::cout << json::write_pretty(answer) << "\n";
  else if (list)
    print_requests(answer);
  else
    std::cout << answer.text_at("request") << " " << answer.text_at("state") << ": "
              << answer.text_at("subject") << "\n";
  return 0;
}

}  // namespace hanaper::cli
