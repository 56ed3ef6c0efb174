// The door of protocol/acme.
#include "methods.hpp"
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/identifiers.hpp>

namespace hanaper::acme {
namespace {

constexpr SettingKey keys[] = {
    {"pipeline", SettingType::reference, nullptr, "pipeline", "what issues the certificates"},
    {"challenges", SettingType::texts, "[\"http-01\"]", known_methods, "challenges offered"},
    {"drafts", SettingType::texts, "[]", "dns-account-01|dns-persist-01|device-attest-01",
     "challenges that are no standard yet, and may change"},
    {"attestation_roots", SettingType::texts, "[]", nullptr,
     "PEM files with the roots of those who attest devices, for device-attest-01"},
    {"http_01_port", SettingType::integer, "80", "1..65535",
     "port that http-01 asks at; anything but 80 is for tests and closed networks"},
    {"tls_alpn_01_port", SettingType::integer, "443", "1..65535", "port of tls-alpn-01, likewise"},
    {"terms", SettingType::text, "", nullptr,
     "URL of the terms of service; clients must agree to them when set"},
    {"website", SettingType::text, "", nullptr, "URL with more about this service"},
    {"caa_identities", SettingType::texts, "[]", nullptr, "domains by which CAA records name this service"},
    {"external_account", SettingType::text, "optional", "optional|required",
     "whether accounts must be bound to a key of hanaper acme eab create"},
    {"nonces", SettingType::text, "auto", "auto|local|shared",
     "who redeems a nonce: the process that made it, or every node of the same storage; auto: shared once "
     "there are several"},
    {"limits", SettingType::texts,
     "[\"accounts-per-address 50/1h\", \"orders-per-account 300/1h\", \"names-per-account 3000/1h\", "
     "\"failures-per-account 200/1h\"]",
     nullptr, "how much is too much; none: []"},
    {"order_lifetime", SettingType::duration, "7d", "1m..90d", "how long an order may take"},
    {"authorization_lifetime", SettingType::duration, "30d", "1m..90d",
     "how long a valid authorization is good for"},
    {"pending_authorizations", SettingType::integer, "300", "1..100000",
     "how many authorizations of one account may be pending at a time"},
    {"unused_accounts", SettingType::duration, "30d", "1d..3650d",
     "how long an account is kept that has had no certificate, after its last order"},
    {"star_min_lifetime", SettingType::duration, "", "1m..30d",
     "shortest life of certificates that renew themselves (RFC 8739); without, there are none"},
    {"alternate_chains", SettingType::texts, "[]", nullptr,
     "PEM files with other chains for the same issuing key, issuer first"},
};

class Acme final : public Protocol, public Operable {
 public:
  Status configure(const Settings& settings, Host& host) override {
    Options options;
    HANAPER_CHECK(read_challenges(settings, options));
    HANAPER_CHECK(read_device_roots(settings, host, options));
    options.http_01_port = static_cast<std::uint16_t>(settings.integer("http_01_port"));
    options.tls_alpn_01_port = static_cast<std::uint16_t>(settings.integer("tls_alpn_01_port"));
    options.terms = settings.text_or("terms", {});
    options.website = settings.text_or("website", {});
    HANAPER_CHECK(read_identities(settings, options));
    options.external_account_required = settings.text("external_account") == "required";
    const std::string& nonces = settings.text("nonces");
    if (nonces != "auto") options.shared_nonces = nonces == "shared";
    options.order_lifetime = settings.duration("order_lifetime");
    options.authorization_lifetime = settings.duration("authorization_lifetime");
    options.pending_authorizations = static_cast<std::size_t>(settings.integer("pending_authorizations"));
    options.unused_accounts = settings.duration("unused_accounts");
    if (settings.has("star_min_lifetime")) options.star_min_lifetime = settings.duration("star_min_lifetime");
    auto limits = Limits::parse(settings.texts("limits"));
    if (!limits) return settings.error("limits", limits.error().detail);
    options.limits = *std::move(limits);
    for (const std::string& file : settings.texts("alternate_chains")) {
      auto chain = read_chain(file.starts_with('/') ? file : host.state_folder() + "/" + file);
      if (!chain) return settings.error("alternate_chains", chain.error().detail);
      options.alternates.push_back(*std::move(chain));
    }
    if (!host.public_url().starts_with("https://"))
      return settings.error("listener",
                            "ACME is served over TLS only (RFC 8555 6.1); give the listener a certificate, "
                            "or a https url when a proxy has it");
    service_ = std::make_unique<Service>(std::move(options), host, settings.text("pipeline"));
    return {};
  }
  Status start() override { return service_->start(); }
  void* ability(std::string_view id) override {
    return id == Operable::ability_id ? static_cast<Operable*>(this) : nullptr;
  }

  Response handle(const Request& request, Call& call) override { return service_->handle(request, call); }
  bool answer_fast(const Request& request, FastReply& reply) override {
    return service_->answer_fast(request, reply);
  }
  std::span<const Operation> operations() const noexcept override { return acme::operations(); }
  Result<std::string> operate(std::string_view words, const Arguments& arguments, std::string_view,
                              Call& call) override {
    HANAPER_TRY(const json::Value result, service_->operate(words, arguments, call));
    return json::write(result);
  }

 private:
  static Status read_challenges(const Settings& settings, Options& options) {
    options.challenges = settings.texts("challenges");
    for (const std::string& challenge : options.challenges)
      if (is_draft(challenge))
        return settings.error("challenges", challenge + " is no standard yet; name it in drafts instead");
    for (const std::string& draft : settings.texts("drafts")) options.challenges.push_back(draft);
    if (options.challenges.empty()) return settings.error("challenges", "at least one is needed");
    if (options.offers("dns-persist-01") && settings.texts("caa_identities").empty())
      return settings.error("drafts", "dns-persist-01 needs caa_identities, the names its records hold");
    return {};
  }
  // draft-ietf-acme-dns-persist 3.1: "All characters MUST be lowercase", without trailing dot, "no more than
  // 10".
  static Status read_identities(const Settings& settings, Options& options) {
    for (std::string_view text : settings.texts("caa_identities")) {
      if (text.ends_with('.')) text.remove_suffix(1);
      auto name = x509::normal_dns_name(text, false);
      if (!name) return settings.error("caa_identities", name.error().detail);
      options.caa_identities.push_back(*std::move(name));
    }
    if (options.offers("dns-persist-01") && options.caa_identities.size() > 10)
      return settings.error("caa_identities", "dns-persist-01 tells clients at most 10");
    return {};
  }
  static Status read_device_roots(const Settings& settings, const Host& host, Options& options) {
    const std::vector<std::string> files = settings.texts("attestation_roots");
    if (options.offers(device_attest) && files.empty())
      return settings.error("drafts",
                            "device-attest-01 needs attestation_roots, files with who may attest devices");
    std::vector<Bytes> roots;
    for (const std::string& file : files) {
      auto found = read_chain(file.starts_with('/') ? file : host.state_folder() + "/" + file);
      if (!found) return settings.error("attestation_roots", found.error().detail);
      std::ranges::move(*found, std::back_inserter(roots));
    }
    auto trust = x509::TrustAnchors::make(roots, {}, x509::TrustAnchors::Purpose::any,
                                          x509::TrustAnchors::Strength::current);
    if (!trust) return settings.error("attestation_roots", trust.error().detail);
    options.device_roots = *std::move(trust);
    return {};
  }
  static Result<std::vector<Bytes>> read_chain(const std::string& path) {
    HANAPER_TRY(const std::string text, files::read_trusted(path, 1024 * 1024));
    HANAPER_TRY(const std::vector<pem::Block> blocks, pem::decode(text));
    std::vector<Bytes> chain;
    for (const pem::Block& block : blocks)
      if (block.label == "CERTIFICATE") chain.push_back(block.der);
    if (chain.empty()) return malformed(path + " holds no certificate");
    return chain;
  }

  std::unique_ptr<Service> service_;
};

}  // namespace
}  // namespace hanaper::acme

HANAPER_PLUGIN(.kind = "protocol", .name = "acme", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "Automatic Certificate Management Environment, RFC 8555",
               .keys = hanaper::acme::keys, .key_count = std::size(hanaper::acme::keys),
               .create = hanaper::create_plugin<hanaper::acme::Acme>);
