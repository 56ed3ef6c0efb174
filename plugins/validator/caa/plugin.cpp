// The door of validator/caa: asks the DNS whether we may issue for a name.
#include "caa.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/identifiers.hpp>

namespace hanaper::caa {
namespace {

constexpr SettingKey keys[] = {
    {"identities", SettingType::texts, nullptr, nullptr,
     "domains by which CAA records name this authority; those of caa_identities in ACME"},
};

class Caa final : public Validator {
 public:
  Status configure(const Settings& settings, Host& host) override {
    host_ = &host;
    for (const std::string& text : settings.texts("identities")) {
      auto name = x509::normal_dns_name(text, false);
      if (!name) return settings.error("identities", name.error().detail);
      identities_.push_back(*std::move(name));
    }
    if (identities_.empty()) return settings.error("identities", "at least one domain is needed");
    return {};
  }

  Status validate(const Draft& draft, Call& call) override {
    if (draft.rehearsal) return {};  // nobody has such a name: there is nothing to ask for
    for (const Identifier& name : draft.names) {
      if (name.kind != Identifier::Kind::dns) continue;  // RFC 8659 is about domains
      Asked asked{identities_, draft.account_uri, {}, name.value.starts_with("*.")};
      for (const Proof& proof : draft.proofs)
        if (proof.name == name) asked.method = proof.method;
      const Status checked = check(
          asked.wildcard ? name.value.substr(2) : name.value, asked,
          [&](const std::string& domain) { return host_->outbound().records(domain, DnsType::caa, call); });
      if (!checked) return checked;
    }
    return {};
  }

 private:
  // Constant after configure.
  Host* host_ = nullptr;
  std::vector<std::string> identities_;
};

}  // namespace
}  // namespace hanaper::caa

HANAPER_PLUGIN(.kind = "validator", .name = "caa", .version = "0.1.0", .licence = "Apache-2.0",
               .summary = "refuses names whose CAA records do not allow this authority, RFC 8659 and 8657",
               .keys = hanaper::caa::keys, .key_count = std::size(hanaper::caa::keys),
               .create = hanaper::create_plugin<hanaper::caa::Caa>);
