// Account key rollover (RFC 8555 7.3.5): a JWS of the new key inside a JWS of the old one.
#include "service.hpp"

#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::acme {
namespace {

// "Check that the ... inner JWS ...": 7.3.5 steps 1 to 8, except for the account's.
Outcome<jose::Jws> open_inner(const SignedRequest& outer) {
  auto inner = jose::parse_jws(as_text(outer.payload));
  if (!inner && inner.error().code == Code::bad_key)
    return Problem{400, "badPublicKey", "inner jws: " + inner.error().detail};
  if (!inner) return malformed_problem("inner " + inner.error().detail);
  if (!inner->jwk) return malformed_problem("inner jws: jwk, the new key, is needed");
  if (inner->header.optional("nonce") != nullptr)
    return malformed_problem("inner jws: nonce must be left out");
  if (inner->url != outer.url) return malformed_problem("inner jws: url is not that of the outer one");
  const auto key = x509::parse_public_key(inner->jwk->spki);
  if (Status good = key ? x509::check_public_key(*key) : Status(key.error()); !good)
    return Problem{400, "badPublicKey", "inner jws: " + good.error().detail};
  const Status verified = jose::verify(*inner, inner->jwk->spki);
  if (!verified && verified.error().code == Code::bad_key)
    return Problem{400, "badPublicKey", "inner jws: " + verified.error().detail};
  if (!verified) return malformed_problem("inner jws: " + verified.error().detail);
  return *std::move(inner);
}

}  // namespace

Outcome<Response> Service::key_change(const Request& request, Call& call) {
  ACME_TRY(const SignedRequest outer, open(request, Signer::account, call));
  if (outer.post_as_get) return malformed_problem("the inner jws is missing");
  ACME_TRY(const jose::Jws inner, open_inner(outer));
  Account account = *outer.account;
  const auto payload = json::parse(as_text(inner.payload));
  if (!payload || payload->object() == nullptr)
    return malformed_problem("inner jws: its payload is no object");
  if (payload->text_at("account") != url("/account/" + account.id))
    return malformed_problem("inner jws: account is not the one that signed the outer jws");
  const json::Value* old_key = payload->optional("oldKey");
  if (old_key == nullptr) return malformed_problem("inner jws: oldKey is missing");
  const auto old_jwk = jose::parse_jwk(*old_key);
  if (!old_jwk || old_jwk->thumbprint != account.thumbprint)
    return malformed_problem("inner jws: oldKey is not the account's key");
  const auto conflict = [&](const std::string& owner) {
    // "a 409 (Conflict) ... and provide the URL of that account in the Location header field"
    Problem problem{409, "malformed", "the new key belongs to an account already"};
    problem.headers.push_back({"Location", url("/account/" + owner)});
    return problem;
  };
  const std::string& thumbprint = inner.jwk->thumbprint;
  if (const auto taken = store_.keys.get(thumbprint)) return conflict(taken->data);
  const auto old_record = store_.keys.get(account.thumbprint);
  if (!old_record) return problem_of(old_record.error(), call);
  RecordWrite release;
  release.key = account.thumbprint;
  release.expected = old_record->version;
  release.erase = true;
  account.spki = inner.jwk->spki;
  account.thumbprint = thumbprint;
  const Status stored = store_.commit(
      {store_.write(account), store_.keys.bind(std::move(release)), store_.write_key(account)}, call);
  if (!stored && stored.error().code == Code::conflict) {
    if (const auto taken = store_.keys.get(thumbprint)) return conflict(taken->data);
    return malformed_problem("the account was changed at the same moment; try again", 409);
  }
  if (!stored) return problem_of(stored.error(), call);
  host_.log().info("account key changed", {{"account", account.id}});
  return present_account(account, 200);
}

}  // namespace hanaper::acme
