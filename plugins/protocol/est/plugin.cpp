// The door of protocol/est.
#include "csr_attributes.hpp"
#include "service.hpp"

#include <hanaper/toolkit/swapped.hpp>

#include <algorithm>

namespace hanaper::est {
namespace {

constexpr SettingKey keys[] = {
    {"pipeline", SettingType::reference, nullptr, "pipeline",
     "what issues the certificates, and who may ask for them"},
    {"channel_binding", SettingType::text, "if-present", "off|if-present|required",
     "whether challengePassword links a request to its TLS connection"},
    {"csrattrs", SettingType::texts, "[]", nullptr,
     "what requests ought to have: challenge-password, key types, signature schemes, extension=OID, object "
     "identifiers"},
    {"csr_template", SettingType::boolean, "false", nullptr,
     "tell clients what the profile wants as a template of a request too (RFC 9908); those who read it pass "
     "over the rest of csrattrs"},
    {"server_key", SettingType::text, "", nullptr, "key type that serverkeygen makes; not offered without"},
    {"transport_secrets", SettingType::path, "", nullptr,
     "file of AES keys that private keys are encrypted with, one identifier:key a line, hexadecimal"},
    {"transport_certificates", SettingType::path, "", nullptr,
     "PEM certificates that private keys are encrypted to, beside the client's own"},
    {"full_cmc", SettingType::boolean, "false", nullptr,
     "offer fullcmc (RFC 5272); the pipeline's authority needs a registrar, who signs the answers"},
    {"cmc_secrets", SettingType::path, "", nullptr,
     "file of shared secrets that requests to fullcmc prove their identity with, one identification:secret a "
     "line"},
    {"line_breaks", SettingType::boolean, "false", nullptr,
     "send base64 in lines of 76 characters, as old clients want it"},
};

// What the settings say, as a whole: a reload puts another one in its place.
struct Serving {
  Serving(Options options, Host& host, const std::string& pipeline)
      : full_cmc(options.full_cmc.has_value()),
        trust(host.trust(pipeline)),
        service(std::move(options), host, pipeline) {}
  const bool full_cmc;
  Trust& trust;
  Service service;
};

class Est final : public Protocol, public Adjustable {
 public:
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    if (!host.public_url().starts_with("https://"))
      return settings.error("listener",
                            "EST is served over TLS only (RFC 7030 3.3); give the listener a certificate, or "
                            "a https url when a proxy has it");
    const std::string& url = host.public_url();
    if (const std::string label = url.substr(url.rfind('/') + 1); is_operation(label))
      return settings.error("path", "the label \"" + label + "\" is the name of an operation");
    HANAPER_TRY(std::shared_ptr<Serving> serving, read(settings));
    serving_.store(std::move(serving));
    return {};
  }
  Status start() override {
    Status checked = check(*serving_.load());
    if (checked || checked.error().code != Code::unavailable) return checked;
    // It may come, as the certificate that another node is making; nobody is served by not starting.
    host_->log().warning("nothing that the registrar signs can be answered yet",
                         {{"error", checked.error().detail}});
    return {};
  }
  Result<std::unique_ptr<Change>> prepare(const Settings& settings) override {
    HANAPER_TRY(std::shared_ptr<Serving> next, read(settings));
    HANAPER_CHECK(check(*next));
    return std::unique_ptr<Change>(std::make_unique<Swap<Serving>>(serving_, std::move(next)));
  }
  void* ability(std::string_view id) override {
    return id == Adjustable::ability_id ? static_cast<Adjustable*>(this) : nullptr;
  }

  ByteCount body_limit() const override { return ByteCount{est::body_limit}; }
  Response handle(const Request& request, Call& call) override {
    return serving_.load()->service.handle(request, call);
  }

 private:
  Result<std::shared_ptr<Serving>> read(const Settings& settings) const {
    Options options;
    const std::string& binding = settings.text("channel_binding");
    options.channel_binding = binding == "off"        ? ChannelBinding::off
                              : binding == "required" ? ChannelBinding::required
                                                      : ChannelBinding::if_present;
    HANAPER_CHECK(read_csr_attributes(settings, options));
    HANAPER_CHECK(read_server_key(settings, options));
    HANAPER_CHECK(read_full_cmc(settings, options));
    options.lines = settings.boolean("line_breaks");
    const std::string& pipeline = settings.text("pipeline");
    return std::make_shared<Serving>(std::move(options), *host_, pipeline);
  }

  // Without a registrar nobody could answer: better told now than to the first client.
  static Status check(const Serving& serving) {
    if (!serving.full_cmc) return {};
    Call call{"est-start", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
    HANAPER_CHECK(serving.trust.registrar(call));
    return {};
  }

  static Status read_csr_attributes(const Settings& settings, Options& options) {
    std::vector<std::string> texts = settings.texts("csrattrs");
    // RFC 7030 4.5.2: "If an EST server requires the linking of identity and POP information ... it MUST
    // include the challengePassword OID in the CSR Attributes Response."
    if (options.channel_binding == ChannelBinding::required &&
        std::ranges::find(texts, "challenge-password") == texts.end())
      texts.insert(texts.begin(), "challenge-password");
    options.csr_template = settings.boolean("csr_template");
    auto attributes = listed_attributes(texts);
    if (!attributes) return settings.error("csrattrs", attributes.error().detail);
    options.csr_attributes = *std::move(attributes);
    return {};
  }

  static Status read_full_cmc(const Settings& settings, Options& options) {
    const std::string path = settings.text_or("cmc_secrets", "");
    if (!settings.boolean("full_cmc"))
      return path.empty() ? Status{}
                          : Status(settings.error("cmc_secrets", "means nothing without full_cmc"));
    options.full_cmc.emplace();
    if (path.empty()) return {};
    auto secrets = load_cmc_secrets(path);
    if (!secrets) return settings.error("cmc_secrets", secrets.error().detail);
    options.full_cmc = *std::move(secrets);
    return {};
  }

  static Status read_server_key(const Settings& settings, Options& options) {
    const std::string type = settings.text_or("server_key", "");
    const std::string secrets = settings.text_or("transport_secrets", ""),
                      certificates = settings.text_or("transport_certificates", "");
    if (type.empty() && (!secrets.empty() || !certificates.empty()))
      return settings.error(secrets.empty() ? "transport_certificates" : "transport_secrets",
                            "means nothing without server_key");
    if (type.empty()) return {};
    const auto spec = parse_key_spec(type);
    if (!spec) return settings.error("server_key", spec.error().detail);
    options.server_key = *spec;
    auto transport = TransportKeys::load(secrets, certificates);
    if (!transport) return settings.error("server_key", transport.error().detail);
    options.transport_keys = *std::move(transport);
    return {};
  }

  Host* host_ = nullptr;  // constant after configure
  Swapped<Serving> serving_;
};

}  // namespace
}  // namespace hanaper::est

HANAPER_PLUGIN(.kind = "protocol", .name = "est", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Enrollment over Secure Transport, RFC 7030", .keys = hanaper::est::keys,
               .key_count = std::size(hanaper::est::keys),
               .create = hanaper::create_plugin<hanaper::est::Est>);
