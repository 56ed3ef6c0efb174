#include "service.hpp"

#include "body.hpp"
#include "csr_attributes.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/name_pattern.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/renewal.hpp>

#include <algorithm>

namespace hanaper::est {
namespace {

constexpr std::string_view certs_only_type = "application/pkcs7-mime; smime-type=certs-only";

Response text_response(int status, std::string text) {
  return Response{status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text) + "\n"};
}

int status_of(Code code) {
  switch (code) {
    case Code::malformed:
    case Code::bad_csr:
    case Code::bad_key:
    case Code::unsupported:
      return 400;
    case Code::unauthenticated:
      return 401;
    case Code::forbidden:
    case Code::rejected:
      return 403;
    case Code::not_found:
      return 404;
    case Code::conflict:
      return 409;
    case Code::rate_limited:
      return 429;
    case Code::unavailable:
      return 503;
    case Code::pending:
      return 202;
    case Code::internal:
      break;
  }
  return 500;
}

Response method_not_allowed(std::string_view allowed) {
  return text_response(405, "this operation is asked for by " + std::string(allowed))
      .with("Allow", std::string(allowed));
}

bool is_registration_authority(const Identity& identity) {
  return std::ranges::find(identity.roles, "ra") != identity.roles.end();
}

constexpr std::string_view operations[] = {"cacerts",      "simpleenroll", "simplereenroll",
                                           "serverkeygen", "csrattrs",     "fullcmc"};

}  // namespace

bool is_operation(std::string_view segment) {
  return std::ranges::find(operations, segment) != std::end(operations);
}

Service::Service(Options options, Host& host, std::string_view pipeline)
    : options_(std::move(options)),
      host_(host),
      issuer_(host.issuer(pipeline)),
      trust_(host.trust(pipeline)),
      authentication_(host.authentication(pipeline)),
      enrolled_(host.metrics().counter("hanaper_est_enrolments_total", "Enrolments by EST.",
                                       {{"result", "issued"}})),
      pending_(host.metrics().counter("hanaper_est_enrolments_total", "Enrolments by EST.",
                                      {{"result", "pending"}})),
      refused_(host.metrics().counter("hanaper_est_enrolments_total", "Enrolments by EST.",
                                      {{"result", "refused"}})) {
  if (!options_.full_cmc) return;
  CmcSecrets secrets;
  for (const auto& [name, secret] : *options_.full_cmc) secrets.emplace(name, secret.clone());
  full_cmc_.emplace(std::move(secrets), host, pipeline);
}

Response Service::handle(const Request& request, Call& call) {
  auto response = dispatch(request, call);
  return response ? *std::move(response) : present(response.error(), call);
}

Result<Response> Service::dispatch(const Request& request, Call& call) {
  const std::string_view tail = request.tail;
  const bool reads = tail == "/cacerts" || tail == "/csrattrs";
  const bool writes = tail == "/simpleenroll" || tail == "/simplereenroll" ||
                      (tail == "/serverkeygen" && options_.server_key.has_value()) ||
                      (tail == "/fullcmc" && full_cmc_.has_value());
  if (reads && request.method != Method::get && request.method != Method::head)
    return method_not_allowed("GET");
  if (writes && request.method != Method::post) return method_not_allowed("POST");
  if (tail == "/cacerts") return ca_certificates();
  if (tail == "/csrattrs") return csr_attributes();
  if (!writes) return not_found("there is no such operation here");
  auto response = tail == "/simpleenroll"     ? simple_enroll(request, call)
                  : tail == "/simplereenroll" ? simple_reenroll(request, call)
                  : tail == "/fullcmc"        ? full_cmc(request, call)
                                              : server_keygen(request, call);
  if (response) {
    (response->status == 200 ? enrolled_ : response->status == 202 ? pending_ : refused_).add();
  } else if (response.error().code == Code::pending) {
    pending_.add();
  } else {
    refused_.add();
    report(response.error(), request, call);
  }
  return response;
}

// Not in the audit: requests without credentials, by which clients ask what is wanted, and our own failures,
// which are in the log.
void Service::report(const Error& error, const Request& request, Call& call) {
  const bool asks = error.code == Code::unauthenticated && request.header("authorization").empty() &&
                    (request.tls == nullptr || request.tls->chain.empty());
  if (asks || error.code == Code::internal || error.code == Code::unavailable) return;
  host_.audit("est.refused",
              {{"operation", std::string(request.tail.substr(1))},
               {"address", std::string(request.address)},
               {"error", error.detail},
               {"call", call.id}},
              call);
}

std::string Service::encoded(ByteView octets) const { return encode_body(octets, options_.lines); }

// RFC 7030 4.1.3: "The EST server MUST include the current root CA certificate in the response", and "SHOULD
// include the three "Root CA Key Update" certificates".
Result<Response> Service::ca_certificates() const {
  std::vector<Bytes> path = trust_.path();
  for (Bytes& other : trust_.roll_over().others) path.push_back(std::move(other));
  return Response{200,
                  {{"Content-Type", std::string(certs_only_type)}, {"Content-Transfer-Encoding", "base64"}},
                  encoded(cms::certs_only({path.begin(), path.end()}))};
}

Result<Response> Service::csr_attributes() const {
  std::vector<Bytes> elements = options_.csr_attributes;
  if (options_.csr_template) {
    HANAPER_TRY(const RequestForm form, issuer_.request_form(""));
    elements.push_back(template_attribute(form));
  }
  if (elements.empty()) return Response{204, {}, {}};
  return Response{200,
                  {{"Content-Type", "application/csrattrs"}, {"Content-Transfer-Encoding", "base64"}},
                  encoded(est::csr_attributes(elements))};
}

// RFC 7030 4.2.3: "containing only the certificate that was issued."
Response Service::certificate_response(ByteView certificate) const {
  return {200,
          {{"Content-Type", std::string(certs_only_type)}, {"Content-Transfer-Encoding", "base64"}},
          encoded(cms::certs_only({certificate}))};
}

Result<Service::Asked> Service::read(const Request& request, Call& call) {
  // First who asks: strangers do not learn what we think of their requests.
  HANAPER_TRY(Identity identity, authentication_.authenticate(request, call));
  if (!is_media_type(request.header("content-type"), "application/pkcs10"))
    return malformed("the Content-Type is not application/pkcs10");
  HANAPER_TRY(Bytes body, decode_body(request.body));
  Asked asked{std::move(identity), std::move(body), {}};
  HANAPER_TRY(asked.csr, x509::parse_csr(asked.body));
  HANAPER_CHECK(check_channel_binding(request, asked.identity, asked.csr));
  return asked;
}

// RFC 7030 3.5: "If tls-unique information is included by the client, the server MUST verify it." RFC 9266
// for TLS 1.3. A registration authority has verified it already, on a connection of its own (3.7).
Status Service::check_channel_binding(const Request& request, const Identity& identity,
                                      const x509::CsrView& csr) const {
  if (options_.channel_binding == ChannelBinding::off || is_registration_authority(identity)) return {};
  const std::string_view shown = csr.challenge_password;
  if (shown.empty()) {
    if (options_.channel_binding == ChannelBinding::if_present) return {};
    return bad_csr("the request has no challengePassword that links it to this TLS connection");
  }
  if (request.tls == nullptr || request.tls->channel_binding.empty())
    return bad_csr(
        "the request's challengePassword cannot be verified: TLS does not end here, or its version 1.2 is "
        "without the extended master secret");
  const std::string expected = base64::encode(request.tls->channel_binding);
  if (!crypto::equal_constant_time(as_bytes(shown), as_bytes(expected)))
    return bad_csr("the request's challengePassword does not link it to this TLS connection");
  return {};
}

// An account asks for what it may have and for nothing else.
Status Service::check_bound(const Identity& identity, const x509::CsrView& csr) const {
  if (identity.bound_to.empty()) return {};
  HANAPER_TRY(const RequestForm form, issuer_.request_form(""));
  for (const std::vector<std::string>& patterns : identity.bound_to)
    HANAPER_CHECK(x509::check_bound(csr, patterns, form.subject == RequestForm::Subject::request));
  return {};
}

// RFC 7030 3.7: who is known by a certificate of ours alone asks for himself; only an "ra" asks for others.
// The profile then is that certificate's; where this pipeline does not have it, it speaks for nobody here.
Result<std::string> Service::check_holder(const Request& request, const Identity& identity,
                                          const x509::CsrView& csr) const {
  if (is_registration_authority(identity)) return std::string();
  HANAPER_CHECK(check_bound(identity, csr));
  if (!identity.by_certificate) return std::string();
  const ByteView shown = request.tls->chain.front();
  HANAPER_TRY(const x509::CertificateView own, x509::parse_certificate(shown));
  if (!x509::same_subject(csr.subject, own.subject) || !x509::same_alternative_names(csr, own))
    return forbidden(
        "the request's subject and names are not those of the client certificate; only a registration "
        "authority asks for others");
  // What a certificate is no good for by simplereenroll it is no good for by another name.
  const auto status = issuer_.identify(shown);
  if (!status && status.error().code == Code::not_found)
    return forbidden("the client certificate was not issued here, so that it speaks for nobody here");
  if (!status) return status.error();
  return renewed_profile(issuer_, status->row);
}

Result<Issued> Service::issue(const Asked& asked, ByteView csr, Call& call) {
  IssueRequest order;
  order.profile = asked.profile;
  order.requester = asked.identity.name;
  order.csr = csr;
  order.asked = asked.body;
  order.renews = asked.renews;
  return issuer_.issue(order, call);
}

Result<Response> Service::simple_enroll(const Request& request, Call& call) {
  HANAPER_TRY(Asked asked, read(request, call));
  // Some clients renew by this operation, with the certificate that they have.
  if (asked.identity.by_certificate && !is_registration_authority(asked.identity))
    asked.renews = request.tls->chain.front();
  HANAPER_TRY(asked.profile, check_holder(request, asked.identity, asked.csr));
  HANAPER_TRY(const Issued issued, issue(asked, asked.body, call));
  return certificate_response(issued.certificate);
}

Result<Response> Service::simple_reenroll(const Request& request, Call& call) {
  HANAPER_TRY(Asked asked, read(request, call));
  HANAPER_TRY(asked.profile, check_renewal(request, asked));
  asked.renews = request.tls->chain.front();
  HANAPER_TRY(const Issued issued, issue(asked, asked.body, call));
  return certificate_response(issued.certificate);
}

// The profile, which is that of the certificate being renewed. RFC 7030 4.2.2: "The request Subject field and
// SubjectAltName extension MUST be identical to the corresponding fields in the certificate being
// renewed/rekeyed."
Result<std::string> Service::check_renewal(const Request& request, const Asked& asked) const {
  if (request.tls == nullptr || request.tls->chain.empty())
    return forbidden("a certificate is renewed over TLS with that certificate; none was shown");
  const ByteView shown = request.tls->chain.front();
  const auto status = issuer_.identify(shown);
  if (!status && status.error().code == Code::not_found)
    return forbidden("the client certificate was not issued here, so that it cannot be renewed here");
  if (!status) return status.error();
  HANAPER_CHECK(check_current(status->row, host_.clock().now(), "the client certificate"));
  HANAPER_TRY(const x509::CertificateView old, x509::parse_certificate(shown));
  if (!x509::same_subject(asked.csr.subject, old.subject))
    return bad_csr("the request's subject is not that of the certificate being renewed");
  if (!x509::same_alternative_names(asked.csr, old))
    return bad_csr("the request's subjectAltName is not that of the certificate being renewed");
  return renewed_profile(issuer_, status->row);
}

// RFC 7030 4.4.1: "the server MUST ignore the public key values and signature in the CSR."
Result<Response> Service::server_keygen(const Request& request, Call& call) {
  HANAPER_TRY(Asked asked, read(request, call));
  HANAPER_TRY(asked.profile, check_holder(request, asked.identity, asked.csr));
  HANAPER_TRY(const Delivery delivery, Delivery::plan(asked.csr, options_.transport_keys, request.tls));
  HANAPER_TRY(const std::shared_ptr<crypto::SoftKey> key, crypto::SoftKey::generate(*options_.server_key));
  x509::CsrContent content;
  HANAPER_TRY(content.subject, x509::parse_name(asked.csr.subject));
  for (const x509::ExtensionView& extension : asked.csr.extensions)
    content.extensions.push_back({to_bytes(extension.oid), extension.critical, to_bytes(extension.value)});
  HANAPER_TRY(const Bytes csr, x509::build_csr(*key, content));
  // Drawn up before anything is issued: a certificate whose key could not be handed over helps nobody.
  HANAPER_TRY(Part key_part, delivery.wrap(*key, trust_, options_.lines, call));
  HANAPER_TRY(const Issued issued, issue(asked, csr, call));
  HANAPER_TRY(const x509::CertificateView certificate, x509::parse_certificate(issued.certificate));
  if (!equal(certificate.spki, key->spki()))
    return conflict("this request was answered before, with a key that is not kept: make another request");
  return multipart(
      {std::move(key_part),
       {std::string(certs_only_type), encoded(cms::certs_only({ByteView(issued.certificate)}))}});
}

// RFC 7030 4.3.2: "A CMC response with the content-type of "application/pkcs7-mime" MUST be included in the
// response data for any CMC error response."
Result<Response> Service::full_cmc(const Request& request, Call& call) {
  HANAPER_TRY(const Identity identity, authentication_.authenticate(request, call));
  const std::string_view type = request.header("content-type");
  if (!is_media_type(type, "application/pkcs7-mime") || !has_smime_type(type, "CMC-request"))
    return malformed("the Content-Type is not application/pkcs7-mime; smime-type=CMC-request");
  HANAPER_TRY(const Bytes body, decode_body(request.body));
  // What waits was linked to the connection it came on (RFC 7030 3.5).
  const auto check = [&](const x509::CsrView& csr, bool waits) -> Result<std::string> {
    if (!waits) HANAPER_CHECK(check_channel_binding(request, identity, csr));
    return check_holder(request, identity, csr);
  };
  HANAPER_TRY(const FullCmc::Answer answer, full_cmc_->handle(body, identity, check, call));
  if (!answer.text.empty()) report(forbidden(answer.text), request, call);
  Response response{answer.failed    ? 400
                    : answer.pending ? 202
                                     : 200,
                    {{"Content-Type", "application/pkcs7-mime; smime-type=CMC-response"},
                     {"Content-Transfer-Encoding", "base64"}},
                    encoded(answer.der)};
  if (answer.pending && answer.pending->retry_after)
    response.with("Retry-After", std::to_string(answer.pending->retry_after->count()));
  return response;
}

Response Service::present(const Error& error, Call& call) const {
  if (error.code == Code::internal) {
    host_.log().error("an EST request failed", {{"error", error.detail}, {"call", call.id}});
    return text_response(500, "an internal error; the log knows more under " + call.id);
  }
  // RFC 9110 15.5.2: a 401 "MUST send a WWW-Authenticate header field containing at least one challenge".
  const std::vector<std::string> challenges =
      error.code == Code::unauthenticated ? authentication_.challenges() : std::vector<std::string>{};
  const bool unasked = error.code == Code::unauthenticated && challenges.empty();
  Response response = text_response(unasked ? 403 : status_of(error.code), error.detail);
  // Bouncy Castle's client fails on a body where it has to log in, or to wait.
  if (response.status == 401 || response.status == 202) response = Response{response.status, {}, {}};
  for (const std::string& challenge : challenges) response.with("WWW-Authenticate", challenge);
  if (error.retry_after) response.with("Retry-After", std::to_string(error.retry_after->count()));
  return response;
}

}  // namespace hanaper::est
