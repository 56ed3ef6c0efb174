// From an HTTP request to a verified payload (RFC 8555 6), and to the handler of its resource.
#include "service.hpp"

#include <hanaper/toolkit/public_key.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

// RFC 8555 6.1: "Such servers SHOULD set the Access-Control-Allow-Origin header field to the value "*"."
// Browsers read the other fields only where they are named.
constexpr std::string_view any_origin[][2] = {
    {"Access-Control-Allow-Origin", "*"},
    {"Access-Control-Expose-Headers", "Link, Location, Replay-Nonce, Retry-After"}};
// What a browser asks before a POST of this content type (Fetch 3.2.3), for a day.
constexpr std::string_view preflight[][2] = {{"Access-Control-Allow-Methods", "GET, HEAD, POST"},
                                             {"Access-Control-Allow-Headers", "Content-Type"},
                                             {"Access-Control-Max-Age", "86400"}};

void share(Response& response) {
  for (const auto& [name, value] : any_origin) response.with(std::string(name), std::string(value));
}

std::string head_of(const std::string& body, const std::string& content_type) {
  Response response{200, {{"Content-Type", content_type}, {"Cache-Control", "public, max-age=300"}}, body};
  share(response);
  return serialise_head(response);
}

// acme.sh knows by these words that it may try again, and by no type.
Problem bad_nonce() {
  return {400, "badNonce", "JWS has an invalid anti-replay nonce: it is missing, unknown or spent"};
}

}  // namespace

Service::Service(Options options, Host& host, std::string_view pipeline)
    : options_(std::move(options)),
      host_(host),
      issuer_(host.issuer(pipeline)),
      trust_(host.trust(pipeline)),
      store_(host),
      bad_nonces_(host.metrics().counter("hanaper_acme_bad_nonces_total",
                                         "Requests with a nonce that was not good.")),
      orders_made_(host.metrics().counter("hanaper_acme_orders_total", "Orders made.")),
      validations_(host.metrics().counter("hanaper_acme_validations_total", "Challenges that were validated.",
                                          {{"outcome", "valid"}})),
      validations_failed_(host.metrics().counter(
          "hanaper_acme_validations_total", "Challenges that were validated.", {{"outcome", "invalid"}})) {}

// RFC 8555 7.1.1
json::Value Service::directory(const std::vector<std::string>& known) const {
  json::Object meta;
  if (!options_.terms.empty()) meta.emplace_back("termsOfService", options_.terms);
  if (!options_.website.empty()) meta.emplace_back("website", options_.website);
  if (!options_.caa_identities.empty())
    meta.emplace_back("caaIdentities",
                      json::Array(options_.caa_identities.begin(), options_.caa_identities.end()));
  if (options_.external_account_required) meta.emplace_back("externalAccountRequired", true);
  meta.emplace_back("subdomainAuthAllowed", true);  // RFC 9444 4.4
  json::Object profiles;
  for (const std::string& profile : known)
    profiles.emplace_back(profile, "certificates of the profile " + profile);
  if (!profiles.empty()) meta.emplace_back("profiles", std::move(profiles));
  if (options_.star_min_lifetime.count() > 0)
    // RFC 8739 3.2: seconds
    meta.emplace_back(
        "auto-renewal",
        json::Object{{"min-lifetime",
                      std::chrono::duration_cast<std::chrono::seconds>(options_.star_min_lifetime).count()},
                     {"max-duration", std::chrono::seconds{std::chrono::days{365}}.count()},
                     {"allow-certificate-get", true}});
  return json::Object{{"newNonce", url("/new-nonce")},       {"newAccount", url("/new-account")},
                      {"newOrder", url("/new-order")},       {"newAuthz", url("/new-authz")},
                      {"revokeCert", url("/revoke-cert")},   {"keyChange", url("/key-change")},
                      {"renewalInfo", url("/renewal-info")}, {"meta", std::move(meta)}};
}

// Once more when a reload has changed the profiles.
void Service::write_directory() {
  const std::shared_ptr<const DirectoryPage> last = directory_.load();
  DirectoryPage page{issuer_.profiles(), {}, {}};
  if (last && last->profiles == page.profiles) return;
  page.body = json::write(directory(page.profiles));
  page.head = head_of(page.body, "application/json");
  directory_.store(std::make_shared<const DirectoryPage>(std::move(page)));
}

bool Service::answer_fast(const Request& request, FastReply& reply) {
  if (request.method != Method::get && request.method != Method::head) return false;
  if (request.tail == "/directory") {
    const std::shared_ptr<const DirectoryPage> page = directory_.load();
    reply.send(page->head, as_bytes(page->body));
    return true;
  }
  if (request.tail != "/new-nonce") return false;
  // RFC 8555 7.2: "HTTP status code 200 (OK)" to HEAD, "204 (No Content)" to GET, and "Cache-Control:
  // no-store".
  std::string head = request.method == Method::head ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                                                    : "HTTP/1.1 204 No Content\r\n";
  head += "Cache-Control: no-store\r\nReplay-Nonce: " + nonces_.issue(host_.clock().now()) + "\r\nLink: <" +
          url("/directory") + ">;rel=\"index\"\r\n";
  for (const auto& [name, value] : any_origin) head.append(name).append(": ").append(value).append("\r\n");
  reply.send(head, {});
  return true;
}

// RFC 8555 6.5: a fresh nonce with every answer to a POST; 7.1: the index on everything but the directory.
Response Service::handle(const Request& request, Call& call) {
  auto outcome = dispatch(request, call);
  Response response = outcome ? std::move(*outcome) : present(outcome.problem());
  const auto has = [&](std::string_view name) {
    return std::ranges::find(response.headers, name, &Header::name) != response.headers.end();
  };
  if (request.method == Method::post) response.with("Replay-Nonce", nonces_.issue(host_.clock().now()));
  if (request.tail != "/directory") response.with("Link", "<" + url("/directory") + ">;rel=\"index\"");
  if (!has("Cache-Control")) response.with("Cache-Control", "no-store");
  share(response);
  if (response.status >= 400 && request.method == Method::head) response.body.clear();
  return response;
}

Outcome<Response> Service::dispatch(const Request& request, Call& call) {
  using Handler = Outcome<Response> (Service::*)(const Request&, Call&);
  constexpr std::pair<std::string_view, Handler> fixed[] = {{"/new-account", &Service::new_account},
                                                            {"/new-order", &Service::new_order},
                                                            {"/new-authz", &Service::new_authorization},
                                                            {"/revoke-cert", &Service::revoke},
                                                            {"/key-change", &Service::key_change}};
  using NamedHandler = Outcome<Response> (Service::*)(const Request&, std::string_view, Call&);
  struct Named {
    std::string_view prefix, suffix;
    NamedHandler handler;
    bool get = false;  // answered without a signature
  };
  constexpr Named named[] = {{"/account/", "/orders", &Service::account_orders},
                             {"/account/", "", &Service::account},
                             {"/order/", "/finalize", &Service::finalize},
                             {"/order/", "", &Service::order},
                             {"/authorization/", "", &Service::authorization},
                             {"/challenge/", "", &Service::challenge},
                             {"/certificate/", "", &Service::certificate},
                             {"/star-certificate/", "", &Service::star_certificate, true},
                             {"/renewal-info/", "", &Service::renewal_info, true}};
  const std::string_view tail = request.tail;
  if (request.method == Method::options) {
    Response response{204, {{"Allow", "GET, HEAD, POST, OPTIONS"}}, {}};
    for (const auto& [name, value] : preflight) response.with(std::string(name), std::string(value));
    return response;
  }
  const bool reads = request.method == Method::get || request.method == Method::head;
  const auto not_allowed = [&](std::string_view methods) {
    // RFC 8555 6.3: "the server MUST return ... status code 405 (Method Not Allowed) and type malformed"
    Problem problem = malformed_problem("only " + std::string(methods) + " is answered here", 405);
    problem.allow = methods;
    return problem;
  };
  if (tail == "/directory" || tail == "/new-nonce") {
    // RFC 8555 6.3: GET is answered from memory; POST-as-GET "MUST" work as well.
    if (request.method != Method::post) return not_allowed("GET, HEAD, POST");
    ACME_TRY(const SignedRequest checked, open_post_as_get(request, call));
    if (tail == "/new-nonce") return Response{204, {}, {}};
    return Response{200, {{"Content-Type", "application/json"}}, directory_.load()->body};
  }
  for (const auto& [path, handler] : fixed) {
    if (tail != path) continue;
    if (request.method != Method::post) return not_allowed("POST");
    return (this->*handler)(request, call);
  }
  for (const Named& resource : named) {
    if (!tail.starts_with(resource.prefix) || !tail.ends_with(resource.suffix) ||
        tail.size() <= resource.prefix.size() + resource.suffix.size())
      continue;
    const std::string_view name =
        tail.substr(resource.prefix.size(), tail.size() - resource.prefix.size() - resource.suffix.size());
    if (resource.handler == &Service::renewal_info
            ? !reads
            : !(request.method == Method::post || (resource.get && reads)))
      return not_allowed(resource.handler == &Service::renewal_info ? "GET, HEAD" : "POST");
    return (this->*resource.handler)(request, name, call);
  }
  return malformed_problem("no such resource", 404);
}

std::optional<Problem> Service::check_form(const jose::Jws& jws, Signer signer) const {
  if (!jose::parse_algorithm(jws.alg)) {
    // "The problem document ... MUST include an algorithms field"
    json::Array algorithms;
    for (const std::string& name : jose::algorithms()) algorithms.emplace_back(name);
    return Problem{.status = 400,
                   .type = "badSignatureAlgorithm",
                   .detail = "alg " + jws.alg.substr(0, 32) + " is not supported",
                   .extra = {{"algorithms", std::move(algorithms)}}};
  }
  const bool by_key = jws.jwk.has_value();
  if (by_key == !jws.kid.empty()) return malformed_problem("exactly one of jwk and kid is needed");
  if ((signer == Signer::account && by_key) || (signer == Signer::key && !by_key))
    return malformed_problem(by_key ? "this resource is asked with kid" : "this resource is asked with jwk");
  return std::nullopt;
}

std::string Service::requested_url(const Request& request) const {
  return host_.public_url() + std::string(request.tail) +
         (request.query.empty() ? "" : "?" + std::string(request.query));
}

std::optional<Problem> Service::spend_nonce(const std::string& nonce, Call& call) {
  Problem bad = bad_nonce();
  if (!nonces_.shared()) {
    if (nonces_.spend(nonce, host_.clock().now())) return std::nullopt;
    bad_nonces_.add();
    return bad;
  }
  RecordWrite spent;
  spent.key = nonce;
  spent.expires = host_.clock().now() + Nonces::lifetime + std::chrono::minutes{10};
  const Status stored = store_.commit({store_.nonces.bind(std::move(spent))}, call);
  if (stored) return std::nullopt;
  if (stored.error().code != Code::conflict) return problem_of(stored.error(), call);
  bad_nonces_.add();
  return bad;
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
  if (auto problem = check_form(*jws, signer)) return *std::move(problem);
  // RFC 8555 6.4: compared as strings; a proxy in front is why the URL is the public one.
  if (const std::string expected = requested_url(request); jws->url != expected)
    return Problem{
        401, "unauthorized",
        "url in the header is \"" + jws->url.substr(0, 200) + "\", the request went to \"" + expected + "\""};
  switch (nonces_.check(jws->nonce, host_.clock().now())) {
    case Nonces::Verdict::good:
      break;
    case Nonces::Verdict::not_a_nonce:
      return malformed_problem("nonce is not base64url");
    case Nonces::Verdict::bad:
      bad_nonces_.add();
      return bad_nonce();
  }
  SignedRequest result;
  Bytes spki;
  if (jws->jwk) {
    const auto key = x509::parse_public_key(jws->jwk->spki);
    if (Status good = key ? x509::check_public_key(*key) : Status(key.error()); !good)
      return Problem{400, "badPublicKey", good.error().detail};
    result.jwk = std::move(jws->jwk);
    spki = result.jwk->spki;
  } else {
    const std::string prefix = url("/account/");
    if (!std::string_view(jws->kid).starts_with(prefix))
      return Problem{400, "accountDoesNotExist", "kid is no account of this service"};
    ACME_TRY(Account account, load_account(std::string_view(jws->kid).substr(prefix.size()), call));
    spki = account.spki;
    result.account = std::move(account);
  }
  if (Status verified = jose::verify(*jws, spki); !verified) {
    if (verified.error().code == Code::bad_key) return Problem{400, "badPublicKey", verified.error().detail};
    return malformed_problem("jws: " + verified.error().detail);
  }
  // Only now: who cannot sign spends nothing.
  if (auto problem = spend_nonce(jws->nonce, call)) return *std::move(problem);
  // RFC 8555 7.3.6: "the server MUST reject" whatever a deactivated account asks.
  if (result.account && result.account->status != "valid")
    return Problem{401, "unauthorized", "the account is " + result.account->status};
  result.url = std::move(jws->url);
  result.payload = std::move(jws->payload);
  result.post_as_get = result.payload.empty();
  return result;
}

Outcome<SignedRequest> Service::open_post_as_get(const Request& request, Call& call) {
  ACME_TRY(SignedRequest signed_request, open(request, Signer::account, call));
  if (!signed_request.post_as_get) return malformed_problem("POST-as-GET has an empty payload");
  return signed_request;
}

Outcome<json::Value> payload_object(const SignedRequest& request) {
  auto payload = json::parse(as_text(request.payload));
  if (!payload) return malformed_problem("payload: " + payload.error().detail);
  if (payload->object() == nullptr) return malformed_problem("payload: an object is expected");
  return *std::move(payload);
}

}  // namespace hanaper::acme
