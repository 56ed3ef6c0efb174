#include "service.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/renewal.hpp>
#include <hanaper/toolkit/url.hpp>

#include <algorithm>

namespace hanaper::scep {
namespace {

constexpr std::string_view message_type = "application/x-pki-message";
// For as long a request that waits for approval can be asked about.
constexpr auto kept_for = std::chrono::days{90};
// Of a CRL that is sent in an answer, in memory several times over.
constexpr ByteCount crl_limit{4 * 1024 * 1024};

Response text_response(int status, std::string text) {
  return Response{status, {{"Content-Type", "text/plain"}}, std::move(text)};
}

// The first parameter of that name, escapes undone; empty when absent. A '+' stays: the message is base64.
Result<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return url::decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
  }
  return std::string{};
}

// RFC 8894 4.1 has base64 here; its '+' may come as it is, which others read as a space, or in lines.
Result<Bytes> message_of_query(std::string_view query) {
  HANAPER_TRY(std::string text, parameter(query, "message"));
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  std::ranges::replace(text, ' ', '+');
  if (text.empty()) return malformed("the message is missing");
  return base64::decode(text);
}

constexpr const char* unknown_certificate = "there is no such certificate here";

Failure bad_request_of(const Error& error) {
  return {error.code == Code::bad_key || error.code == Code::unsupported ? FailInfo::bad_algorithm
                                                                         : FailInfo::bad_request,
          error.detail,
          {},
          error.code == Code::forbidden};
}

// What a request says, however often it is signed.
Fingerprint digest_of(ByteView csr) {
  const auto view = x509::parse_csr(csr);
  return crypto::sha256(view ? view->info : csr);
}

// The name of a request among the pipeline's.
std::string once_of(std::string_view transaction, ByteView csr, std::int64_t generation) {
  return "scep:" + to_hex(crypto::sha256(
                       {as_bytes(transaction), digest_of(csr), as_bytes(std::to_string(generation))}));
}

// What is a failure of ours, or passes by itself, is none of the request: HTTP says so, and clients come
// again.
bool is_passing(Code code) {
  return code == Code::internal || code == Code::unavailable || code == Code::rate_limited;
}

}  // namespace

Service::Service(Options options, Host& host, std::string_view pipeline)
    : options_(std::move(options)),
      host_(host),
      issuer_(host.issuer(pipeline)),
      trust_(host.trust(pipeline)),
      transactions_(host.collection("transactions")),
      challenges_(host.collection("challenges"), host.clock()),
      issued_(
          host.metrics().counter("hanaper_scep_answers_total", "Answers by SCEP.", {{"status", "success"}})),
      pending_(
          host.metrics().counter("hanaper_scep_answers_total", "Answers by SCEP.", {{"status", "pending"}})),
      failed_(
          host.metrics().counter("hanaper_scep_answers_total", "Answers by SCEP.", {{"status", "failure"}})) {
  if (options_.webhook)
    webhook_.emplace(Webhook::Place{options_.webhook->url, options_.webhook->authorization.clone(),
                                    options_.webhook->roots},
                     host);
}

Response Service::handle(const Request& request, Call& call) {
  const bool post = request.method == Method::post;
  if (!post && request.method != Method::get && request.method != Method::head)
    return text_response(405, "SCEP is asked by GET and POST\n").with("Allow", "GET, POST");
  const auto operation = parameter(request.query, "operation");
  if (!operation) return present(operation.error(), call);
  // Whatever path stands below the mount makes no difference (RFC 8894 4.1: SCEPPATH).
  if (!post && *operation == "GetCACaps") return text_response(200, capabilities());
  Result<Response> response = malformed("there is no operation \"" + *operation + "\"");
  if (!post && *operation == "GetCACert") response = ca_certificates(call);
  if (!post && *operation == "GetNextCACert") response = next_ca_certificates();
  if (*operation == "PKIOperation") response = pki_operation(request, call);
  return response ? *std::move(response) : present(response.error(), call);
}

Response Service::present(const Error& error, Call& call) const {
  if (error.code == Code::internal) {
    host_.log().error("a SCEP request failed", {{"error", error.detail}, {"call", call.id}});
    return text_response(500, "an internal error; the log knows more under " + call.id + "\n");
  }
  const int status = error.code == Code::unavailable ? 503 : error.code == Code::rate_limited ? 429 : 400;
  Response response = text_response(status, error.detail + "\n");
  if (error.retry_after) response.with("Retry-After", std::to_string(error.retry_after->count()));
  return response;
}

// RFC 8894 3.5.2. One client takes AES for granted only where SHA-384 is listed.
std::string Service::capabilities() const {
  std::string text = "AES\nPOSTPKIOperation\n";
  if (!trust_.roll_over().next.empty()) text += "GetNextCACert\n";
  if (options_.list_renewals) text += "Renewal\n";
  text += "SHA-256\nSHA-384\nSHA-512\nSCEPStandard\n";
  if (options_.legacy) text += "DES3\nSHA-1\n";
  return text;
}

// The one that clients encrypt to comes first.
std::vector<Bytes> Service::ca_certificates_to_send(const Registrar& registrar) const {
  std::vector<Bytes> certificates = {to_bytes(registrar.certificate())};
  if (options_.ca_certificates == CaCertificates::one) return certificates;
  for (Bytes& certificate : trust_.path())
    if (certificate != certificates.front()) certificates.push_back(std::move(certificate));
  return certificates;
}

// RFC 8894 4.2.1: "a single X.509 CA certificate", or "a degenerate certificates-only CMS SignedData
// message".
Result<Response> Service::ca_certificates(Call& call) {
  HANAPER_TRY(const std::shared_ptr<Registrar> registrar, trust_.registrar(call));
  const std::vector<Bytes> certificates = ca_certificates_to_send(*registrar);
  const bool alone = certificates.size() == 1 && options_.ca_certificates != CaCertificates::in_a_list;
  const Bytes body =
      alone ? certificates.front() : cms::certs_only({certificates.begin(), certificates.end()});
  return Response{200,
                  {{"Content-Type", alone ? "application/x-x509-ca-cert" : "application/x-x509-ca-ra-cert"}},
                  std::string(as_text(body))};
}

// RFC 8894 4.7.1: "a SignedData CMS message, signed by the current CA signing key."
Result<Response> Service::next_ca_certificates() {
  HANAPER_TRY(const Bytes message, trust_.next_message());
  return Response{200, {{"Content-Type", "application/x-x509-next-ca-cert"}}, std::string(as_text(message))};
}

Result<Response> Service::pki_operation(const Request& request, Call& call) {
  HANAPER_TRY(const std::shared_ptr<Registrar> registrar, trust_.registrar(call));
  const bool post = request.method == Method::post;
  HANAPER_TRY(const Bytes body,
              post ? Result<Bytes>(to_bytes(request.body)) : message_of_query(request.query));
  HANAPER_TRY(Message message, parse_message(body));
  const Header header = message.header;

  crypto::Hash hash = crypto::Hash::sha256;
  auto opened = open(std::move(message), *registrar, hash);
  Outcome<Bytes> outcome = Failure{};
  if (auto* good = std::get_if<Opened>(&opened))
    outcome = answer(*good, call);
  else if (auto* failure = std::get_if<Failure>(&opened))
    outcome = std::move(*failure);
  else
    outcome = std::move(std::get<Error>(opened));

  Reply reply;
  if (auto* error = std::get_if<Error>(&outcome)) {
    if (error->code != Code::pending) return std::move(*error);
    reply.status = PkiStatus::pending;
    pending_.add();
  } else if (auto* failure = std::get_if<Failure>(&outcome)) {
    report(header, *failure, request, call);
    reply.failure = std::move(*failure);
    failed_.add();
  } else {
    reply.status = PkiStatus::success;
    reply.content = std::move(std::get<Bytes>(outcome));
    issued_.add();
  }
  HANAPER_TRY(const Bytes der, sign_reply(header, reply, hash, *registrar));
  return Response{200, {{"Content-Type", std::string(message_type)}}, std::string(as_text(der))};
}

// Refusals are nobody's secret, and somebody may have to answer for them.
void Service::report(const Header& header, const Failure& failure, const Request& request, Call& call) {
  const std::string error = failure.cause.empty() ? failure.text : failure.text + ": " + failure.cause;
  host_.log().info("SCEP request refused",
                   {{"transaction", header.transaction}, {"error", error}, {"call", call.id}});
  host_.audit("scep.refused",
              {{"transaction", header.transaction},
               {"type", std::to_string(header.type)},
               {"address", std::string(request.address)},
               {"error", error},
               {"call", call.id}},
              call);
}

Service::Outcome<Bytes> Service::answer(const Opened& opened, Call& call) {
  switch (static_cast<MessageType>(opened.message.header.type)) {
    case MessageType::enrolment:
    case MessageType::renewal:
    case MessageType::update:
      return enrol(opened, call);
    case MessageType::poll:
      return poll(opened, call);
    case MessageType::get_certificate:
      return get_certificate(opened);
    case MessageType::get_crl:
      return get_crl(opened);
  }
  return Failure{FailInfo::bad_request,
                 "there is no messageType " + std::to_string(opened.message.header.type)};
}

// The same transaction gives the same certificate, while it is good. Who may ask anew opens another under the
// same name: with another request, or once what came of this one is over. What was denied stays denied, or
// clients that come again by themselves would have it decided again and again.
Service::Outcome<Bytes> Service::enrol(const Opened& opened, Call& call) {
  const auto request = read_request(opened);
  if (const auto* failure = std::get_if<Failure>(&request)) return *failure;
  const auto& csr = std::get<x509::CsrView>(request);
  auto before = remembered(opened);
  if (!before) return std::move(before).error();
  std::optional<Failure> over;
  if (*before && digest_of((*before)->csr) == digest_of(csr.der)) {
    auto answered = issue(opened, **before, call);
    const auto* failure = std::get_if<Failure>(&answered);
    if (failure == nullptr || !failure->over || csr.challenge_password.empty()) return answered;
    over = *failure;
  }
  auto grant = authorise(opened, csr, call);
  if (auto* failure = std::get_if<Failure>(&grant)) return over.value_or(std::move(*failure));
  if (auto* error = std::get_if<Error>(&grant)) return std::move(*error);
  if (over && !std::get<Grant>(grant).by_challenge) return *std::move(over);
  return issue_anew(opened, std::move(std::get<Grant>(grant)), *before, call);
}

Service::Outcome<Bytes> Service::issue_anew(const Opened& opened, Grant grant,
                                            const std::optional<Grant>& before, Call& call) {
  // The day, so that none comes again once its record has been forgotten.
  const auto after = [&](std::int64_t generation) {
    const auto today = std::chrono::floor<std::chrono::days>(host_.clock().now());
    return std::max<std::int64_t>(generation + 1, today.time_since_epoch().count());
  };
  bool again = false;
  if (before) {
    // CertPoll asks about the last one.
    grant.keep = true;
    grant.version = before->version;
    again = digest_of(before->csr) == digest_of(grant.csr);
    grant.generation = again ? after(before->generation) : before->generation;
  }
  auto answered = issue(opened, grant, call);
  const auto* failure = std::get_if<Failure>(&answered);
  if (again || failure == nullptr || !failure->over || !grant.by_challenge) return answered;
  // The challenge is good, so that what was issued may be over; where it is the request that is refused, it
  // is refused once more.
  grant.keep = true;
  grant.generation = after(grant.generation);
  return issue(opened, grant, call);
}

// RFC 8894 2.4: a certificate of ours speaks for its owner; a self-signed one says nothing, and a challenge
// has to.
Service::Outcome<Service::Grant> Service::authorise(const Opened& opened, const x509::CsrView& csr,
                                                    Call& call) {
  if (!opened.known && static_cast<MessageType>(opened.message.header.type) != MessageType::enrolment)
    return Failure{FailInfo::bad_message_check, "the signer's certificate was not issued here"};
  if (!opened.known || !options_.renewals) return authorise_challenge(opened, csr, call);
  auto renewal = authorise_renewal(opened, csr, *opened.known);
  if (std::holds_alternative<Grant>(renewal) || csr.challenge_password.empty() || is_revoked(*opened.known))
    return renewal;
  // One that has expired, or asks for something else, is worth a self-signed one.
  auto enrolment = authorise_challenge(opened, csr, call);
  return std::holds_alternative<Failure>(enrolment) ? std::move(renewal) : std::move(enrolment);
}

bool Service::is_revoked(const CertificateStatus& known) const {
  return known.row.revoked && !known.row.released;
}

Service::Outcome<Service::Grant> Service::authorise_renewal(const Opened& opened, const x509::CsrView& csr,
                                                            const CertificateStatus& known) const {
  const auto failed = [](std::string text) { return Failure{FailInfo::bad_request, std::move(text)}; };
  Time now = host_.clock().now();
  if (now > known.row.not_after) now = std::max(now - options_.renewal_grace, known.row.not_before);
  if (const Status current = check_current(known.row, now, "the signer's certificate"); !current)
    return failed(current.error().detail);
  if (!x509::same_subject(csr.subject, opened.signer.subject))
    return failed("the request's subject is not that of the certificate being renewed");
  // Some clients leave the names out when they renew; they get none then, never others.
  const auto old = x509::parse_certificate(opened.signer.der);
  if (csr.find(oid::subject_alt_name) != nullptr && (!old || !x509::same_alternative_names(csr, *old)))
    return failed("the request's subjectAltName is not that of the certificate being renewed");
  auto profile = renewed_profile(issuer_, known.row);
  if (!profile) return failed(profile.error().detail);
  return Grant{.requester = "scep:renewal:" + known.row.serial.hex(),
               .profile = *std::move(profile),
               .csr = to_bytes(csr.der),
               .writes = {}};
}

Service::Outcome<Service::Grant> Service::authorise_challenge(const Opened& opened, const x509::CsrView& csr,
                                                              Call& call) {
  const auto failed = [](std::string text) { return Failure{FailInfo::bad_request, std::move(text)}; };
  if (!equal(csr.spki, opened.signer.spki))
    return failed("the request's key is not the one that has signed the message");
  const std::string_view shown = csr.challenge_password;
  if (shown.empty()) return failed("the request has no challengePassword");
  Grant grant{.requester = "scep:challenge", .profile = "", .csr = to_bytes(csr.der), .writes = {}};
  grant.by_challenge = true;
  if (options_.challenge && Challenges::same(shown, options_.challenge->reveal())) return grant;
  auto challenge = challenges_.find(shown);
  if (!challenge && challenge.error().code != Code::not_found) return std::move(challenge).error();
  if (!challenge && webhook_) return authorise_elsewhere(opened, csr, call);
  if (!challenge) return failed("the challengePassword is wrong");
  if (const Status meant = challenge->check(csr); !meant) return failed(meant.error().detail);
  grant.requester = "scep:challenge:" + challenge->key.substr(0, 16);
  grant.profile = challenge->profile;
  // Used up together with what it is used for; who asks again under the same name needs none.
  grant.writes = {challenges_.spend(*challenge)};
  grant.keep = true;
  return grant;
}

// The answer is remembered with the request: who asks again under the same name gets the same certificate,
// and nobody is asked twice about it.
Service::Outcome<Service::Grant> Service::authorise_elsewhere(const Opened& opened, const x509::CsrView& csr,
                                                              Call& call) {
  const Status allowed = webhook_->ask(opened.message.header.transaction, csr, csr.der, call);
  if (!allowed && is_passing(allowed.error().code)) return allowed.error();
  if (!allowed) return Failure{FailInfo::bad_request, allowed.error().detail};
  Grant grant{.requester = "scep:webhook", .profile = "", .csr = to_bytes(csr.der), .writes = {}};
  grant.by_challenge = grant.keep = true;
  return grant;
}

Result<std::optional<Service::Grant>> Service::remembered(const Opened& opened) const {
  const auto record = transactions_.get(opened.transaction);
  if (!record && record.error().code == Code::not_found) return std::optional<Grant>{};
  if (!record) return record.error();
  HANAPER_TRY(const json::Value value, json::parse(record->data));
  HANAPER_TRY(Bytes csr, base64::decode(value.text_at("csr")));
  return std::optional(Grant{.requester = std::string(value.text_at("requester")),
                             .profile = std::string(value.text_at("profile")),
                             .csr = std::move(csr),
                             .writes = {},
                             .version = record->version,
                             .generation = value.integer_at("generation"),
                             .remembered = true});
}

RecordWrite Service::remember(const Opened& opened, const Grant& grant) const {
  RecordWrite write;
  write.key = opened.transaction;
  write.expires = host_.clock().now() + kept_for;
  write.expected = grant.version;
  write.data = json::write(json::Value(json::Object{{"requester", grant.requester},
                                                    {"profile", grant.profile},
                                                    {"csr", base64::encode(grant.csr)},
                                                    {"generation", grant.generation}}));
  return transactions_.bind(std::move(write));
}

Service::Outcome<Bytes> Service::seal(const Opened& opened, ByteView content) const {
  cms::Recipient recipient;
  recipient.certificate = opened.signer.der;
  auto envelope = cms::envelop(oid::data, content, recipient, opened.cipher);
  if (!envelope) return bad_request_of(envelope.error());
  return *std::move(envelope);
}

Service::Outcome<Bytes> Service::issue(const Opened& opened, const Grant& grant, Call& call) {
  // Nothing is issued that could not be handed over. To RSA keys that can be read everything can.
  const auto key = x509::parse_public_key(opened.signer.spki);
  if (!key || !algorithms::row(key->spec.type).encrypts)
    if (auto probe = seal(opened, {}); !std::holds_alternative<Bytes>(probe)) return probe;
  IssueRequest order;
  order.profile = grant.profile;
  order.requester = grant.requester;
  order.csr = grant.csr;
  order.sha1 = options_.legacy;
  order.once = once_of(opened.transaction, grant.csr, grant.generation);
  order.with_intent = grant.writes;
  if (grant.keep) order.with_intent.push_back(remember(opened, grant));
  const auto issued = issuer_.issue(order, call);
  if (!issued && issued.error().code == Code::pending) {
    // What CertPoll will ask about; with it the challenge is spent.
    if (grant.remembered) return issued.error();
    std::vector<RecordWrite> writes = grant.writes;
    writes.push_back(remember(opened, grant));
    const Status stored = host_.commit(std::move(writes), call);
    if (!stored && stored.error().code != Code::conflict) return stored.error();
    if (!stored && !grant.writes.empty())
      return Failure{FailInfo::bad_request, "the challengePassword was used meanwhile"};
    return issued.error();
  }
  if (!issued && is_passing(issued.error().code)) return issued.error();
  if (!issued && issued.error().code == Code::conflict)
    return Failure{FailInfo::bad_request,
                   grant.writes.empty() ? "the same was asked at the same moment: ask again"
                                        : "the challengePassword was used meanwhile",
                   issued.error().detail};
  if (!issued) return bad_request_of(issued.error());
  std::vector<ByteView> certificates = {issued->certificate};
  if (options_.chain) certificates.insert(certificates.end(), issued->chain.begin(), issued->chain.end());
  return seal(opened, cms::certs_only(certificates));
}

// RFC 8894 3.3.3: the key that has signed and the transactionID say which request is meant.
Service::Outcome<Bytes> Service::poll(const Opened& opened, Call& call) {
  auto known = remembered(opened);
  if (!known) return std::move(known).error();
  if (!*known) return Failure{FailInfo::bad_certificate_id, "there is no request of that transactionID"};
  return issue(opened, **known, call);
}

// RFC 8894 3.3.4: the content is an IssuerAndSerialNumber. One that cannot be read is answered as one that
// nobody knows, as in read_request.
Service::Outcome<CertificateId> Service::certificate_named(const Opened& opened) const {
  auto reader = der::open(as_bytes(opened.content.octets.reveal()), der::sequence);
  const auto issuer = reader ? reader->expect(der::sequence) : Result<der::Element>(reader.error());
  const auto number = issuer ? reader->read_integer() : Result<ByteView>(issuer.error());
  if (!number || !reader->finish())
    return Failure{FailInfo::bad_certificate_id, unknown_certificate, "no IssuerAndSerialNumber"};
  const std::vector<Bytes> path = trust_.path();
  const auto ours = path.empty() ? Result<x509::CertificateView>(not_found("no certificate"))
                                 : x509::parse_certificate(path.front());
  const auto serial = Serial::from_der(*number);
  if (!ours || !serial || !x509::same_subject(ours->subject, issuer->whole))
    return Failure{FailInfo::bad_certificate_id, unknown_certificate};
  return CertificateId{trust_.authority(), *serial};
}

Service::Outcome<Bytes> Service::get_certificate(const Opened& opened) {
  const auto named = certificate_named(opened);
  if (const auto* failure = std::get_if<Failure>(&named)) return *failure;
  const auto found = issuer_.status(std::get<CertificateId>(named));
  if (!found && is_passing(found.error().code)) return found.error();
  if (!found || found->certificate.empty() || !opened.content.intact)
    return Failure{FailInfo::bad_certificate_id, unknown_certificate};
  return seal(opened, cms::certs_only({ByteView(found->certificate)}));
}

// RFC 8894 2.7: the answer "contains only the CRL (no certificates)".
Service::Outcome<Bytes> Service::get_crl(const Opened& opened) {
  const auto named = certificate_named(opened);
  if (const auto* failure = std::get_if<Failure>(&named)) return *failure;
  const auto id = std::get<CertificateId>(named);
  const auto known = issuer_.status(id);
  if (!known && is_passing(known.error().code)) return known.error();
  if (!known || !opened.content.intact) return Failure{FailInfo::bad_certificate_id, unknown_certificate};
  const auto crl = trust_.crl(id, crl_limit);
  if (!crl && is_passing(crl.error().code)) return crl.error();
  if (!crl && crl.error().code == Code::unsupported)
    return Failure{FailInfo::bad_request,
                   crl.error().detail + ": it is fetched from where the certificates say"};
  if (!crl) return Failure{FailInfo::bad_request, crl.error().detail};
  return seal(opened, cms::certs_only({}, {ByteView(*crl)}));
}

Result<Challenges::Made> Service::make_challenge(const Challenge& wanted, std::chrono::milliseconds lifetime,
                                                 Call& call) {
  const std::vector<std::string> known = issuer_.profiles();
  if (!wanted.profile.empty() && std::ranges::find(known, wanted.profile) == known.end())
    return not_found("the pipeline has no profile \"" + wanted.profile + "\"");
  if (wanted.subject.empty() && !wanted.names.empty())
    return malformed("names are for a challenge with a subject: without one it is good for any");
  Challenges::Made made = challenges_.make(wanted, lifetime);
  HANAPER_CHECK(host_.commit({made.write}, call));
  return made;
}

Status Service::withdraw_challenge(std::string_view id, Call& call) {
  HANAPER_TRY(RecordWrite write, challenges_.withdraw(id));
  Status written = host_.commit({std::move(write)}, call);
  if (!written && written.error().code == Code::conflict)
    return conflict("challenge " + std::string(id) + " was used just now");
  return written;
}

}  // namespace hanaper::scep
