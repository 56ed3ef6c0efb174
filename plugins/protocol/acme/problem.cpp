#include "problem.hpp"

namespace hanaper::acme {

Problem malformed_problem(std::string detail, int status) { return {status, "malformed", std::move(detail)}; }

Problem problem_of(const Error& error, const Call& call) {
  Problem problem{400, "malformed", error.detail, error.retry_after};
  switch (error.code) {
    case Code::malformed:
    case Code::unsupported:
      break;
    case Code::unauthenticated:
      problem.status = 401, problem.type = "unauthorized";
      break;
    case Code::forbidden:
      problem.status = 403, problem.type = "unauthorized";
      break;
    case Code::not_found:
      problem.status = 404;
      break;
    case Code::conflict:
      // What exactly is the storage's own business.
      problem = {503, "serverInternal", "another request changed the same at the same moment; try again",
                 std::chrono::seconds{1}};
      break;
    case Code::rejected:
      // The validator's word for what its records say (RFC 8555 6.7 has a type of its own for that).
      problem.status = 403, problem.type = error.detail.starts_with("caa: ") ? "caa" : "rejectedIdentifier";
      break;
    case Code::bad_csr:
    case Code::bad_key:
      problem.type = "badCSR";
      break;
    case Code::rate_limited:
      problem.status = 429, problem.type = "rateLimited";
      break;
    case Code::pending:
    case Code::unavailable:
      problem.status = 503, problem.type = "serverInternal";
      break;
    case Code::internal:
      problem = {500, "serverInternal", "something went wrong here; tell the operator the call " + call.id};
      break;
  }
  return problem;
}

json::Value to_json(const Problem& problem) {
  json::Object object{{"type", "urn:ietf:params:acme:error:" + problem.type}, {"detail", problem.detail}};
  if (problem.identifier)
    object.emplace_back("identifier", json::Object{{"type", to_string(problem.identifier->kind)},
                                                   {"value", problem.identifier->value}});
  else
    object.emplace_back("status", problem.status);
  for (const json::Member& member : problem.extra) object.push_back(member);
  if (!problem.subproblems.empty()) {
    json::Array parts;
    for (const Problem& part : problem.subproblems) parts.push_back(to_json(part));
    object.emplace_back("subproblems", std::move(parts));
  }
  return object;
}

Response present(const Problem& problem) {
  Response response{
      problem.status, {{"Content-Type", "application/problem+json"}}, json::write(to_json(problem))};
  for (const Header& header : problem.headers) response.with(header.name, header.value);
  if (!problem.allow.empty()) response.with("Allow", problem.allow);
  if (problem.retry_after) response.with("Retry-After", std::to_string(problem.retry_after->count()));
  return response;
}

}  // namespace hanaper::acme
