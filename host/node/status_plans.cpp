#include "status_plans.hpp"

#include <algorithm>

namespace hanaper {
namespace {

constexpr std::size_t max_url = 1024;

// A scheme (RFC 3986 3.1), "://" and something, in characters that may stand in a certificate's IA5String.
bool is_absolute_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (text.size() > max_url || colon == std::string_view::npos || colon == 0 || text.size() == colon + 3)
    return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return letter(text.front()) && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

// Asks one model's protocols, one after the other.
class Asking {
 public:
  Asking(const config::Model& model, std::vector<std::string>& failures)
      : model_(model), failures_(failures) {
    for (const auto& [name, unused] : model_.authorities) plans_[name];
  }

  void ask_for_plans(const Instance& instance) {
    const auto* service = instance.ability<StatusService>();
    if (service == nullptr) return;
    services_.emplace_back(&instance, service);
    for (auto& [authority, plan] : plans_) {
      const auto claim = instance.guard().run(
          "crl_plan", "",
          [&, &of = authority]() -> Result<std::optional<CrlPlan>> { return service->crl_plan(of); });
      if (!claim) return failures_.push_back(claim.error().detail);
      if (*claim && fits(instance, authority, **claim) && makes(instance, authority) &&
          makes(instance, (*claim)->signer))
        adopt(plan, authority, **claim);
    }
  }

  // Once all plans are known: any of them may have shards that another instance serves.
  void ask_for_urls() {
    for (const auto& [instance, service] : services_) ask_for_urls(*instance, *service);
  }

  StatusPlans take() { return std::move(plans_); }

 private:
  bool refuse(const Instance& instance, const std::string& authority, const std::string& text) {
    failures_.push_back(instance.config().error("authority", authority, text).detail);
    return false;
  }

  bool fits(const Instance& instance, const std::string& authority, const CrlPlan& claim) {
    const std::string what = "the plugin's plan for the CRLs of authority " + authority;
    if (!model_.authorities.contains(claim.signer))
      return refuse(instance, authority,
                    what + " has them signed by \"" + claim.signer + "\", which is no authority");
    if (claim.shards > max_shards)
      return refuse(instance, authority,
                    what + " has " + std::to_string(claim.shards) + " shards; at most " +
                        std::to_string(max_shards) + " are possible");
    if (claim.split && claim.shards == 0)
      return refuse(instance, authority, what + " sets authorities apart and has no shard for the others");
    return true;
  }

  // CRLs of one authority share their numbers (RFC 5280 5.2.3): one instance makes them all, those that it
  // signs for others among them.
  bool makes(const Instance& instance, const std::string& authority) {
    const auto [maker, fresh] = makers_.emplace(authority, &instance);
    if (fresh || maker->second == &instance) return true;
    return refuse(instance, authority,
                  maker->second->name() + " makes the CRLs of authority " + authority + " already");
  }

  void adopt(issuance::StatusPlan& plan, const std::string& authority, const CrlPlan& claim) {
    plan.shards = claim.shards;
    plan.split = claim.split;
    // RFC 5280 4.2.1.13: "If the certificate issuer is also the CRL issuer, then conforming CAs MUST omit the
    // cRLIssuer field".
    if (claim.signer == authority) return;
    plan.crl_signer = claim.signer;
    plan.crl_issuer = x509::encode_name(model_.authorities.at(claim.signer).subject);
  }

  // The first claim of an instance that does not fit is told, and it is not asked for more.
  void ask_for_urls(const Instance& instance, const StatusService& service) {
    for (auto& [authority, plan] : plans_)
      for (const std::uint32_t shard : plan.all_shards()) {
        const auto urls = instance.guard().run(
            "status_urls", "",
            [&, &of = authority]() -> Result<StatusUrls> { return service.status_urls(of, shard); });
        if (!urls) return failures_.push_back(urls.error().detail);
        if (!add(plan.urls[shard], *urls, instance, authority)) return;
      }
  }

  bool add(StatusUrls& all, const StatusUrls& more, const Instance& instance, const std::string& authority) {
    for (const auto list : {&StatusUrls::ocsp, &StatusUrls::issuer, &StatusUrls::crl, &StatusUrls::delta_crl})
      for (const std::string& url : more.*list) {
        if (!is_absolute_url(url))
          return refuse(instance, authority,
                        "the plugin has certificates of authority " + authority + " say \"" +
                            url.substr(0, 200) + "\", which is no absolute URL in ASCII");
        (all.*list).push_back(url);
      }
    return true;
  }

  const config::Model& model_;
  std::vector<std::string>& failures_;
  StatusPlans plans_;
  std::vector<std::pair<const Instance*, const StatusService*>> services_;
  std::map<std::string, const Instance*> makers_;  // by authority
};

}  // namespace

StatusPlans ask_status_services(const config::Model& model,
                                const std::vector<std::shared_ptr<Instance>>& instances,
                                std::vector<std::string>& failures) {
  Asking asking(model, failures);
  for (const auto& instance : instances)
    if (instance->config().kind == "protocol") asking.ask_for_plans(*instance);
  asking.ask_for_urls();
  return asking.take();
}

}  // namespace hanaper
