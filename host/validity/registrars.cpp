#include "registrars.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::validity {
namespace {

constexpr auto registrar_lifetime = std::chrono::days{366};
// No instance has such a name.
constexpr const char* collection = ".registrars";
// A node that ended between intent and signature leaves its claim behind; no call lasts longer.
constexpr auto abandoned_after = std::chrono::minutes{2};

class Certified final : public Registrar {
 public:
  Certified(Bytes certificate, Time not_after, std::shared_ptr<Key> key)
      : certificate_(std::move(certificate)), not_after_(not_after), key_(std::move(key)) {}

  ByteView certificate() const noexcept override { return certificate_; }
  ByteView spki() const noexcept override { return key_->spki(); }
  Time not_after() const noexcept override { return not_after_; }
  Result<Bytes> sign(SignatureScheme scheme, ByteView signed_attributes) override {
    if (!der::open(signed_attributes, der::set)) return malformed("a registrar signs SignedAttributes only");
    if (algorithms::row(scheme).padding != algorithms::Padding::pkcs1)
      return unsupported("a registrar signs with RSA PKCS#1 v1.5");
    return key_->sign(scheme, signed_attributes);
  }
  Result<Secret> decrypt(ByteView ciphertext) override { return key_->decrypt(ciphertext); }

 private:
  const Bytes certificate_;
  const Time not_after_;
  const std::shared_ptr<Key> key_;
};

}  // namespace

// What the nodes know together. While somebody makes a new certificate, the old one stays in use.
struct Registrars::Remembered {
  Bytes certificate;  // empty: none yet
  Time claimed_at;
  std::uint64_t version = 0;

  RecordWrite write(const std::string& key) const {
    RecordWrite write;
    write.collection = collection;
    write.key = key;
    write.expected = version;
    write.data = json::write(json::Value(json::Object{
        {"certificate", to_hex(certificate)}, {"claimed_at", claimed_at.time_since_epoch().count()}}));
    return write;
  }
};

Registrars::Registrars(Context context, std::shared_ptr<const issuance::Authority> authority)
    : context_(std::move(context)),
      authority_(std::move(authority)),
      record_(std::to_string(authority_->id()) + "-" +
              to_hex(crypto::sha256(authority_->registrar_key()->spki()))) {
  if (authority_->config().own_registrar)
    own_ = std::make_shared<Certified>(authority_->certificate(), authority_->not_after(),
                                       authority_->registrar_key());
}

Result<Registrars::Remembered> Registrars::remembered() const {
  Remembered remembered;
  const auto record = context_.storage.records().get(collection, record_);
  if (!record && record.error().code == Code::not_found) return remembered;
  if (!record) return record.error();
  HANAPER_TRY(const json::Value value, json::parse(record->data));
  HANAPER_TRY(remembered.certificate, from_hex(value.text_at("certificate")));
  const json::Value* claimed = value.find("claimed_at");
  if (claimed != nullptr && claimed->integer())
    remembered.claimed_at = Time{std::chrono::milliseconds{*claimed->integer()}};
  remembered.version = record->version;
  return remembered;
}

bool Registrars::is_fresh(const Registrar& registrar) const {
  const Time now = context_.clock.now();
  if (registrar.not_after() <= now) return false;
  // What is as long as the authority itself cannot be made longer.
  return registrar.not_after() - now > registrar_lifetime / 2 ||
         registrar.not_after() == authority_->not_after();
}

Result<std::shared_ptr<Registrar>> Registrars::adopt(ByteView certificate) const {
  HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(certificate));
  return std::shared_ptr<Registrar>(
      std::make_shared<Certified>(to_bytes(certificate), view.not_after, authority_->registrar_key()));
}

Result<std::shared_ptr<Registrar>> Registrars::find(Call& call) {
  if (own_) return own_;
  return renewed_.find(
      context_.clock, call, [this](const Registrar& known) { return is_fresh(known); },
      [&] { return make(call); });
}

Result<bool> Registrars::look() const {
  if (own_) return true;
  HANAPER_TRY(const Remembered known, remembered());
  if (known.certificate.empty()) return false;
  HANAPER_TRY(const std::shared_ptr<Registrar> adopted, adopt(known.certificate));
  return is_fresh(*adopted);
}

// Another node may have made it; what it made before is good enough while nobody can make the next.
Result<std::shared_ptr<Registrar>> Registrars::make(Call& call) const {
  HANAPER_TRY(const Remembered before, remembered());
  std::shared_ptr<Registrar> adopted;
  if (!before.certificate.empty()) {
    HANAPER_TRY(adopted, adopt(before.certificate));
    if (is_fresh(*adopted)) return adopted;
  }
  auto made = renew(before, call);
  if (made) return made;
  if (adopted && adopted->not_after() > context_.clock.now()) return adopted;
  context_.log.warning("no certificate for the registrar",
                       {{"authority", authority_->config().name}, {"error", made.error().detail}});
  return made;
}

Result<std::shared_ptr<Registrar>> Registrars::renew(const Remembered& before, Call& call) const {
  const Time now = std::chrono::floor<std::chrono::seconds>(context_.clock.now());
  if (now < before.claimed_at + abandoned_after)
    return unavailable("another node is making the registrar's certificate");
  const Time not_after = std::min<Time>(now + registrar_lifetime, authority_->not_after());
  if (not_after <= now) return unavailable("authority " + authority_->config().name + " has expired");
  Remembered claim = before;
  claim.claimed_at = now;
  auto certificate = certify(*authority_, context_,
                             {.profile = "registrar",
                              .subject = x509::encode_name({{std::string(x509::common_name_oid),
                                                             "Registrar of " + authority_->config().name}}),
                              .spki = authority_->registrar_key()->spki(),
                              .key_usage = x509::digital_signature | x509::key_encipherment,
                              .extensions = {},
                              .not_after = not_after,
                              .with_intent = {claim.write(record_)},
                              .with_record =
                                  [&](ByteView made) {
                                    Remembered after{to_bytes(made), {}, claim.version + 1};
                                    return std::vector<RecordWrite>{after.write(record_)};
                                  }},
                             call);
  if (!certificate && certificate.error().code == Code::conflict)
    return unavailable("another node is making the registrar's certificate");
  if (!certificate) return std::move(certificate).error();
  return adopt(*certificate);
}

}  // namespace hanaper::validity
