#include "endpoints.hpp"

#include <hanaper/toolkit/json.hpp>

#include <algorithm>

namespace hanaper {

bool StatusEndpoint::answer_fast(const Request& request, FastReply& reply) {
  if (request.method != Method::get && request.method != Method::head) return false;
  const auto response = health(request.path);
  if (!response) return false;
  reply.send(serialise_head(*response),
             request.method == Method::head ? ByteView{} : as_bytes(response->body));
  return true;
}

Response StatusEndpoint::handle(const Request& request, Call&) {
  if (request.method != Method::get && request.method != Method::head)
    return {405, {{"Allow", "GET, HEAD"}, {"Content-Type", "text/plain"}}, "405 Method Not Allowed\n"};
  if (request.path == "/metrics")
    return {
        200, {{"Content-Type", "text/plain; version=0.0.4"}, {"Cache-Control", "no-store"}}, metrics_.text()};
  return {404, {{"Content-Type", "text/plain"}}, "404 Not Found\n"};
}

std::optional<Response> StatusEndpoint::health(std::string_view path) const {
  if (path == "/health/live")
    return Response{200,
                    {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
                    "{\"status\":\"alive\"}\n"};
  if (path == "/health/ready" || path == "/health/status") readiness_.asked();
  if (path == "/health/ready") return report(Purpose::issue, "ready", "not ready");
  if (path == "/health/status") return report(Purpose::status, "ready", "not ready");
  if (path == "/health/node") return report({}, "good", "degraded");
  return std::nullopt;
}

// The checks for that purpose, or all of them.
Response StatusEndpoint::report(std::optional<Purpose> purpose, std::string_view good,
                                std::string_view bad) const {
  json::Object checks;
  bool all = true;
  for (const auto& outcome : readiness_.report()) {
    if (purpose && outcome.purpose != *purpose) continue;
    all = all && outcome.status.has_value();
    std::string text = outcome.status ? "ok" : outcome.status.error().detail;
    // One check may be for several purposes.
    const auto same = std::ranges::find(checks, outcome.name, [](const auto& check) { return check.first; });
    if (same == checks.end())
      checks.emplace_back(outcome.name, std::move(text));
    else if (!outcome.status)
      same->second = std::move(text);
  }
  const json::Value body(
      json::Object{{"status", std::string(all ? good : bad)}, {"checks", std::move(checks)}});
  return {all ? 200 : 503,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          json::write_pretty(body) + "\n"};
}

bool RootsEndpoint::answer_fast(const Request& request, FastReply& reply) {
  const bool head = request.method == Method::head;
  if (request.path != path || roots_.empty() || (!head && request.method != Method::get)) return false;
  const Response response{
      200, {{"Content-Type", "application/x-pem-file"}, {"Cache-Control", "max-age=3600"}}, roots_};
  reply.send(serialise_head(response), head ? ByteView{} : as_bytes(response.body));
  return true;
}

Response RootsEndpoint::handle(const Request& request, Call&) {
  if (request.path == path && !roots_.empty())
    return {405, {{"Allow", "GET, HEAD"}, {"Content-Type", "text/plain"}}, "405 Method Not Allowed\n"};
  return {404, {{"Content-Type", "text/plain"}}, "404 Not Found\n"};
}

}  // namespace hanaper
