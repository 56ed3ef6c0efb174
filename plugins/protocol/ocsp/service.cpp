#include "service.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <charconv>

namespace hanaper::ocsp {
namespace {

constexpr std::string_view content_type = "application/ocsp-response";
// Requests beyond take the way that allocates.
constexpr std::size_t fast_limit = 1024;

Counter& counter(Host& host, const char* result) {
  return host.metrics().counter("hanaper_ocsp_requests_total", "OCSP requests by how they were answered.",
                                {{"result", result}});
}

// How long an answer about a number that nobody has issued may be relied on: it may be issued any moment.
constexpr std::chrono::seconds unissued_lifetime{60};
// RFC 6960 2.2: a certificate that was never issued may be called revoked: "the revocationTime January 1,
// 1970" and certificateHold (4.4.8).
constexpr Revoked never_issued{Time{}, RevocationReason::certificate_hold, std::nullopt};

}  // namespace

void append_cache_control(std::string& text, const Answer& answer, Time now) {
  // RFC 9919 5 (RFC 5019 6.2): max-age "later than thisUpdate but earlier than nextUpdate".
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(
      std::max(answer.refresh_at, std::min(answer.next_update, now + std::chrono::minutes{1})) - now);
  std::array<char, 20> digits;
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), std::max<std::int64_t>(left.count(), 0));
  text.append("max-age=").append(digits.data(), end).append(", public, no-transform, must-revalidate");
}

std::string cache_control(const Answer& answer, Time now) {
  std::string text;
  append_cache_control(text, answer, now);
  return text;
}

Service::Service(Options options, Host& host, std::vector<StatusAuthority*> authorities)
    : options_(options),
      host_(host),
      authorities_(std::move(authorities)),
      cache_(options_.cache),
      hits_(counter(host, "kept")),
      signed_(counter(host, "signed")),
      malformed_(counter(host, "malformed")),
      unauthorized_(counter(host, "unauthorized")),
      failed_(counter(host, "failed")) {
  for (StatusAuthority* authority : authorities_)
    host_.watch(*authority,
                [this](const RevocationRow& row) { cache_.forget(row.authority, row.serial.octets()); });
}

Status Service::start() {
  for (const StatusAuthority* authority : authorities_)
    if (authority->certificate().empty())
      host_.log().warning("nothing is answered for an authority before it has a certificate",
                          {{"authority", authority->name()}});
  return name_authorities();
}

void Service::schedule() {
  if (!options_.presign) return;
  const auto job = [this](Call& call) { return presign(call); };
  host_.scheduler().every("presign", presign_interval, job);
  if (Status begun = host_.scheduler().soon("presign", job); !begun)
    host_.log().warning("responses are not signed ahead yet", {{"error", begun.error().detail}});
}

Status Service::name_authorities() {
  if (!names_.empty()) return {};
  for (StatusAuthority* authority : authorities_) {
    if (authority->certificate().empty()) continue;  // it has issued nothing
    HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(authority->certificate()));
    HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(view.spki));
    const auto add = [&](crypto::Hash hash, ByteView oid) {
      names_.push_back({authority, to_bytes(oid), crypto::digest(hash, view.subject),
                        crypto::digest(hash, key.key_bits), view.not_before, view.not_after});
    };
    for (const algorithms::HashRow& row : algorithms::hashes) add(row.hash, row.oid);
  }
  return {};
}

const Service::Named* Service::named(const CertId& id) const {
  for (const Named& one : names_)
    if (equal(one.key_hash, id.key_hash) && equal(one.name_hash, id.name_hash) && equal(one.hash, id.hash))
      return &one;
  return nullptr;
}

bool Service::answer_fast(const Request& request, FastReply& reply) {
  Bytes decoded;
  ByteView der = request.body;
  if (request.method == Method::get || request.method == Method::head) {
    if (request.tail.size() > fast_limit || !request.header("If-None-Match").empty()) return false;
    auto octets = decode_path(request.tail);
    if (!octets) return false;
    decoded = *std::move(octets);
    der = decoded;
  } else if (request.method != Method::post) {
    return false;
  }
  const auto id = parse_plain_request(der);
  if (!id) return false;
  const Named* asked = named(*id);
  if (asked == nullptr) return false;
  const AnswerPointer kept = cache_.find(asked->authority->id(), id->serial, id->whole, Cache::Wait::never);
  const Time now = host_.clock().now();
  if (!kept || now >= kept->refresh_at || now < kept->this_update || is_stale(*kept)) return false;
  hits_.add();
  thread_local std::string head;
  head.assign(kept->head).append("Cache-Control: ");
  append_cache_control(head, *kept, now);
  head.append("\r\n");
  reply.send(head, kept->body);
  return true;
}

Response Service::handle(const Request& request, Call& call) {
  Outcome outcome = ResponseStatus::malformed_request;
  switch (request.method) {
    case Method::post:
      outcome = answer(request.body, call);
      break;
    case Method::get:
    case Method::head:
      if (const auto der = decode_path(request.tail)) {
        outcome = answer(*der, call);
      } else {
        malformed_.add();
      }
      break;
    default:
      return Response{
          405, {{"Content-Type", "text/plain"}, {"Allow", "GET, HEAD, POST"}}, "405 Method Not Allowed\n"};
  }
  return present(request, outcome, host_.clock().now());
}

Response Service::present(const Request& request, const Outcome& outcome, Time now) const {
  if (const auto* status = std::get_if<ResponseStatus>(&outcome))
    return {200,
            {{"Content-Type", std::string(content_type)}, {"Cache-Control", "no-store"}},
            error_response(*status)};
  const Answer& answer = *std::get<AnswerPointer>(outcome);
  Response response{200, {}, {}};
  response.with("Content-Type", std::string(content_type))
      .with("Last-Modified", http_date(answer.this_update))
      .with("Expires", http_date(answer.next_update))
      .with("ETag", answer.etag)
      .with("Cache-Control", cache_control(answer, now));
  const std::string_view tags = request.header("If-None-Match");
  if (request.method != Method::post && (tags == "*" || tags.find(answer.etag) != std::string_view::npos)) {
    response.status = 304;
    response.headers.erase(response.headers.begin());
    return response;
  }
  response.body = as_text(answer.body);
  return response;
}

Service::Outcome Service::answer(ByteView der, Call& call) {
  const auto request = parse_request(der, options_.nonces);
  if (!request) {
    malformed_.add();
    host_.log().debug("malformed OCSP request", {{"error", request.error().detail}, {"call", call.id}});
    return ResponseStatus::malformed_request;
  }
  return answer_parsed(*request, call);
}

Service::Outcome Service::answer_parsed(const OcspRequest& request, Call& call) {
  const Named* first = named(request.ids.front());
  StatusAuthority* authority = first ? first->authority : nullptr;
  for (const CertId& id : request.ids) {
    const Named* asked = named(id);
    if (asked == nullptr || asked->authority != authority) {
      // RFC 6960 2.3: "the server is not capable of responding authoritatively". One responder speaks for one
      // authority, so that a request about several gets the same.
      unauthorized_.add();
      return ResponseStatus::unauthorized;
    }
  }
  // Nobody can sign for it any more, now or later: RFC 6960 2.3 again.
  if (first->not_after <= host_.clock().now()) {
    unauthorized_.add();
    return ResponseStatus::unauthorized;
  }
  if (request.ids.size() == 1 && !request.nonce && signer_for(request) == signer_for({}))
    return answer_one(*authority, request.ids.front(), call);
  auto made = sign(*authority, request, call);
  if (made) return *made;
  failed_.add();
  host_.log().warning("no OCSP response", {{"authority", authority->name()}, {"error", made.error().detail}});
  return made.error().code == Code::unavailable ? ResponseStatus::try_later : ResponseStatus::internal_error;
}

Service::Outcome Service::answer_one(StatusAuthority& authority, const CertId& id, Call& call) {
  const Time now = host_.clock().now();
  AnswerPointer kept = cache_.find(authority.id(), id.serial, id.whole, Cache::Wait::shortly);
  if (kept && now >= kept->this_update && now < kept->refresh_at && !is_stale(*kept)) {
    hits_.add();
    return kept;
  }
  const auto made = sign_and_keep(authority, id, call);
  if (made) return *made;
  host_.log().warning("no OCSP response", {{"authority", authority.name()}, {"error", made.error().detail}});
  // The last word stands until it expires, but not for ever in a world of which nothing is heard.
  if (kept && now >= kept->this_update && now < kept->next_update && !is_stale(*kept)) return kept;
  failed_.add();
  return made.error().code == Code::unavailable ? ResponseStatus::try_later : ResponseStatus::internal_error;
}

Result<AnswerPointer> Service::sign_and_keep(StatusAuthority& authority, const CertId& id, Call& call) {
  const std::uint64_t version = cache_.version(authority.id(), id.serial);
  OcspRequest request;
  request.ids = {id};
  HANAPER_TRY(AnswerPointer made, sign(authority, request, call));
  // Such a number may be issued in the next moment, and nobody would tell the cache.
  if (made->unissued) return made;
  cache_.keep(authority.id(), id.serial, id.whole, version, made);
  return made;
}

// The client's best wish that we can fulfil, else the usual (RFC 6960 4.4.7.2).
std::optional<KeyType> Service::signer_for(const OcspRequest& request) const {
  if (!options_.delegate) return std::nullopt;
  // P-521 is not among them: a signature of it costs twenty of P-256, and whoever wishes would choose.
  constexpr KeyType offered[] = {KeyType::ec_p256, KeyType::ec_p384, KeyType::rsa, KeyType::ed25519};
  for (SignatureScheme scheme : request.preferred)
    for (KeyType type : offered)
      if (algorithms::row(type).scheme == scheme) return type;
  return offered[0];
}

Result<Single> Service::look_up(StatusAuthority& authority, const CertId& id) const {
  Single single;
  single.id = id;
  const auto nothing = [&] {
    if (!options_.unissued_are_revoked) return single;
    single.kind = Single::Kind::revoked;
    single.revoked = never_issued;
    return single;
  };
  const auto serial = Serial::from_der(id.serial);
  if (!serial) return nothing();  // no certificate has such a number
  const auto row = authority.find(*serial);
  if (!row && row.error().code != Code::not_found) return row.error();
  // Reserved is not issued: nobody may rely on a certificate that was never signed.
  if (!row || !row->issued_at) return nothing();
  if (row->revoked) {
    single.kind = Single::Kind::revoked;
    single.revoked = {row->revoked_at.value_or(Time{}), *row->revoked, row->invalidity};
    if (options_.crl_references) {
      HANAPER_TRY(single.crl, crl_of(authority, *row));
    }
  } else {
    single.kind = Single::Kind::good;
  }
  return single;
}

// RFC 6960 4.4.2: "the CRL on which a revoked or onHold certificate is found": the newest complete one, once
// it is younger than the revocation.
Result<std::optional<CrlReference>> Service::crl_of(StatusAuthority& authority,
                                                    const CertificateRow& row) const {
  constexpr auto commit = std::chrono::milliseconds{250};  // from a revocation's time until it can be read
  const auto crl = authority.newest_crl(row.shard, false);
  if (!crl && crl.error().code != Code::not_found) return crl.error();
  // One that has run out is of a time when the authority made its CRLs itself, or of a very old one.
  if (!crl || crl->this_update <= *row.revoked_at + commit || crl->next_update <= host_.clock().now())
    return std::optional<CrlReference>();
  const std::vector<std::string> urls = authority.crl_urls(row.shard);
  return std::optional(CrlReference{urls.empty() ? "" : urls.front(), crl->number, crl->this_update});
}

Result<AnswerPointer> Service::sign(StatusAuthority& authority, const OcspRequest& request, Call& call) {
  auto answer = std::make_shared<Answer>();
  std::vector<Single> singles;
  Basic basic;
  for (const CertId& id : request.ids) {
    HANAPER_TRY(Single single, look_up(authority, id));
    const bool invented = single.kind == Single::Kind::revoked && single.revoked.at == Time{};
    answer->good = answer->good || single.kind == Single::Kind::good;
    answer->unissued = answer->unissued || invented || single.kind == Single::Kind::unknown;
    // RFC 6960 4.4.8: there whenever the responder would say "revoked" of what was never issued.
    basic.extended_revoke = basic.extended_revoke || invented;
    singles.push_back(std::move(single));
  }
  HANAPER_TRY(const std::shared_ptr<Responder> responder, authority.responder(signer_for(request), call));
  basic.singles = singles;
  basic.this_update = std::chrono::floor<std::chrono::seconds>(host_.clock().now());
  const auto lifetime = std::chrono::floor<std::chrono::seconds>(options_.lifetime);
  basic.next_update = std::min<Time>(
      basic.this_update + (answer->unissued ? std::min(lifetime, unissued_lifetime) : lifetime),
      responder->not_after());
  basic.nonce = request.nonce;
  basic.by_name = options_.by_name;
  // RFC 6960 4.4.4: producedAt minus how long the status outlives a certificate. The ledger never forgets:
  // that leads back to the authority's own beginning.
  if (options_.archive_cutoff) basic.archive_cutoff = named(request.ids.front())->not_before;
  HANAPER_TRY(answer->body, make_response(basic, *responder));
  signed_.add();
  answer->this_update = basic.this_update;
  answer->next_update = basic.next_update;
  answer->refresh_at = basic.this_update + (basic.next_update - basic.this_update) / 2;
  answer->etag = '"' + to_hex(crypto::sha256(answer->body)) + '"';
  answer->head = "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(content_type) +
                 "\r\nContent-Length: " + std::to_string(answer->body.size()) +
                 "\r\nLast-Modified: " + http_date(answer->this_update) +
                 "\r\nExpires: " + http_date(answer->next_update) + "\r\nETag: " + answer->etag + "\r\n";
  return AnswerPointer(std::move(answer));
}

}  // namespace hanaper::ocsp
