// The door of keys/remote: keys behind a unix socket.
#include "signer_client.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace {

using hanaper::Bytes;
using hanaper::ByteView;
using hanaper::Key;
using hanaper::KeySpec;
using hanaper::Result;
using hanaper::Secret;
using hanaper::SignatureScheme;
using hanaper::Status;
using hanaper::json::Object;
using hanaper::json::Value;

constexpr hanaper::SettingKey setting_keys[] = {
    {"socket", hanaper::SettingType::path, nullptr, nullptr, "unix socket of the signer"},
    {"timeout", hanaper::SettingType::duration, "5s", "100ms..1m", "how long the signer may take"},
};

Result<Bytes> octets_of(const Value& answer) { return hanaper::base64::decode(answer.text_at("octets")); }

// A key that is somewhere else: what it is, and a way to ask. Thread-safe.
class RemoteKey final : public Key {
 public:
  RemoteKey(std::shared_ptr<SignerClient> signer, std::string label, KeySpec spec, Bytes spki)
      : signer_(std::move(signer)), label_(std::move(label)), spec_(spec), spki_(std::move(spki)) {}

  KeySpec spec() const noexcept override { return spec_; }
  ByteView spki() const noexcept override { return spki_; }

  // The message is hashed here, so that the signer sees 32 octets and not a certificate list.
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override {
    HANAPER_CHECK(check(scheme));
    const auto hash = hanaper::crypto::hash_of(scheme);
    if (!hash) return ask("sign", scheme, message);
    return ask("sign-digest", scheme, hanaper::crypto::digest(*hash, message));
  }

  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) override {
    HANAPER_CHECK(check(scheme));
    const auto hash = hanaper::crypto::hash_of(scheme);
    if (!hash) return hanaper::unsupported("Ed25519 has no form that signs a digest (RFC 8032 5.1)");
    if (digest.size() != hanaper::crypto::digest_size(*hash))
      return hanaper::malformed("a digest of " + std::to_string(digest.size()) + " octets does not fit " +
                                std::string(to_string(scheme)));
    return ask("sign-digest", scheme, digest);
  }

  Result<Secret> decrypt(ByteView ciphertext) override {
    if (spec_.type != hanaper::KeyType::rsa) return hanaper::unsupported("only RSA keys decrypt");
    HANAPER_TRY(const Value answer,
                signer_->ask(
                    {{"do", "decrypt"}, {"label", label_}, {"octets", hanaper::base64::encode(ciphertext)}}));
    HANAPER_TRY(const Bytes plain, octets_of(answer));
    return Secret(std::string(hanaper::as_text(plain)));
  }

 private:
  Status check(SignatureScheme scheme) const {
    if (hanaper::x509::fits(spec_, scheme)) return {};
    return hanaper::unsupported("a key of type " + to_string(spec_) + " cannot sign with " +
                                std::string(to_string(scheme)));
  }

  Result<Bytes> ask(std::string_view what, SignatureScheme scheme, ByteView octets) {
    HANAPER_TRY(const Value answer, signer_->ask({{"do", what},
                                                  {"label", label_},
                                                  {"scheme", to_string(scheme)},
                                                  {"octets", hanaper::base64::encode(octets)}}));
    return octets_of(answer);
  }

  // Shared with the provider: a key may be held longer than it.
  const std::shared_ptr<SignerClient> signer_;
  const std::string label_;
  const KeySpec spec_;
  const Bytes spki_;
};

class Remote final : public hanaper::Keys {
 public:
  Status configure(const hanaper::Settings& settings, hanaper::Host& host) override {
    signer_ = std::make_shared<SignerClient>(settings.text("socket"), settings.duration("timeout"));
    host_ = &host;
    return {};
  }

  // A signer that is away now may come: the node starts and is not ready. A job notices when it is back.
  Status start() override {
    static_cast<void>(signer_->ask({{"do", "list"}}));
    host_->scheduler().every("ask", std::chrono::seconds{1}, [this](hanaper::Call&) {
      static_cast<void>(signer_->ask({{"do", "list"}}));
      return Status{};
    });
    return {};
  }

  Result<std::shared_ptr<Key>> find(std::string_view label) override {
    return key(label, signer_->ask({{"do", "find"}, {"label", label}}));
  }
  Result<std::shared_ptr<Key>> create(std::string_view label, KeySpec spec) override {
    return key(label, signer_->ask({{"do", "create"}, {"label", label}, {"type", to_string(spec)}}));
  }
  Result<std::shared_ptr<Key>> import(std::string_view label, const Secret& pkcs8) override {
    const std::string octets = hanaper::base64::encode(hanaper::as_bytes(pkcs8.reveal()));
    return key(label, signer_->ask({{"do", "import"}, {"label", label}, {"octets", octets}}));
  }
  Status remove(std::string_view label) override {
    const auto answer = signer_->ask({{"do", "remove"}, {"label", label}});
    return answer ? Status{} : Status(answer.error());
  }

  Result<std::vector<hanaper::KeyInfo>> list() override {
    HANAPER_TRY(const Value answer, signer_->ask({{"do", "list"}}));
    const Value* keys = answer.find("keys");
    if (keys == nullptr || keys->array() == nullptr) return hanaper::internal("the signer lists no keys");
    std::vector<hanaper::KeyInfo> infos;
    for (const Value& entry : *keys->array()) {
      HANAPER_TRY(const KeySpec spec, hanaper::parse_key_spec(entry.text_at("type")));
      infos.push_back({std::string(entry.text_at("label")), spec});
    }
    return infos;
  }

  Status health() override { return signer_->health(); }

 private:
  // What find, create and import answer: the public key.
  Result<std::shared_ptr<Key>> key(std::string_view label, Result<Value> answer) {
    if (!answer) return std::move(answer).error();
    HANAPER_TRY(Bytes spki, octets_of(*answer));
    HANAPER_TRY(const hanaper::x509::PublicKey parsed, hanaper::x509::parse_public_key(spki));
    const KeySpec spec = parsed.spec;
    return std::shared_ptr<Key>(
        std::make_shared<RemoteKey>(signer_, std::string(label), spec, std::move(spki)));
  }

  // Constant after configure; shared with the keys it gave out.
  std::shared_ptr<SignerClient> signer_;
  hanaper::Host* host_ = nullptr;
};

}  // namespace

HANAPER_PLUGIN(.kind = "keys", .name = "remote", .version = "1.0.0", .licence = "Apache-2.0",
               .summary = "private keys in another process, asked over a unix socket", .keys = setting_keys,
               .key_count = std::size(setting_keys), .create = hanaper::create_plugin<Remote>);
