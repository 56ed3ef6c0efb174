// From an HTTP request to a verified payload (RFC 8555 6), and to the handler of its resource.
#include "service.hpp"

#include <algorithm>

namespace hanaper::acme {
namespace {

std::string head_of(const std::string& body, const std::string& content_type) {
  return serialise_head(
      {200, {{"Content-Type", content_type}, {"Cache-Control", "public, max-age=300"}}, body});
}

bool is_json_problem(const Response& response) { return response.status >= 400; }

}  // namespace

Service::Service(Options options, Host& host, Issuer& issuer)
    : options_(std::move(options)),
      host_(host),
      issuer_(issuer),
      accounts_(host.collection("account")),
      keys_(host.collection("key")),
      orders_(host.collection("order")),
      directory_body_(json::write(directory())),
      directory_head_(head_of(directory_body_, "application/json")),
      bad_nonces_(host.metrics().counter("hanaper_acme_bad_nonces_total",
                                         "Requests with a nonce that was not good.")),
      orders_made_(host.metrics().counter("hanaper_acme_orders_total", "Orders made.")),
      validations_(host.metrics().counter("hanaper_acme_validations_total", "Challenges that were met.",
                                          {{"outcome", "valid"}})),
      validations_failed_(host.metrics().counter("hanaper_acme_validations_total",
                                                 "Challenges that were met.", {{"outcome", "invalid"}})) {}

// RFC 8555 7.1.1
json::Value Service::directory() const {
  json::Object meta;
  if (!options_.terms.empty()) meta.emplace_back("termsOfService", options_.terms);
  if (!options_.website.empty()) meta.emplace_back("website", options_.website);
  json::Object directory{{"newNonce", url("/new-nonce")},
                         {"newAccount", url("/new-account")},
                         {"newOrder", url("/new-order")},
                         {"revokeCert", url("/revoke-cert")}};
  if (!meta.empty()) directory.emplace_back("meta", std::move(meta));
  return directory;
}

bool Service::answer_fast(const Request& request, FastReply& reply) {
  if (request.method != Method::get && request.method != Method::head) return false;
  if (request.tail == "/directory") {
    reply.send(directory_head_, as_bytes(directory_body_));
    return true;
  }
  if (request.tail != "/new-nonce") return false;
  // RFC 8555 7.2: "HTTP status code 200 (OK)" to HEAD, "204 (No Content)" to GET, and "Cache-Control:
  // no-store".
  std::string head = request.method == Method::head ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                                                    : "HTTP/1.1 204 No Content\r\n";
  head += "Cache-Control: no-store\r\nReplay-Nonce: " + nonces_.issue() + "\r\nLink: <" + url("/directory") +
          ">;rel=\"index\"\r\n";
  reply.send(head, {});
  return true;
}

Response Service::handle(const Request& request, Call& call) {
  auto response = dispatch(request, call);
  return finish(response ? std::move(*response) : present(response.problem()), request);
}

// RFC 8555 6.5: a fresh nonce with every answer to a POST; 7.1: the index on everything but the directory.
Response Service::finish(Response response, const Request& request) {
  if (request.method == Method::post) response.with("Replay-Nonce", nonces_.issue());
  if (request.tail != "/directory") response.with("Link", "<" + url("/directory") + ">;rel=\"index\"");
  if (std::ranges::none_of(response.headers,
                           [](const Header& header) { return header.name == "Cache-Control"; }))
    response.with("Cache-Control", "no-store");
  if (is_json_problem(response) && request.method == Method::head) response.body.clear();
  return response;
}

Outcome<Response> Service::dispatch(const Request& request, Call& call) {
  using Handler = Outcome<Response> (Service::*)(const Request&, Call&);
  constexpr std::pair<std::string_view, Handler> fixed[] = {{"/new-account", &Service::new_account},
                                                            {"/new-order", &Service::new_order},
                                                            {"/revoke-cert", &Service::revoke}};
  using NamedHandler = Outcome<Response> (Service::*)(const Request&, std::string_view, Call&);
  constexpr std::tuple<std::string_view, std::string_view, NamedHandler> named[] = {
      {"/account/", "/orders", &Service::account_orders}, {"/account/", "", &Service::account},
      {"/order/", "/finalize", &Service::finalize},       {"/order/", "", &Service::order},
      {"/authorization/", "", &Service::authorization},   {"/challenge/", "", &Service::challenge},
      {"/certificate/", "", &Service::certificate}};

  const std::string_view tail = request.tail;
  const bool readable = tail == "/directory" || tail == "/new-nonce";
  const auto not_allowed = [&] {
    // RFC 8555 6.3: "the server MUST return ... status code 405 (Method Not Allowed) and type malformed"
    return malformed_problem("only POST is answered here", 405);
  };
  if (readable && request.method == Method::post) {
    // RFC 8555 6.3: "servers MUST allow ... GET requests" there, and POST-as-GET like anywhere.
    ACME_TRY(const SignedRequest signed_request, open(request, Signer::account, call));
    if (!signed_request.post_as_get) return malformed_problem("POST-as-GET has an empty payload");
    if (tail == "/new-nonce") return Response{204, {}, {}};
    return Response{200, {{"Content-Type", "application/json"}}, directory_body_};
  }
  for (const auto& [path, handler] : fixed) {
    if (tail != path) continue;
    if (request.method != Method::post) return not_allowed();
    return (this->*handler)(request, call);
  }
  for (const auto& [prefix, suffix, handler] : named) {
    if (!tail.starts_with(prefix) || !tail.ends_with(suffix) || tail.size() <= prefix.size() + suffix.size())
      continue;
    const std::string_view name = tail.substr(prefix.size(), tail.size() - prefix.size() - suffix.size());
    if (suffix.empty() && name.find('/') != std::string_view::npos && prefix != "/challenge/" &&
        prefix != "/authorization/")
      continue;
    if (request.method != Method::post) return not_allowed();
    return (this->*handler)(request, name, call);
  }
  if (readable) return not_allowed();
  return malformed_problem("no such resource", 404);
}

Outcome<SignedRequest> Service::open(const Request& request, Signer signer, Call& call) {
  // RFC 8555 6.2: "If a client sends a request with another Content-Type ... 415 (Unsupported Media Type)"
  if (!Request::same_name(request.header("content-type"), "application/jose+json"))
    return malformed_problem("content type application/jose+json is expected", 415);
  auto jws = jose::parse_jws(as_text(request.body));
  if (!jws) {
    if (jws.error().code == Code::bad_key) return Problem{400, "badPublicKey", jws.error().detail};
    return malformed_problem(jws.error().detail);
  }
  if (!jose::parse_algorithm(jws->alg)) {
    // "The problem document ... MUST include an algorithms field"
    json::Array algorithms;
    for (const std::string& name : jose::algorithms()) algorithms.emplace_back(name);
    return Problem{.status = 400,
                   .type = "badSignatureAlgorithm",
                   .detail = "alg " + jws->alg.substr(0, 32) + " is not supported",
                   .extra = {{"algorithms", std::move(algorithms)}}};
  }
  const bool by_key = jws->jwk.has_value();
  if (by_key == !jws->kid.empty()) return malformed_problem("exactly one of jwk and kid is needed");
  if ((signer == Signer::account && by_key) || (signer == Signer::key && !by_key))
    return malformed_problem(by_key ? "this resource is asked with kid" : "this resource is asked with jwk");
  // RFC 8555 6.4: compared as strings; a proxy in front is why the URL is the public one.
  const std::string expected = host_.public_url() + std::string(request.tail) +
                               (request.query.empty() ? "" : "?" + std::string(request.query));
  if (jws->url != expected)
    return Problem{
        401, "unauthorized",
        "url in the header is \"" + jws->url.substr(0, 200) + "\", the request went to \"" + expected + "\""};
  switch (nonces_.redeem(jws->nonce)) {
    case Nonces::Verdict::good:
      break;
    case Nonces::Verdict::not_a_nonce:
      return malformed_problem("nonce is not base64url");
    case Nonces::Verdict::spent:
      bad_nonces_.add();
      return Problem{400, "badNonce", "the nonce is missing, unknown or spent"};
  }

  SignedRequest result;
  Bytes spki;
  if (by_key) {
    result.jwk = std::move(jws->jwk);
    spki = result.jwk->spki;
  } else {
    const std::string prefix = url("/account/");
    if (!std::string_view(jws->kid).starts_with(prefix))
      return Problem{400, "accountDoesNotExist", "kid is no account of this service"};
    ACME_TRY(Account account, load_account(std::string_view(jws->kid).substr(prefix.size()), call));
    auto jwk = jose::parse_jwk(account.jwk);
    if (!jwk) return problem_of(internal(jwk.error().detail), call);
    spki = jwk->spki;
    result.account = std::move(account);
  }
  if (Status verified = jose::verify(*jws, spki); !verified) {
    if (verified.error().code == Code::bad_key) return Problem{400, "badPublicKey", verified.error().detail};
    return malformed_problem("jws: " + verified.error().detail);
  }
  // RFC 8555 7.3.6: "the server MUST reject" whatever a deactivated account asks.
  if (result.account && result.account->status != "valid")
    return Problem{401, "unauthorized", "the account is " + result.account->status};
  result.payload = std::move(jws->payload);
  result.post_as_get = result.payload.empty();
  return result;
}

Outcome<json::Value> Service::payload_object(const SignedRequest& request) const {
  auto payload = json::parse(as_text(request.payload));
  if (!payload) return malformed_problem("payload: " + payload.error().detail);
  if (payload->object() == nullptr) return malformed_problem("payload: an object is expected");
  return *std::move(payload);
}

}  // namespace hanaper::acme
