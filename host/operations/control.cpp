#include "control.hpp"

namespace hanaper::operations {
namespace {

int http_status(Code code) {
  switch (code) {
    case Code::internal:
      return 500;
    case Code::unavailable:
      return 503;
    default:
      return 400;
  }
}

Response answer(int status, json::Object object) {
  return {status, {{"Content-Type", "application/json"}}, json::write(json::Value(std::move(object)))};
}

}  // namespace

json::Value error_value(const Error& error) {
  return json::Object{{"code", to_string(error.code)}, {"detail", error.detail}};
}

Response ControlEndpoint::handle(const Request& request, Call& call) {
  if (request.method != Method::post)
    return answer(405, {{"error", error_value(malformed("POST is expected"))}});
  const auto ask = [&]() -> Result<json::Value> {
    HANAPER_TRY(const json::Value body, json::parse(as_text(request.body), {4 * 1024 * 1024, 16, 100'000}));
    const json::Value* arguments = body.find("arguments");
    if (arguments == nullptr) return malformed("operation and arguments are expected");
    return run(node_, control_caller(request.address), body.text_at("operation"), *arguments,
               Door::control_socket, call);
  };
  auto result = ask();
  if (result) return answer(200, {{"result", *std::move(result)}});
  return answer(http_status(result.error().code), {{"error", error_value(result.error())}});
}

}  // namespace hanaper::operations
