// A request's way when it is remembered: asked once and no more, and perhaps approved by somebody first.
#include "pipeline.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::issuance {
namespace {

constexpr int attempts = 4;
// A request whose node ended between intent and signature may go on after this long; no call lasts longer.
constexpr auto abandoned_after = std::chrono::minutes{2};
constexpr auto look_again = std::chrono::seconds{60};

// What is asked, not how it was signed this time, nor what links it to a connection.
Fingerprint digest_of(const x509::CsrView& csr) {
  Bytes asked = to_bytes(csr.subject);
  asked.insert(asked.end(), csr.spki.begin(), csr.spki.end());
  der::Reader attributes(csr.attributes);
  while (auto attribute = attributes.next()) {
    const auto type = der::Reader(attribute->content).read_oid();
    if (!type || oid::challenge_password != *type)
      asked.insert(asked.end(), attribute->whole.begin(), attribute->whole.end());
  }
  return crypto::sha256(asked);
}

bool is_named(const IssueRequest& request) { return !request.once.empty() || !request.approved_as.empty(); }

RememberedRequest first_seen(const IssueRequest& request, const Fingerprint& csr, std::string_view pipeline,
                             Time now) {
  RememberedRequest remembered;
  const std::string& name = request.once.empty() ? request.approved_as : request.once;
  remembered.id = Requests::id_of(
      pipeline,
      name.empty() ? to_hex(crypto::sha256({csr, as_bytes(request.requester), request.renews})) : name);
  remembered.pipeline = pipeline;
  remembered.profile = request.profile;
  remembered.requester = request.requester;
  remembered.csr = csr;
  remembered.asked_at = remembered.moved_at = now;
  return remembered;
}

}  // namespace

Result<Issued> Pipeline::run_once(const IssueRequest& request, bool approval, Call& call) {
  HANAPER_TRY(const x509::CsrView csr, x509::parse_csr(request.asked.empty() ? request.csr : request.asked));
  // What has a name of its own says by the name that it is asked again.
  const Fingerprint digest = is_named(request) ? crypto::sha256(csr.info) : digest_of(csr);
  // Somebody else may have moved the request first; then another look tells what became of it. When it was
  // one of the caller's own records that had moved, all looks end alike.
  for (int attempt = 1;; ++attempt) {
    auto issued = step(request, digest, approval, call);
    if (issued || issued.error().code != Code::conflict || attempt == attempts) return issued;
  }
}

// One look and one move; conflict when somebody else moved first.
Result<Issued> Pipeline::step(const IssueRequest& request, const Fingerprint& csr, bool approval,
                              Call& call) {
  const Time now = spine_.clock.now();
  RememberedRequest remembered = first_seen(request, csr, name_, now);
  const std::string id = remembered.id;
  auto known = spine_.requests.get(id);
  if (!known && known.error().code != Code::not_found) return std::move(known).error();
  if (known) {
    if (known->csr != csr) return conflict("another request was made under this name before");
    remembered = *std::move(known);
  } else if (approval) {
    return ask_for_approval(request, std::move(remembered), call).error();
  }
  switch (remembered.version == 0 ? RequestState::approved : remembered.state) {
    case RequestState::pending:
      return pending("request " + id + " waits for approval", look_again);
    case RequestState::denied:
      return rejected("request " + id + " was denied" +
                      (remembered.reason.empty() ? "" : ": " + remembered.reason));
    case RequestState::issued: {
      auto issued = issued_before(remembered.certificate, now);
      const bool over = !issued && issued.error().code == Code::forbidden;
      if (!over || !approval || is_named(request)) return issued;
      RememberedRequest again = first_seen(request, csr, name_, now);
      again.version = remembered.version;
      return ask_for_approval(request, std::move(again), call).error();
    }
    case RequestState::issuing:
      if (now < remembered.moved_at + abandoned_after && !spine_.is_over(remembered.run))
        return unavailable("the same request is being answered elsewhere");
      break;
    case RequestState::approved:
      break;
  }
  remembered.state = RequestState::issuing;
  remembered.run = spine_.run();
  remembered.moved_at = now;
  IssueRequest claimed = request;
  claimed.with_intent.push_back(spine_.requests.write(remembered));
  ++remembered.version;
  claimed.with_record = [&](const Issued& issued) {
    std::vector<RecordWrite> writes;
    if (request.with_record) writes = request.with_record(issued);
    remembered.state = RequestState::issued;
    remembered.certificate = {issued.authority, issued.serial};
    writes.push_back(spine_.requests.write(remembered));
    return writes;
  };
  return run(claimed, call);
}

// Nobody is bothered with what would be refused anyway.
Status Pipeline::ask_for_approval(const IssueRequest& request, RememberedRequest remembered, Call& call) {
  HANAPER_TRY(const Admitted admitted, admit(request, call));
  remembered.profile = admitted->draft.profile;
  remembered.subject = x509::name_text(admitted->draft.subject);
  for (const Identifier& name : admitted->draft.names)
    remembered.subject += (remembered.subject.empty() ? "" : " ") + name.value;
  for (const Bytes& usage : admitted->purposes.extended_usages)
    remembered.purposes += (remembered.purposes.empty() ? "" : " ") + x509::extended_usage_name(usage);
  if (remembered.purposes.empty()) remembered.purposes = "any";
  std::vector<RecordWrite> with;
  if (request.with_pending) with = request.with_pending(remembered.id);
  HANAPER_CHECK(spine_.requests.store(remembered, "request.asked", call, std::move(with)));
  spine_.log.info("request waits for approval",
                  {{"pipeline", name_}, {"request", remembered.id}, {"requester", request.requester}});
  return pending("request " + remembered.id + " waits for approval", look_again);
}

Result<Issued> Pipeline::issued_before(const CertificateId& id, Time now) {
  HANAPER_TRY(CertificateStatus known, status(id));
  if (known.certificate.empty()) return internal("a remembered certificate has no signature");
  if (const Status current = check_current(known.row, now, "the certificate of this request"); !current)
    return forbidden(current.error().detail + ": make another request");
  return Issued{.authority = id.authority,
                .serial = id.serial,
                .certificate = std::move(known.certificate),
                .chain = chain(id.authority),
                .not_before = known.row.not_before,
                .not_after = known.row.not_after};
}

}  // namespace hanaper::issuance
