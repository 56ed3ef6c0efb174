// The door of protocol/ocsp.
#include "service.hpp"

#include <hanaper/operable.hpp>
#include <hanaper/status_urls.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::ocsp {
namespace {

constexpr SettingKey keys[] = {
    {"authorities", SettingType::references, nullptr, "authority", "whose certificates are answered for"},
    {"signer", SettingType::text, "delegate", "delegate|authority",
     "who signs: responders that the host certifies, or the authorities themselves"},
    {"responder_id", SettingType::text, "key", "key|name", "how responses name who signed them"},
    {"lifetime", SettingType::duration, "1d", "1m..14d", "how long a response is valid"},
    {"stale", SettingType::duration, "1h", "1m..14d",
     "how long kept responses say good while nothing is heard of revocations: then clients are told to try "
     "later"},
    {"nonce", SettingType::text, "on", "on|off",
     "repeat nonces, or leave them out so that all may be cached"},
    {"unissued", SettingType::text, "unknown", "unknown|revoked", "the state of numbers never issued"},
    {"cache", SettingType::integer, "100000", "0..100000000", "how many certificates' responses are kept"},
    {"presign", SettingType::boolean, "false", nullptr,
     "sign responses before anybody asks, each node a part of them"},
    {"tell", SettingType::texts, "[]", "archive-cutoff|crl",
     "what else responses say: since when nothing is forgotten, on which CRL a certificate is"},
};

constexpr Parameter export_parameters[] = {
    {"folder", ParameterType::place, Parameter::required | Parameter::word, {}, {}, "where the files go"},
};
constexpr Column export_columns[] = {{"authority"}, {"responses", ColumnType::integer}};
constexpr Operation operation_table[] = {
    {"export", "", "write all OCSP responses as files for a web server", Permission::system_operate,
     AnswerForm::list, export_parameters, export_columns},
};

class Ocsp final : public Protocol, public Operable, public StatusService {
 public:
  Status configure(const Settings& settings, Host& host) override {
    Options options;
    options.delegate = settings.text("signer") == "delegate";
    options.by_name = settings.text("responder_id") == "name";
    options.lifetime = settings.duration("lifetime");
    options.stale = settings.duration("stale");
    options.nonces = settings.text("nonce") == "on";
    options.unissued_are_revoked = settings.text("unissued") == "revoked";
    options.cache = static_cast<std::size_t>(settings.integer("cache"));
    options.presign = settings.boolean("presign");
    const std::vector<std::string> told = settings.texts("tell");
    options.archive_cutoff = std::ranges::find(told, "archive-cutoff") != told.end();
    options.crl_references = std::ranges::find(told, "crl") != told.end();
    const std::vector<std::string>& names = names_ = settings.texts("authorities");
    url_ = host.public_url();
    if (names.empty()) return settings.error("authorities", "at least one is needed");
    std::vector<StatusAuthority*> authorities;
    for (const std::string& name : names) authorities.push_back(&host.authority(name));
    service_ = std::make_unique<Service>(options, host, std::move(authorities));
    return {};
  }
  Status start() override {
    HANAPER_CHECK(service_->start());
    service_->schedule();
    return {};
  }
  void* ability(std::string_view id) override {
    if (id == StatusService::ability_id) return static_cast<StatusService*>(this);
    return id == Operable::ability_id ? static_cast<Operable*>(this) : nullptr;
  }

  std::optional<CrlPlan> crl_plan(std::string_view) const override { return {}; }
  StatusUrls status_urls(std::string_view authority, std::uint32_t) const override {
    StatusUrls urls;
    if (!url_.empty() && std::ranges::find(names_, authority) != names_.end()) urls.ocsp.push_back(url_);
    return urls;
  }

  ByteCount body_limit() const override { return ByteCount{request_limit}; }
  Response handle(const Request& request, Call& call) override { return service_->handle(request, call); }
  bool answer_fast(const Request& request, FastReply& reply) override {
    return service_->answer_fast(request, reply);
  }

  std::span<const Operation> operations() const noexcept override { return operation_table; }
  Result<std::string> operate(std::string_view words, const Arguments& arguments, std::string_view,
                              Call& call) override {
    if (words != "export") return unsupported("there is no operation \"" + std::string(words) + "\"");
    HANAPER_CHECK(service_->start());  // the instance may only be configured
    HANAPER_TRY(const std::vector<Service::Exported> exported,
                service_->export_to(arguments.text("folder"), call));
    json::Array rows;
    for (const Service::Exported& one : exported)
      rows.emplace_back(json::Object{{"authority", one.authority},
                                     {"responses", static_cast<std::int64_t>(one.responses)}});
    return json::write(json::Value(std::move(rows)));
  }

 private:
  // Constant after configure.
  std::vector<std::string> names_;  // of the authorities
  std::string url_;
  std::unique_ptr<Service> service_;
};

}  // namespace
}  // namespace hanaper::ocsp

HANAPER_PLUGIN(.kind = "protocol", .name = "ocsp", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Online Certificate Status Protocol, RFC 6960", .keys = hanaper::ocsp::keys,
               .key_count = std::size(hanaper::ocsp::keys),
               .create = hanaper::create_plugin<hanaper::ocsp::Ocsp>);
