// A request's way through both halves of the spine, and what comes after: revocation, status.
#include "pipeline.hpp"

#include <hanaper/toolkit/name_match.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::issuance {
namespace {

bool is_refusal(Code code) { return code != Code::internal && code != Code::unavailable; }

// A certificate of ours lets its holder ask for the same again and no more; another authenticator may know
// the same sender as somebody who may do more.
bool needs_more(const Identity& known) { return known.by_certificate && known.roles.empty(); }

void add(Identity& known, Identity more) {
  std::ranges::move(more.roles, std::back_inserter(known.roles));
  std::ranges::move(more.bound_to, std::back_inserter(known.bound_to));
  known.by_certificate = known.by_certificate && more.by_certificate;
}

}  // namespace

Pipeline::Pipeline(std::string name, Spine spine)
    : name_(std::move(name)),
      spine_(spine),
      issued_(spine_.metrics.counter("hanaper_certificates_issued_total", "Certificates issued.",
                                     {{"pipeline", name_}})),
      refused_(spine_.metrics.counter("hanaper_requests_refused_total", "Certificate requests refused.",
                                      {{"pipeline", name_}})),
      failed_(spine_.metrics.counter("hanaper_requests_failed_total", "Certificate requests that failed.",
                                     {{"pipeline", name_}})),
      revoked_(spine_.metrics.counter("hanaper_certificates_revoked_total", "Certificates revoked.",
                                      {{"pipeline", name_}})),
      time_(spine_.metrics.histogram("hanaper_issue_seconds", "Time from request to durable certificate.",
                                     {{"pipeline", name_}})) {}

Result<Identity> Pipeline::authenticate(const Request& request, Call& call) {
  const auto wiring = wiring_.load();
  if (wiring->authenticators.empty())
    return Error{Code::unauthenticated, "pipeline " + name_ + " has no authenticators: nobody is known"};
  std::optional<Identity> known;
  std::string refusals;
  for (const auto& [name, authenticator] : wiring->authenticators) {
    auto found = authenticator->authenticate(request, call);
    // Known to be bad is not unknown: nobody else is asked about it.
    if (!found && found.error().code == Code::forbidden)
      return Error{Code::unauthenticated, std::move(found).error().detail};
    if (!found && found.error().code != Code::unauthenticated) return std::move(found).error();
    if (found && !wiring->authenticate_all && !needs_more(*found)) return found;
    if (!found && wiring->authenticate_all) return std::move(found).error();
    if (!found)
      refusals += (refusals.empty() ? "" : "; ") + found.error().detail;
    else if (!known)
      known = *std::move(found);
    else if (wiring->authenticate_all)
      add(*known, *std::move(found));
  }
  if (known) return *std::move(known);
  return Error{Code::unauthenticated, std::move(refusals)};
}

std::vector<std::string> Pipeline::challenges() const {
  const auto wiring = wiring_.load();  // held meanwhile, as those whom it names are held by it
  std::vector<std::string> values;
  for (const auto& [name, authenticator] : wiring->authenticators)
    if (std::string value = authenticator->challenge(); !value.empty()) values.push_back(std::move(value));
  return values;
}

Result<Issued> Pipeline::issue(const IssueRequest& request, Call& call) {
  const auto start = std::chrono::steady_clock::now();
  const bool approval = wiring_.load()->approval;
  auto issued = approval || !request.once.empty() ? run_once(request, approval, call) : run(request, call);
  if (!issued && issued.error().code == Code::pending) return issued;
  if (issued) {
    issued_.add();
    time_.observe(std::chrono::steady_clock::now() - start);
    return issued;
  }
  const bool refusal = is_refusal(issued.error().code);
  (refusal ? refused_ : failed_).add();
  spine_.log.write(refusal ? LogLevel::info : LogLevel::warning,
                   refusal ? "request refused" : "issuance failed",
                   {{"pipeline", name_},
                    {"requester", request.requester},
                    {"code", std::string(to_string(issued.error().code))},
                    {"error", issued.error().detail},
                    {"call", call.id}});
  return issued;
}

Result<Issued> Pipeline::run(const IssueRequest& request, Call& call) {
  if (spine_.room) HANAPER_CHECK(spine_.room());
  HANAPER_TRY(Admitted admitted, admit(request, call));
  HANAPER_TRY(Cleared cleared, clear(std::move(admitted), call));
  IssuanceTask task({spine_.ledger, spine_.writer, spine_.signers, spine_.clock, spine_.log},
                    std::move(cleared), request, call, [&](Work& work) { return draw_up(work, call); });
  return task.run();
}

Status Pipeline::revoke(const CertificateId& id, RevocationReason reason, std::string_view requester,
                        Call& call, bool key_proven) {
  HANAPER_TRY(const CertificateRow row, spine_.ledger.certificate(id.authority, id.serial));
  if (reason == RevocationReason::remove_from_crl) return malformed("removeFromCRL is no reason to revoke");
  return revoke(row, {reason, {}, std::string(requester), key_proven}, call);
}

Status Pipeline::revoke(const CertificateRow& row, const RevocationOrder& order, const Call& call) {
  const auto all = signers();
  const auto issuer =
      std::ranges::find_if(all, [&](const auto& signer) { return signer->id() == row.authority; });
  if (issuer == all.end())
    return not_found("the certificate was not issued by an authority of pipeline " + name_);
  const Revoker revoker{spine_.writer, spine_.blocked, spine_.clock, spine_.revoked};
  HANAPER_CHECK(revoker.revoke((*issuer)->config().name, row, order, call));
  if (order.reason != RevocationReason::remove_from_crl) revoked_.add();
  return {};
}

Result<CertificateStatus> Pipeline::status(const CertificateId& id) {
  HANAPER_TRY(CertificateRow row, spine_.ledger.certificate(id.authority, id.serial));
  Bytes certificate;
  if (!row.signature.empty()) certificate = x509::assemble_certificate(row.tbs, row.signature);
  return CertificateStatus{std::move(row), std::move(certificate)};
}

Result<CertificateStatus> Pipeline::identify(ByteView certificate) {
  HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(certificate));
  for (const auto& signer : signers()) {
    if (!x509::same_name(view.issuer, signer->subject())) continue;
    auto known = status({signer->id(), view.serial});
    if (!known && known.error().code != Code::not_found) return std::move(known).error();
    if (known && equal(known->certificate, certificate)) return known;
  }
  return not_found("the certificate was not issued here");
}

Result<CertificateId> Pipeline::find(ByteView authority_key, const Serial& serial) {
  for (const auto& signer : signers()) {
    if (!equal(signer->key_identifier(), authority_key)) continue;
    const auto row = spine_.ledger.certificate(signer->id(), serial);
    if (!row && row.error().code != Code::not_found) return row.error();
    if (row && !row->signature.empty()) return CertificateId{signer->id(), serial};
  }
  return not_found("no such certificate was issued here");
}

bool Pipeline::acts_for(const CertificateRow& row, bool by_profile) const {
  const auto wiring = wiring_.load();
  if (by_profile && std::ranges::none_of(wiring->profiles, [&](const auto& profile) {
        return profile->config().name == row.profile;
      }))
    return false;
  return std::ranges::any_of(signers(), [&](const auto& signer) { return signer->id() == row.authority; });
}

std::vector<std::shared_ptr<const Authority>> Pipeline::signers() const {
  const auto wiring = wiring_.load();
  std::vector<std::shared_ptr<const Authority>> all{wiring->authority};
  all.insert(all.end(), wiring->earlier.begin(), wiring->earlier.end());
  return all;
}

Result<ValidityPeriod> Pipeline::validity(std::string_view name, std::optional<Time> not_before,
                                          std::optional<Time> not_after) const {
  const auto wiring = wiring_.load();
  HANAPER_TRY(const Profile* profile, find_profile(*wiring, name));
  return profile->validity(spine_.clock.now(), not_before, not_after);
}

std::vector<Bytes> Pipeline::chain(AuthorityId authority) const {
  for (const auto& signer : signers())
    if (signer->id() == authority) return signer->chain();
  return {};
}

std::vector<Bytes> Pipeline::path() const { return wiring_.load()->path; }

RollOver Pipeline::roll_over() const { return wiring_.load()->roll_over; }

Result<Bytes> Pipeline::next_message() {
  const auto wiring = wiring_.load();
  if (!wiring->next_message)
    return not_found("no authority is to take over from " + wiring->authority->config().name);
  return wiring->next_message();
}

Result<std::shared_ptr<Registrar>> Pipeline::registrar(Call& call) {
  const auto wiring = wiring_.load();
  if (!wiring->registrar)
    return unsupported("authority." + wiring->authority->config().name +
                       ".registrar: a key is wanted, \"instance:label\"; hanaper init makes it; or "
                       "\"authority\" for its own, if that is RSA");
  return wiring->registrar(call);
}

std::vector<std::string> Pipeline::profiles() const {
  std::vector<std::string> names;
  const auto wiring = wiring_.load();
  for (const auto& profile : wiring->profiles) names.push_back(profile->config().name);
  return names;
}

Result<RequestForm> Pipeline::request_form(std::string_view name) const {
  const auto wiring = wiring_.load();
  HANAPER_TRY(const Profile* profile, find_profile(*wiring, name));
  return profile->request_form();
}

Result<Bytes> Pipeline::crl(const CertificateId& id, ByteCount limit) {
  const auto wiring = wiring_.load();
  HANAPER_TRY(const CertificateRow row, spine_.ledger.certificate(id.authority, id.serial));
  if (!wiring->crl || id.authority != wiring->authority->id())
    return not_found("no CRL of authority " + wiring->authority->config().name + " is published");
  return wiring->crl(row.shard, limit);
}

}  // namespace hanaper::issuance
