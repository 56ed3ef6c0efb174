#include "responders.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/soft_key.hpp>

namespace hanaper::validity {
namespace {

using issuance::Authority;

constexpr auto responder_lifetime = std::chrono::days{30};

// RFC 6960 4.2.1: "KeyHash ::= OCTET STRING -- SHA-1 hash of responder's public key (excluding the tag and
// length fields)".
Bytes key_hash_of(ByteView spki) {
  const auto key = x509::parse_public_key(spki);
  return key ? crypto::digest(crypto::Hash::sha1, key->key_bits) : Bytes{};
}

// ResponseData begins with its version or with the responder's name or key; a TBSCertificate, which the same
// key signs elsewhere, with neither.
Status check_response_data(ByteView octets) {
  HANAPER_TRY(der::Reader reader, der::open(octets, der::sequence));
  if (reader.peek() != der::context(1) && reader.peek() != der::context(2))
    return malformed("a responder signs ResponseData and nothing else");
  return {};
}

class Delegate final : public Responder {
 public:
  Delegate(Bytes certificate, std::shared_ptr<Key> key, Time not_after)
      : certificate_(std::move(certificate)),
        key_(std::move(key)),
        key_hash_(key_hash_of(key_->spki())),
        not_after_(not_after),
        scheme_(x509::default_scheme(key_->spec())) {}

  ByteView certificate() const noexcept override { return certificate_; }
  bool delegated() const noexcept override { return true; }
  ByteView key_hash() const noexcept override { return key_hash_; }
  Time not_after() const noexcept override { return not_after_; }
  SignatureScheme scheme() const noexcept override { return scheme_; }
  Result<Bytes> sign(ByteView response_data) override {
    HANAPER_CHECK(check_response_data(response_data));
    return key_->sign(scheme_, response_data);
  }

 private:
  const Bytes certificate_;
  const std::shared_ptr<Key> key_;
  const Bytes key_hash_;
  const Time not_after_;
  const SignatureScheme scheme_;
};

class Itself final : public Responder {
 public:
  explicit Itself(std::shared_ptr<const Authority> authority)
      : authority_(std::move(authority)), key_hash_(key_hash_of(authority_->spki())) {}

  ByteView certificate() const noexcept override { return authority_->certificate(); }
  bool delegated() const noexcept override { return false; }
  ByteView key_hash() const noexcept override { return key_hash_; }
  Time not_after() const noexcept override { return authority_->not_after(); }
  SignatureScheme scheme() const noexcept override { return authority_->scheme(); }
  Result<Bytes> sign(ByteView response_data) override {
    HANAPER_CHECK(check_response_data(response_data));
    return authority_->sign(scheme(), response_data);
  }

 private:
  const std::shared_ptr<const Authority> authority_;
  const Bytes key_hash_;
};

}  // namespace

Responders::Responders(Context context, std::shared_ptr<const issuance::Authority> authority)
    : context_(std::move(context)),
      authority_(std::move(authority)),
      itself_(std::make_shared<Itself>(authority_)) {}

bool Responders::is_fresh(const Responder& responder) const {
  const Time now = context_.clock.now();
  if (responder.not_after() - now > responder_lifetime / 2) return true;
  // What is as long as the authority itself cannot be made longer.
  return responder.not_after() == authority_->not_after() && responder.not_after() > now;
}

Result<std::shared_ptr<Responder>> Responders::find(std::optional<KeyType> delegate, Call& call) {
  if (delegate)
    return of_kind(*delegate).find(
        context_.clock, call, [this](const Responder& known) { return is_fresh(known); },
        [&] { return make(*delegate, call); });
  if (authority_->not_after() <= context_.clock.now())
    return unavailable("authority " + authority_->config().name + " has expired");
  return itself_;
}

Renewed<Responder>& Responders::of_kind(KeyType type) {
  const Lock lock(mutex_);
  return delegates_[type];
}

Result<std::shared_ptr<Responder>> Responders::make(KeyType type, Call& call) const {
  auto made = certify(type, call);
  if (!made)
    context_.log.warning("no certificate for the OCSP responder",
                         {{"authority", authority_->config().name}, {"error", made.error().detail}});
  return made;
}

Result<std::shared_ptr<Responder>> Responders::certify(KeyType type, Call& call) const {
  HANAPER_TRY(const std::shared_ptr<crypto::SoftKey> key,
              crypto::SoftKey::generate({type, algorithms::row(type).bits}));
  const Time now = std::chrono::floor<std::chrono::seconds>(context_.clock.now());
  const Time not_after = std::min<Time>(now + responder_lifetime, authority_->not_after());
  if (not_after <= now) return unavailable("authority " + authority_->config().name + " has expired");
  // RFC 6960 4.2.2.2.1: id-pkix-ocsp-nocheck, NULL: who answers for the authority is not asked about.
  HANAPER_TRY(Bytes certificate,
              validity::certify(*authority_, context_,
                                {.profile = "ocsp-responder",
                                 .subject = x509::encode_name({{std::string(x509::common_name_oid),
                                                                "OCSP responder " + context_.node}}),
                                 .spki = key->spki(),
                                 .key_usage = x509::digital_signature,
                                 .extensions = {{to_bytes(oid::extended_key_usage), false,
                                                 x509::extended_key_usage({to_bytes(oid::ocsp_signing)})},
                                                {to_bytes(oid::ocsp_no_check), false, Bytes{der::null, 0}}},
                                 .not_after = not_after},
                                call));
  return std::shared_ptr<Responder>(std::make_shared<Delegate>(std::move(certificate), key, not_after));
}

}  // namespace hanaper::validity
