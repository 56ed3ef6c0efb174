// The door of protocol/scep.
#include "service.hpp"

#include <hanaper/operable.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/swapped.hpp>
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
    {"webhook", SettingType::text, "", nullptr,
     "http or https URL that is asked about challenges which are not known here"},
    {"webhook_authorization", SettingType::secret, "", nullptr,
     "value of the Authorization field that the webhook is asked with, as in \"Bearer ...\""},
    {"webhook_roots", SettingType::path, "", nullptr,
     "PEM certificates that an https webhook is certified by; the system's without"},
    {"renewal", SettingType::text, "granted", "granted|refused|listed",
     "whether a certificate renews itself; listed: refused, but named by GetCACaps"},
    {"renewal_grace", SettingType::duration, "", "1m..365d",
     "how long after its end a certificate still renews itself; without, not at all"},
    {"ca_certificates", SettingType::text, "auto", "auto|one|list",
     "what GetCACert answers: one certificate as it is and several as SignedData, the registrar's alone, or "
     "always SignedData"},
};

constexpr Parameter challenge_parameters[] = {
    {"subject", ParameterType::text, 0, {}, {}, "distinguished name that it is good for: \"CN=router-7\""},
    {"name",
     ParameterType::text,
     Parameter::repeats,
     {},
     {},
     "with a subject: a DNS name or address that may stand beside it"},
    {"profile", ParameterType::text, 0, {}, {}, "what is issued; default the pipeline's first"},
};
constexpr Column challenge_columns[] = {
    {"challenge", ColumnType::text, true, {}, "the challengePassword; it is shown this once"},
    {"id", ColumnType::text, true, {}, "to withdraw it by"},
    {"url"},
    {"expires", ColumnType::time},
};
constexpr Column listed_columns[] = {
    {"id", ColumnType::text, true, {}, "to withdraw it by"},
    {"subject"},
    {"names", ColumnType::texts},
    {"profile"},
    {"expires", ColumnType::time},
};
constexpr Parameter withdraw_parameters[] = {
    {"id", ParameterType::text, Parameter::required | Parameter::word, {}, "1..64", "as challenges lists it"},
};
constexpr Column withdrawn_columns[] = {{"id"}};
constexpr Operation operation_table[] = {
    {"challenges",
     "GET /challenges",
     "list the challengePasswords that are good still, without their text",
     Permission::system_read,
     AnswerForm::list,
     {},
     listed_columns},
    {"withdraw", "DELETE /challenges/{id}", "have a challengePassword be good no more",
     Permission::system_operate, AnswerForm::one, withdraw_parameters, withdrawn_columns},
    {"challenge", "POST /challenges", "make a challengePassword that is good once",
     Permission::system_operate, AnswerForm::one, challenge_parameters, challenge_columns, true},
};

// What the settings say, as a whole: a reload puts another one in its place.
struct Serving {
  Serving(Options options, Host& host, const std::string& pipeline,
          std::chrono::milliseconds challenge_lifetime)
      : service(std::move(options), host, pipeline),
        trust(host.trust(pipeline)),
        lifetime(challenge_lifetime) {}
  Service service;
  Trust& trust;
  const std::chrono::milliseconds lifetime;
};

class Scep final : public Protocol, public Operable, public Adjustable {
 public:
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    url_ = host.public_url();
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
    if (id == Adjustable::ability_id) return static_cast<Adjustable*>(this);
    return id == Operable::ability_id ? static_cast<Operable*>(this) : nullptr;
  }

  ByteCount body_limit() const override { return ByteCount{scep::body_limit}; }
  Response handle(const Request& request, Call& call) override {
    return serving_.load()->service.handle(request, call);
  }

  std::span<const Operation> operations() const noexcept override { return operation_table; }
  Result<std::string> operate(std::string_view words, const Arguments& arguments, std::string_view,
                              Call& call) override {
    if (words == "challenges") return list_challenges();
    if (words == "withdraw") {
      HANAPER_CHECK(serving_.load()->service.withdraw_challenge(arguments.text("id"), call));
      return json::write(json::Value(json::Object{{"id", arguments.text("id")}}));
    }
    if (words != "challenge") return unsupported("there is no operation \"" + std::string(words) + "\"");
    Challenge wanted{.profile = arguments.text("profile"), .subject = {}};
    if (arguments.has("subject")) {
      HANAPER_TRY(wanted.subject, x509::parse_name_text(arguments.text("subject")));
    }
    for (const std::string& text : arguments.texts("name")) {
      HANAPER_TRY(Identifier name, x509::guess_identifier(text));
      wanted.names.push_back(std::move(name));
    }
    const std::shared_ptr<Serving> serving = serving_.load();
    HANAPER_TRY(const Challenges::Made made,
                serving->service.make_challenge(wanted, serving->lifetime, call));
    return json::write(json::Value(json::Object{{"challenge", std::string(made.text.reveal())},
                                                {"id", made.id},
                                                {"url", url_},
                                                {"expires", time_text(made.expires)}}));
  }

 private:
  Result<std::string> list_challenges() const {
    HANAPER_TRY(const std::vector<Challenges::Listed> all, serving_.load()->service.challenges());
    json::Array rows;
    for (const Challenges::Listed& one : all) {
      json::Object row{{"id", one.id}};
      if (!one.challenge.subject.empty()) row.emplace_back("subject", x509::name_text(one.challenge.subject));
      json::Array names;
      for (const Identifier& name : one.challenge.names) names.emplace_back(name.value);
      row.emplace_back("names", std::move(names));
      if (!one.challenge.profile.empty()) row.emplace_back("profile", one.challenge.profile);
      if (one.expires) row.emplace_back("expires", time_text(*one.expires));
      rows.emplace_back(std::move(row));
    }
    return json::write(json::Value(std::move(rows)));
  }

  Result<std::shared_ptr<Serving>> read(const Settings& settings) const {
    Options options;
    if (settings.has("challenge")) options.challenge = settings.secret("challenge").clone();
    if (options.challenge && options.challenge->reveal().size() < 8)
      return settings.error("challenge", "at least 8 octets are wanted");
    options.legacy = settings.boolean("legacy");
    options.chain = settings.boolean("chain");
    HANAPER_CHECK(read_webhook(settings, options));
    options.renewals = settings.text("renewal") == "granted";
    options.list_renewals = settings.text("renewal") != "refused";
    if (settings.has("renewal_grace")) options.renewal_grace = settings.duration("renewal_grace");
    const std::string& wanted = settings.text("ca_certificates");
    options.ca_certificates = wanted == "one"    ? CaCertificates::one
                              : wanted == "list" ? CaCertificates::in_a_list
                                                 : CaCertificates::as_many;
    return std::make_shared<Serving>(std::move(options), *host_, settings.text("pipeline"),
                                     settings.duration("challenge_lifetime"));
  }

  // Without a registrar nothing works: better told now than to the first client.
  static Status check(const Serving& serving) {
    Call call{"scep-start", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
    HANAPER_CHECK(serving.trust.registrar(call));
    return {};
  }

  static Status read_webhook(const Settings& settings, Options& options) {
    const std::string url = settings.text_or("webhook", "");
    for (const char* key : {"webhook_authorization", "webhook_roots"})
      if (url.empty() && settings.has(key)) return settings.error(key, "means nothing without webhook");
    if (url.empty()) return {};
    if (!url.starts_with("https://") && !url.starts_with("http://"))
      return settings.error("webhook", "a URL of http or https is wanted");
    Webhook::Place place{url, {}, {}};
    if (settings.has("webhook_authorization"))
      place.authorization = settings.secret("webhook_authorization").clone();
    if (const std::string roots = settings.text_or("webhook_roots", ""); !roots.empty()) {
      auto pem = files::read_trusted(roots, 1024 * 1024);
      if (!pem) return settings.error("webhook_roots", pem.error().detail);
      if (!pem::decode(*pem)) return settings.error("webhook_roots", roots + ": no PEM");
      place.roots = *std::move(pem);
    }
    options.webhook = std::move(place);
    return {};
  }

  Host* host_ = nullptr;  // constant after configure, as is:
  std::string url_;
  Swapped<Serving> serving_;
};

}  // namespace
}  // namespace hanaper::scep

HANAPER_PLUGIN(.kind = "protocol", .name = "scep", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Simple Certificate Enrolment Protocol, RFC 8894", .keys = hanaper::scep::keys,
               .key_count = std::size(hanaper::scep::keys),
               .create = hanaper::create_plugin<hanaper::scep::Scep>);
