#include "full_cmc.hpp"

#include "named_lines.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/renewal.hpp>

#include <algorithm>

namespace hanaper::est {
namespace {

using namespace der::literals;
using cmc::CmcStatus;
using cmc::FailInfo;

// RFC 5272 3.2.1, 4.2.1.
constexpr der::Oid pki_data_oid = "1.3.6.1.5.5.7.12.2"_oid;
constexpr der::Oid pki_response_oid = "1.3.6.1.5.5.7.12.3"_oid;

constexpr std::size_t min_secret = 16;
constexpr auto waits_for = std::chrono::days{90};
constexpr auto default_retry = std::chrono::minutes{1};

FailInfo fail_info_of(Code code) {
  switch (code) {
    case Code::bad_key:
    case Code::unsupported:
      return FailInfo::bad_algorithm;
    case Code::rate_limited:
    case Code::unavailable:
      return FailInfo::try_later;
    case Code::internal:
      return FailInfo::internal_error;
    default:
      return FailInfo::bad_request;
  }
}

// The failure of a check on the requester: its identity, its proof of possession, or its link to the
// connection.
FailInfo proof_info_of(Code code) {
  if (code == Code::forbidden) return FailInfo::bad_identity;
  if (code == Code::bad_csr) return FailInfo::pop_failed;
  return fail_info_of(code);
}

cmc::Outcome failure(std::vector<cmc::BodyPartId> of, FailInfo info, std::string text) {
  cmc::Outcome outcome;
  outcome.status = CmcStatus::failed;
  outcome.of = std::move(of);
  outcome.text = std::move(text);
  outcome.fail_info = info;
  return outcome;
}

// RFC 5272 3.2: a request that signs with its own key names it by a Subject Key Identifier extension.
bool has_identifier(const x509::CsrView& csr, ByteView identifier) {
  const auto* extension = csr.find(oid::subject_key_identifier);
  const auto value =
      extension ? x509::parse_subject_key_identifier(extension->value) : Result<ByteView>(not_found("none"));
  return value && equal(*value, identifier);
}

// Names of waiting requests, the same however often one is asked for.
Bytes token_of(const Identity& who, ByteView csr) {
  const Fingerprint token = crypto::sha256({as_bytes(who.name), as_bytes(std::string_view("\0", 1)), csr});
  return to_bytes(token);
}

}  // namespace

Result<CmcSecrets> load_cmc_secrets(const std::string& path) {
  CmcSecrets secrets;
  // RFC 5272 6.2.1: "tokens at least 16 characters long".
  HANAPER_CHECK(each_named_line(path, "identification:secret is wanted, the secret of at least 16 octets",
                                [&](std::string_view name, std::string_view value) {
                                  const bool good = !name.empty() && value.size() >= min_secret;
                                  if (good)
                                    secrets.insert_or_assign(std::string(name), Secret(std::string(value)));
                                  return good;
                                }));
  return secrets;
}

// One message on its way. `data` and `content` look into `message`.
struct FullCmc::Work {
  const Identity& who;
  const Check& check;
  Bytes message;
  cms::SignedView content;
  cmc::PkiData data;
  std::vector<Wanted> wanted;
  // The signer's certificate, one of ours; nothing: a request's own key has signed.
  std::optional<CertificateStatus> signer;

  std::vector<cmc::Outcome> outcomes;
  std::vector<Bytes> issued;
  std::optional<Error> pending;
};

FullCmc::FullCmc(CmcSecrets secrets, Host& host, std::string_view pipeline)
    : secrets_(std::move(secrets)),
      host_(host),
      issuer_(host.issuer(pipeline)),
      trust_(host.trust(pipeline)),
      waiting_(host.collection("cmc")) {}

Result<FullCmc::Answer> FullCmc::handle(ByteView body, const Identity& who, const Check& check, Call& call) {
  Work work{who, check, {}, {}, {}, {}, {}, {}, {}, {}};
  HANAPER_TRY(work.message, cms::to_der(body));
  HANAPER_TRY(work.content, cms::parse_signed(work.message));
  if (pki_data_oid != work.content.content_type || !work.content.content)
    return malformed("the SignedData holds no PKIData");
  if (work.content.signers.size() != 1) return malformed("the PKI Request has not one signer");
  HANAPER_TRY(work.data, cmc::parse_pki_data(*work.content.content));
  for (const cmc::PkiData::Request& request : work.data.requests)
    if (!request.csr.empty()) work.wanted.push_back({request.id, to_bytes(request.csr)});
  HANAPER_CHECK(recall(work));
  // RFC 5272 4.1: "a CMCFailInfo with a value of badMessageCheck and a bodyPartID of 0".
  if (const Status verified = verify(work); !verified) {
    if (verified.error().code == Code::unavailable) return verified.error();
    work.outcomes.push_back(failure(
        {0},
        verified.error().code == Code::unsupported ? FailInfo::bad_algorithm : FailInfo::bad_message_check,
        verified.error().detail));
    return answer(work, call);
  }
  if (const Status proven = check_identity(work); !proven)
    work.outcomes.push_back(
        failure({work.data.proof ? work.data.proof->id : 0}, FailInfo::bad_identity, proven.error().detail));
  else
    process(work, call);
  return answer(work, call);
}

// Requests that wait come back by their token. They belong to the sender; nobody else learns of them.
Status FullCmc::recall(Work& work) {
  for (const cmc::PkiData::Query& query : work.data.queries) {
    const auto record = waiting_.get(to_hex(query.token));
    if (!record && record.error().code != Code::not_found) return record.error();
    const auto value = record ? json::parse(record->data) : Result<json::Value>(record.error());
    auto csr = value ? base64::decode(value->text_at("csr")) : Result<Bytes>(value.error());
    if (!csr || value->text_at("requester") != work.who.name)
      work.outcomes.push_back(
          failure({query.id}, FailInfo::bad_request, "no request waits under that token"));
    else
      work.wanted.push_back({query.id, *std::move(csr), true});
  }
  return {};
}

Status FullCmc::verify(Work& work) {
  const cms::SignerInfo& signer = work.content.signers.front();
  const auto holder = cms::find_signer(work.content, signer);
  if (holder) {
    HANAPER_CHECK(check_signer(work, holder->der));
    return cms::verify(work.content, signer, holder->spki);
  }
  HANAPER_TRY(const Bytes key, signer_key(work));
  return cms::verify(work.content, signer, key);
}

// The key of the request that the signer names.
Result<Bytes> FullCmc::signer_key(const Work& work) {
  const cms::SignerInfo& signer = work.content.signers.front();
  for (const Wanted& wanted : work.wanted) {
    const auto csr = x509::parse_csr(wanted.csr);
    if (csr && !signer.key_identifier.empty() && has_identifier(*csr, signer.key_identifier))
      return to_bytes(csr->spki);
  }
  return Error{Code::forbidden,
               "the signer is neither a certificate that came along nor the key of a request"};
}

Status FullCmc::check_signer(Work& work, ByteView certificate) {
  auto status = issuer_.identify(certificate);
  if (!status && status.error().code == Code::unavailable) return std::move(status).error();
  if (!status) return forbidden("the signer's certificate was not issued here");
  HANAPER_CHECK(check_current(status->row, host_.clock().now(), "the signer's certificate"));
  work.signer = *std::move(status);
  return {};
}

// RFC 5272 6.2. A signature by a certificate proves the identity (3.2).
Status FullCmc::check_identity(const Work& work) const {
  if (!work.data.proof) {
    if (secrets_.empty() || work.signer) return {};
    return forbidden("the identity is not proven: identityProofV2 is wanted");
  }
  const std::string_view name = work.data.identification ? as_text(*work.data.identification) : "";
  const auto known = secrets_.find(name);
  const Error wrong = forbidden("the identity is not proven by any secret that is known here");
  // Like work for names that nobody has.
  const bool proven =
      cmc::is_proven(work.data, known == secrets_.end() ? std::string_view() : known->second.reveal());
  if (known == secrets_.end() || !proven) return wrong;
  return {};
}

// Where a certificate stands for the secret, its owner may ask for its own names only; a registration
// authority may ask for others (RFC 6402 2.10). The profile then, or empty.
Result<std::string> FullCmc::check_holder(const Work& work, const x509::CsrView& csr) const {
  if (secrets_.empty() || work.data.proof || !work.signer) return std::string();
  HANAPER_TRY(const x509::CertificateView own, x509::parse_certificate(work.signer->certificate));
  if (x509::has_extended_key_usage(own, oid::cmc_ra)) return std::string();
  if (!x509::same_subject(csr.subject, own.subject) || !x509::same_alternative_names(csr, own))
    return forbidden(
        "the request's subject and names are not those of the signer's certificate; only a registration "
        "authority asks for others");
  return renewed_profile(issuer_, work.signer->row);
}

void FullCmc::process(Work& work, Call& call) {
  // RFC 5272 3.2.1.1: "MUST fail the processing of an entire PKIData if any included control is not
  // recognized".
  if (!work.data.refused.empty()) {
    work.outcomes.push_back(failure(work.data.refused, FailInfo::bad_request, "controls that are not taken"));
    return;
  }
  // 3.2.1: "a CMCStatus of noSupport MUST be returned for the certification request item and no other
  // certification requests are processed."
  for (const cmc::PkiData::Request& request : work.data.requests) {
    if (request.kind == cmc::PkiData::Request::Kind::pkcs10) continue;
    cmc::Outcome outcome =
        failure({request.id}, FailInfo::bad_request, "certification requests are taken as PKCS #10 only");
    if (request.kind == cmc::PkiData::Request::Kind::other) {
      outcome.status = CmcStatus::no_support;
      outcome.fail_info.reset();
    }
    work.outcomes.push_back(std::move(outcome));
    return;
  }
  if (work.wanted.empty() && work.outcomes.empty())
    work.outcomes.push_back(failure({0}, FailInfo::bad_request, "nothing is asked for"));
  for (const Wanted& wanted : work.wanted) issue(wanted, work, call);
}

void FullCmc::issue(const Wanted& wanted, Work& work, Call& call) {
  const auto refuse = [&](FailInfo info, const Error& error) {
    const bool ours = error.code == Code::internal;
    if (ours) host_.log().error("a CMC request failed", {{"error", error.detail}, {"call", call.id}});
    work.outcomes.push_back(failure(
        {wanted.id}, info, ours ? "an internal error; the log knows more under " + call.id : error.detail));
  };
  const auto csr = x509::parse_csr(wanted.csr);
  if (!csr) return refuse(FailInfo::bad_request, csr.error());
  if (const Status possessed = x509::verify_csr(*csr); !possessed)
    return refuse(possessed.error().code == Code::bad_key ? FailInfo::bad_algorithm : FailInfo::pop_failed,
                  possessed.error());
  const auto by_signer = check_holder(work, *csr);
  if (!by_signer) return refuse(proof_info_of(by_signer.error().code), by_signer.error());
  const auto by_peer = work.check(*csr, wanted.waits);
  if (!by_peer) return refuse(proof_info_of(by_peer.error().code), by_peer.error());
  IssueRequest order;
  order.profile = by_peer->empty() ? *by_signer : *by_peer;
  order.requester = work.who.name;
  order.csr = wanted.csr;
  if (work.signer) order.renews = work.signer->certificate;
  const auto issued = issuer_.issue(order, call);
  if (issued) {
    work.issued.push_back(issued->certificate);
    cmc::Outcome outcome;
    outcome.of = {wanted.id};
    work.outcomes.push_back(std::move(outcome));
    return;
  }
  if (issued.error().code != Code::pending) return refuse(fail_info_of(issued.error().code), issued.error());
  auto waits = remember(wanted, work, issued.error(), call);
  if (!waits) return refuse(fail_info_of(waits.error().code), waits.error());
  work.outcomes.push_back(*std::move(waits));
  work.pending = issued.error();
}

// RFC 5272 6.13: "the value of 'pendInfo' MUST be the same as the original pendInfo value."
Result<cmc::Outcome> FullCmc::remember(const Wanted& wanted, const Work& work, const Error& pending,
                                       Call& call) {
  const Time now = std::chrono::floor<std::chrono::seconds>(host_.clock().now());
  cmc::Outcome outcome;
  outcome.status = CmcStatus::pending;
  outcome.of = {wanted.id};
  outcome.text = pending.detail;
  outcome.wait = {token_of(work.who, wanted.csr), now + pending.retry_after.value_or(default_retry)};
  RecordWrite write;
  write.key = to_hex(outcome.wait->token);
  const auto known = waiting_.get(write.key);
  if (!known && known.error().code != Code::not_found) return known.error();
  if (known) {
    HANAPER_TRY(const json::Value value, json::parse(known->data));
    const json::Value* again = value.find("again");
    if (again != nullptr && again->integer())
      outcome.wait->again = Time{std::chrono::milliseconds{*again->integer()}};
    return outcome;
  }
  write.expires = now + waits_for;
  write.data =
      json::write(json::Value(json::Object{{"requester", work.who.name},
                                           {"csr", base64::encode(wanted.csr)},
                                           {"again", outcome.wait->again.time_since_epoch().count()}}));
  const Status stored = host_.commit({waiting_.bind(std::move(write))}, call);
  // The same request was sent twice: the other record is as good.
  if (!stored && stored.error().code != Code::conflict) return stored.error();
  return outcome;
}

Result<FullCmc::Answer> FullCmc::answer(const Work& work, Call& call) {
  HANAPER_TRY(const std::shared_ptr<Registrar> registrar, trust_.registrar(call));
  Answer answer;
  answer.pending = work.pending;
  answer.failed = work.issued.empty() && !work.pending;
  for (const cmc::Outcome& outcome : work.outcomes)
    if (outcome.status == CmcStatus::failed || outcome.status == CmcStatus::no_support)
      answer.text += (answer.text.empty() ? "" : "; ") + outcome.text;
  const Bytes response = cmc::pki_response(work.outcomes, work.data);
  // RFC 5272 4.2: "all intermediate certificates needed"; the registrar's among them.
  const std::vector<Bytes> chain = trust_.chain(trust_.authority());
  cms::SignedContent content;
  content.content_type = pki_response_oid;
  content.content = ByteView(response);
  content.signer = registrar->certificate();
  content.certificates.assign(work.issued.begin(), work.issued.end());
  content.certificates.insert(content.certificates.end(), chain.begin(), chain.end());
  if (std::ranges::none_of(content.certificates,
                           [&](ByteView one) { return equal(one, registrar->certificate()); }))
    content.certificates.push_back(registrar->certificate());
  HANAPER_TRY(answer.der, cms::sign(content, [&](SignatureScheme scheme, ByteView attributes) {
                return registrar->sign(scheme, attributes);
              }));
  return answer;
}

}  // namespace hanaper::est
