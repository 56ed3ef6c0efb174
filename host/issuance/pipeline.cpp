// The second half of the spine: store the intent, sign, store the signature; and what comes after.
#include "pipeline.hpp"

#include "../services/audit.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>

namespace hanaper::issuance {
namespace {

constexpr int serial_attempts = 3;

bool is_refusal(Code code) { return code != Code::internal && code != Code::unavailable; }

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

Result<Issued> Pipeline::issue(const IssueRequest& request, Call& call) {
  const auto start = std::chrono::steady_clock::now();
  auto issued = run(request, call);
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
  HANAPER_TRY(Admitted admitted, admit(request, call));
  HANAPER_TRY(Cleared cleared, clear(std::move(admitted), call));
  HANAPER_TRY(Reserved reserved, reserve(std::move(cleared), request, call));
  HANAPER_TRY(Signed signed_, sign(std::move(reserved), call));
  return record(std::move(signed_), request, call);
}

Result<Reserved> Pipeline::reserve(Cleared cleared, const IssueRequest& request, Call& call) {
  Reserved reserved(std::move(cleared.work_));
  Work& work = *reserved;
  const Authority& authority = work.profile->authority();
  for (int attempt = 1;; ++attempt) {
    Write write;
    write.records = request.with_intent;
    write.reservation = Reservation{.authority = authority.id(),
                                    .serial = work.serial,
                                    .profile = work.draft.profile,
                                    .requester = work.draft.requester,
                                    .not_before = work.draft.not_before,
                                    .not_after = work.draft.not_after,
                                    .shard = 0,
                                    .tbs = work.tbs};
    write.audit = services::audit_line(spine_.clock.now(), "sign.intent",
                                       {{"authority", authority.config().name},
                                        {"serial", work.serial.hex()},
                                        {"profile", std::string(work.draft.profile)},
                                        {"requester", request.requester},
                                        {"tbs", to_hex(crypto::sha256(work.tbs))},
                                        {"call", call.id}});
    const Status stored = spine_.writer.commit(write, call.deadline);
    if (stored) return reserved;
    // A taken serial is the one conflict that is ours to resolve; records that moved are the caller's.
    const bool taken = stored.error().code == Code::conflict &&
                       spine_.ledger.certificate(authority.id(), work.serial).has_value();
    if (!taken || attempt == serial_attempts) return stored.error();
    HANAPER_CHECK(draw_up(work, call));
  }
}

Result<Signed> Pipeline::sign(Reserved reserved, Call& call) {
  Signed signed_(std::move(reserved.work_));
  auto signature = signed_->profile->authority().sign(signed_->profile->scheme(), signed_->tbs);
  if (!signature) {
    audit_failure(*signed_, "sign.failed", signature.error(), call);
    return std::move(signature).error();
  }
  signed_->signature = *std::move(signature);
  return signed_;
}

Result<Issued> Pipeline::record(Signed signed_, const IssueRequest& request, Call& call) {
  Work& work = *signed_;
  const Authority& authority = work.profile->authority();
  Issued issued{.authority = authority.id(),
                .serial = work.serial,
                .certificate = x509::assemble_certificate(work.tbs, work.signature),
                .chain = authority.chain(),
                .not_before = work.draft.not_before,
                .not_after = work.draft.not_after};
  Write write;
  if (request.with_record) write.records = request.with_record(issued);
  write.recording = Recording{authority.id(), work.serial, work.signature, spine_.clock.now()};
  write.audit = services::audit_line(spine_.clock.now(), "signed",
                                     {{"authority", authority.config().name},
                                      {"serial", work.serial.hex()},
                                      {"certificate", to_hex(crypto::sha256(issued.certificate))},
                                      {"call", call.id}});
  HANAPER_CHECK(spine_.writer.commit(write, call.deadline, ExpiryChange{expiry_day(issued.not_after), 1}));
  return issued;
}

void Pipeline::audit_failure(const Work& work, std::string_view event, const Error& error, Call& call) {
  Write write;
  write.audit = services::audit_line(spine_.clock.now(), event,
                                     {{"authority", work.profile->authority().config().name},
                                      {"serial", work.serial.hex()},
                                      {"error", error.detail},
                                      {"call", call.id}});
  if (Status stored = spine_.writer.commit(write, call.deadline); !stored)
    spine_.log.error("a failed signature could not be audited",
                     {{"serial", work.serial.hex()}, {"error", stored.error().detail}});
}

Status Pipeline::revoke(const CertificateId& id, RevocationReason reason, std::string_view requester,
                        Call& call) {
  HANAPER_TRY(const CertificateRow row, spine_.ledger.certificate(id.authority, id.serial));
  if (row.signature.empty())
    return not_found("serial number " + id.serial.hex() + " was reserved but never signed");
  if (row.revoked) return conflict("the certificate is revoked already");
  const Time now = spine_.clock.now();
  if (row.not_after < now) return conflict("the certificate has expired");
  Write write;
  write.revocation = Revocation{.authority = id.authority,
                                .serial = id.serial,
                                .shard = row.shard,
                                .reason = reason,
                                .at = now,
                                .invalidity = {},
                                .not_after = row.not_after,
                                .block_key = {}};
  if (reason == RevocationReason::key_compromise) {
    HANAPER_TRY(const x509::TbsView tbs, x509::parse_tbs(row.tbs));
    write.revocation->block_key = crypto::sha256(tbs.spki);
  }
  write.audit = services::audit_line(now, "revoked",
                                     {{"authority", authority()->config().name},
                                      {"serial", id.serial.hex()},
                                      {"reason", std::string(to_string(reason))},
                                      {"requester", std::string(requester)},
                                      {"call", call.id}});
  HANAPER_CHECK(spine_.writer.commit(write, call.deadline, ExpiryChange{expiry_day(row.not_after), -1}));
  if (write.revocation->block_key) spine_.blocked.add(*write.revocation->block_key);
  revoked_.add();
  return {};
}

Result<CertificateStatus> Pipeline::status(const CertificateId& id) {
  HANAPER_TRY(CertificateRow row, spine_.ledger.certificate(id.authority, id.serial));
  Bytes certificate;
  if (!row.signature.empty()) certificate = x509::assemble_certificate(row.tbs, row.signature);
  return CertificateStatus{std::move(row), std::move(certificate)};
}

Result<CertificateId> Pipeline::identify(ByteView certificate) {
  HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(certificate));
  const auto signer = authority();
  const Error foreign = not_found("the certificate was not issued here");
  if (!equal(view.issuer, signer->subject())) return foreign;
  const CertificateId id{signer->id(), view.serial};
  auto known = status(id);
  if (!known && known.error().code != Code::not_found) return std::move(known).error();
  if (!known || !equal(known->certificate, certificate)) return foreign;
  return id;
}

std::vector<Bytes> Pipeline::chain() const { return wiring_.load()->authority->chain(); }

std::vector<std::string> Pipeline::profiles() const {
  std::vector<std::string> names;
  for (const auto& profile : wiring_.load()->profiles) names.push_back(profile->config().name);
  return names;
}

}  // namespace hanaper::issuance
