#include "endpoints.hpp"

#include <hanaper/toolkit/json.hpp>

namespace hanaper {

Response StatusEndpoint::handle(const Request& request, Call&) {
  if (request.method != Method::get && request.method != Method::head)
    return {405, {{"Allow", "GET, HEAD"}, {"Content-Type", "text/plain"}}, "405 Method Not Allowed\n"};
  if (request.path == "/health/live")
    return {200,
            {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
            "{\"status\":\"alive\"}\n"};
  if (request.path == "/health/ready") return ready();
  if (request.path == "/metrics")
    return {
        200, {{"Content-Type", "text/plain; version=0.0.4"}, {"Cache-Control", "no-store"}}, metrics_.text()};
  return {404, {{"Content-Type", "text/plain"}}, "404 Not Found\n"};
}

Response StatusEndpoint::ready() const {
  json::Object checks;
  bool all = true;
  for (const auto& [name, status] : readiness_.run()) {
    checks.emplace_back(name, status ? std::string("ok") : status.error().detail);
    all = all && status.has_value();
  }
  const json::Value body(
      json::Object{{"status", all ? "ready" : "not ready"}, {"checks", std::move(checks)}});
  return {all ? 200 : 503,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          json::write_pretty(body) + "\n"};
}

}  // namespace hanaper
