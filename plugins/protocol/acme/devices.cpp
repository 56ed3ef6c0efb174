// Devices that attest what they are (draft-ietf-acme-device-attest).
#include "service.hpp"

#include "methods.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>

namespace hanaper::acme {

// Section 5. Judged at once: all there is to know comes with the request. Nothing of it is kept but whose key
// it was (7.2: "The full attestation payload should not be retained").
Outcome<Authorization> Service::attest(const Authorization& one, const json::Value& payload,
                                       const Account& account, Call& call) {
  const auto object = base64::decode_url(payload.text_at("attObj"));
  if (!object || object->empty())
    return malformed_problem("attObj: base64url of a WebAuthn attestation object is expected");
  Authorization asked = one;
  const std::string token = asked.find(device_attest)->token;
  const std::string key_authorization = token + "." + account.thumbprint;
  const auto judged = judge_attestation({*object, one.identifier, token, key_authorization},
                                        options_.device_roots, host_.clock().now());
  const Problem problem{400, "badAttestationStatement", judged ? "" : judged.error().detail};
  bool ours = false;
  auto changed = store_.change(
      one,
      [&](Authorization& current) {
        Challenge* challenge = current.find(device_attest);
        ours = current.status == "pending" && challenge->status == "pending";
        if (!ours) return false;
        const Time now = host_.clock().now();
        add_event(current.history, now,
                  challenge->type + ": " + (judged ? "met by " + judged->format : judged.error().detail));
        current.status = challenge->status = judged ? "valid" : "invalid";
        if (!judged) {
          challenge->error = to_json(problem);
          return true;
        }
        challenge->validated = now;
        current.attested_key = to_hex(crypto::sha256(judged->spki));
        current.expires = now + options_.authorization_lifetime;
        return true;
      },
      call);
  if (!changed) return problem_of(changed.error(), call);
  if (!ours) return *std::move(changed);
  (judged ? validations_ : validations_failed_).add();
  host_.log().info(judged ? "challenge met" : "challenge failed", {{"authorization", one.id},
                                                                   {"type", std::string(device_attest)},
                                                                   {"name", one.identifier.value},
                                                                   {"error", problem.detail}});
  if (judged) return *std::move(changed);
  static_cast<void>(options_.limits.take("failures-per-account", account.id, host_.clock().now()));
  return problem;
}

// What a device attested is its key, and no other gets its name.
Status Service::check_attested(const Order& order, const std::vector<Authorization>& of) const {
  if (std::ranges::all_of(of, [](const Authorization& one) { return one.attested_key.empty(); })) return {};
  HANAPER_TRY(const x509::CsrView csr, x509::parse_csr(order.csr));
  const std::string key = to_hex(crypto::sha256(csr.spki));
  for (const Authorization& one : of)
    if (!one.attested_key.empty() && one.attested_key != key)
      return bad_csr("the request's key is not the one that " + one.identifier.value + " has attested");
  return {};
}

}  // namespace hanaper::acme
