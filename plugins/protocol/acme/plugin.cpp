// The door of protocol/acme.
#include "service.hpp"

namespace hanaper::acme {
namespace {

constexpr SettingKey keys[] = {
    {"pipeline", SettingType::reference, nullptr, "pipeline", "what issues the certificates"},
    {"challenges", SettingType::texts, "[\"http-01\"]", "http-01", "challenges offered"},
    {"http_01_port", SettingType::integer, "80", "1..65535",
     "port that http-01 asks at; anything but 80 is for tests and closed networks"},
    {"terms", SettingType::text, "", nullptr,
     "URL of the terms of service; clients must agree to them when set"},
    {"website", SettingType::text, "", nullptr, "URL with more about this service"},
    {"order_lifetime", SettingType::duration, "7d", "1m..90d", "how long an order may take"},
    {"authorization_lifetime", SettingType::duration, "30d", "1m..90d",
     "how long a valid authorization is good for"},
};

class Acme final : public Protocol {
 public:
  Status configure(const Settings& settings, Host& host) override {
    Options options;
    options.challenges = settings.texts("challenges");
    if (options.challenges.empty()) return settings.error("challenges", "at least one is needed");
    options.http_01_port = static_cast<std::uint16_t>(settings.integer("http_01_port"));
    options.terms = settings.text_or("terms", {});
    options.website = settings.text_or("website", {});
    options.order_lifetime = settings.duration("order_lifetime");
    options.authorization_lifetime = settings.duration("authorization_lifetime");
    if (!host.public_url().starts_with("https://"))
      return settings.error("listener",
                            "ACME is served over TLS only (RFC 8555 6.1); give the listener a certificate, "
                            "or a https url when a proxy has it");
    service_ = std::make_unique<Service>(std::move(options), host, host.issuer(settings.text("pipeline")));
    return {};
  }
  Status start() override { return service_->resume(); }

  Response handle(const Request& request, Call& call) override { return service_->handle(request, call); }
  bool answer_fast(const Request& request, FastReply& reply) override {
    return service_->answer_fast(request, reply);
  }

 private:
  std::unique_ptr<Service> service_;
};

}  // namespace
}  // namespace hanaper::acme

HANAPER_PLUGIN(.kind = "protocol", .name = "acme", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Automatic Certificate Management Environment, RFC 8555",
               .keys = hanaper::acme::keys, .key_count = std::size(hanaper::acme::keys), .capabilities = "",
               .create = hanaper::create_plugin<hanaper::acme::Acme>);
