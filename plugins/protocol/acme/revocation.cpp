// Revocation (RFC 8555 7.6).
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>

namespace hanaper::acme {
namespace {

Outcome<RevocationReason> read_reason(const json::Value& payload) {
  const json::Value* value = payload.find("reason");
  if (value == nullptr) return RevocationReason::unspecified;
  using enum RevocationReason;
  for (RevocationReason reason :
       {unspecified, key_compromise, affiliation_changed, superseded, cessation_of_operation})
    if (value->integer() && *value->integer() == static_cast<std::int64_t>(reason)) return reason;
  return Problem{400, "badRevocationReason", "reasons are 0, 1, 3, 4 and 5 (RFC 5280 5.3.1)"};
}

}  // namespace

Outcome<Response> Service::revoke(const Request& request, Call& call) {
  ACME_TRY(const SignedRequest signed_request, open(request, Signer::either, call));
  ACME_TRY(const json::Value payload, payload_object(signed_request));
  const auto certificate = base64::decode_url(payload.text_at("certificate"));
  if (!certificate || certificate->empty())
    return malformed_problem("certificate: base64url of its DER is expected");
  ACME_TRY(const RevocationReason reason, read_reason(payload));
  const auto id = issuer_.identify(*certificate);
  if (!id)
    return id.error().code == Code::not_found ? malformed_problem("the certificate was not issued here", 404)
                                              : problem_of(id.error(), call);
  const auto status = issuer_.status(*id);
  if (!status) return problem_of(status.error(), call);
  std::string requester;
  if (signed_request.account) {
    requester = "acme:account/" + signed_request.account->id;
    if (status->row.requester != requester)
      return Problem{403, "unauthorized", "the certificate was issued for another account"};
  } else {
    const auto view = x509::parse_certificate(*certificate);
    if (!view || !equal(view->spki, signed_request.jwk->spki))
      return Problem{403, "unauthorized",
                     "the request is signed neither by an account nor by the certificate's key"};
    requester = "acme:certificate-key";
  }
  if (status->row.revoked) return Problem{400, "alreadyRevoked", "the certificate is revoked already"};
  if (Status revoked = issuer_.revoke(*id, reason, requester, call); !revoked) {
    if (revoked.error().code == Code::conflict) return Problem{400, "alreadyRevoked", revoked.error().detail};
    return problem_of(revoked.error(), call);
  }
  host_.log().info(
      "certificate revoked",
      {{"serial", id->serial.hex()}, {"requester", requester}, {"reason", std::string(to_string(reason))}});
  return Response{200, {}, {}};
}

}  // namespace hanaper::acme
