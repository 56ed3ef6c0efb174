// Revocation (RFC 8555 7.6): by the account that ordered, by the certificate's key, or by an account that
// holds authorizations for every name.
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

Outcome<RevocationReason> read_reason(const json::Value& payload) {
  const json::Value* value = payload.optional("reason");
  if (value == nullptr) return RevocationReason::unspecified;
  using enum RevocationReason;
  for (RevocationReason reason :
       {unspecified, key_compromise, affiliation_changed, superseded, cessation_of_operation})
    if (value->integer() && *value->integer() == static_cast<std::int64_t>(reason)) return reason;
  return Problem{400, "badRevocationReason", "reasons are 0, 1, 3, 4 and 5 (RFC 5280 5.3.1)"};
}

}  // namespace

Outcome<bool> Service::may_revoke(const Account& account, const CertificateStatus& status, Call& call) {
  if (status.row.requester == account.requester()) return true;
  const auto view = x509::parse_certificate(status.certificate);
  const x509::ExtensionView* extension = view ? view->find(oid::subject_alt_name) : nullptr;
  const auto names =
      extension ? x509::parse_general_names(extension->value) : Result<x509::GeneralNames>(not_found("none"));
  if (!names || names->names.empty() || names->others != 0) return false;
  for (const Identifier& name : names->names) {
    // With authorizations for a domain and all below it, RFC 9444 lets any of its parents stand for a name.
    Identifier asked = without_wildcard(name);
    bool held = false;
    while (!held) {
      const auto known = store_.authorizations_for(account.id, asked);
      if (!known) return problem_of(known.error(), call);
      held = std::ranges::any_of(
          *known, [&](const Authorization& one) { return one.status == "valid" && one.covers(name); });
      const std::size_t dot = asked.value.find('.');
      if (held || asked.kind != Identifier::Kind::dns || dot == std::string::npos) break;
      asked.value.erase(0, dot + 1);
    }
    if (!held) return false;
  }
  return true;
}

Outcome<Response> Service::revoke(const Request& request, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::either, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  const auto certificate = base64::decode_url(payload.text_at("certificate"));
  if (!certificate || certificate->empty())
    return malformed_problem("certificate: base64url of its DER is expected");
  ACME_TRY(const RevocationReason reason, read_reason(payload));
  const auto status = issuer_.identify(*certificate);
  if (!status)
    return status.error().code == Code::not_found
               ? malformed_problem("the certificate was not issued here", 404)
               : problem_of(status.error(), call);
  // RFC 8739 3.1.2: whoever wants such a certificate gone cancels its order.
  const auto star = store_.stars.get(certificate_name(status->id()));
  if (!star && star.error().code != Code::not_found) return problem_of(star.error(), call);
  if (star)
    return Problem{403, "autoRenewalRevocationNotSupported",
                   "the certificate renews itself; cancel its order instead"};
  std::string requester;
  const bool by_key = !signed_request.account;
  if (signed_request.account) {
    requester = signed_request.account->requester();
    ACME_TRY(const bool allowed, may_revoke(*signed_request.account, *status, call));
    if (!allowed)
      return Problem{
          403, "unauthorized",
          "the account neither ordered the certificate nor holds authorizations for all its names"};
  } else {
    const auto view = x509::parse_certificate(*certificate);
    if (!view || !equal(view->spki, signed_request.jwk->spki))
      return Problem{403, "unauthorized",
                     "the request is signed neither by an account nor by the certificate's key"};
    requester = "acme:certificate-key";
  }
  if (status->row.revoked) return Problem{400, "alreadyRevoked", "the certificate is revoked already"};
  if (Status revoked = issuer_.revoke(status->id(), reason, requester, call, by_key); !revoked) {
    if (revoked.error().code == Code::conflict) return Problem{400, "alreadyRevoked", revoked.error().detail};
    return problem_of(revoked.error(), call);
  }
  host_.log().info("certificate revoked", {{"serial", status->row.serial.hex()},
                                           {"requester", requester},
                                           {"reason", std::string(to_string(reason))}});
  return Response{200, {}, {}};
}

}  // namespace hanaper::acme
