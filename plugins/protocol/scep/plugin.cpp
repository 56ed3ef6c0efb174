// The door of protocol/scep.
#include "service.hpp"

#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::scep {
namespace {

constexpr SettingKey keys[] = {
    {"pipeline", SettingType::reference, nullptr, "pipeline",
     "what issues the certificates; its authority needs a registrar"},
    {"challenge", SettingType::secret, "", nullptr,
     "challengePassword that everybody may enrol with; without, those of hanaper scep challenge alone"},
    {"challenge_lifetime", SettingType::duration, "1h", "1m..30d",
     "how long a challenge of hanaper scep challenge is good"},
    {"chain", SettingType::boolean, "true", nullptr,
     "send the authority's certificates together with the issued one"},
    {"legacy", SettingType::boolean, "false", nullptr, "take 3DES and SHA-1 as well, and say so"},
};

class Scep final : public Protocol, public Operable {
 public:
  Status configure(const Settings& settings, Host& host) override {
    Options options;
    if (settings.has("challenge")) options.challenge = settings.secret("challenge").clone();
    if (options.challenge && options.challenge->reveal().size() < 8)
      return settings.error("challenge", "at least 8 octets are wanted");
    options.legacy = settings.boolean("legacy");
    options.chain = settings.boolean("chain");
    lifetime_ = settings.duration("challenge_lifetime");
    url_ = host.public_url();
    issuer_ = &host.issuer(settings.text("pipeline"));
    service_ = std::make_unique<Service>(std::move(options), host, *issuer_);
    return {};
  }
  // Without a registrar nothing works: better told now than to the first client.
  Status start() override {
    Call call{"scep-start", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
    HANAPER_CHECK(issuer_->registrar(call));
    return {};
  }
  void* ability(std::string_view id) override {
    return id == Operable::ability_id ? static_cast<Operable*>(this) : nullptr;
  }

  ByteCount body_limit() const override { return ByteCount{scep::body_limit}; }
  Response handle(const Request& request, Call& call) override { return service_->handle(request, call); }

  // challenge PROFILE SUBJECT; either may be empty.
  Result<std::string> operate(std::string_view command, const std::vector<std::string>& words,
                              Call& call) override {
    if (command != "challenge" || words.size() != 2)
      return unsupported("there is no command \"" + std::string(command) + "\"");
    x509::Name subject;
    if (!words[1].empty()) {
      HANAPER_TRY(subject, x509::parse_name_text(words[1]));
    }
    HANAPER_TRY(const Challenges::Made made, service_->make_challenge(words[0], subject, lifetime_, call));
    return json::write(json::Value(json::Array{json::Object{{"url", url_},
                                                            {"challenge", std::string(made.text.reveal())},
                                                            {"expires", time_text(made.expires)}}}));
  }

 private:
  std::string url_;
  std::chrono::milliseconds lifetime_{};
  Issuer* issuer_ = nullptr;
  std::unique_ptr<Service> service_;
};

}  // namespace
}  // namespace hanaper::scep

HANAPER_PLUGIN(.kind = "protocol", .name = "scep", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Simple Certificate Enrolment Protocol, RFC 8894", .keys = hanaper::scep::keys,
               .key_count = std::size(hanaper::scep::keys), .capabilities = "scep",
               .create = hanaper::create_plugin<hanaper::scep::Scep>);
