#include "profile.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper::issuance {
namespace {

std::vector<std::string> chosen(const std::string& configured, const std::vector<std::string>& derived) {
  if (configured == "none") return {};
  return configured.empty() ? derived : std::vector<std::string>{configured};
}

bool honours(const config::ProfileConfig& config, ByteView oid) {
  return std::ranges::any_of(config.honour, [&](const Bytes& honoured) { return equal(honoured, oid); });
}

bool has_usage(const config::ProfileConfig& config, ByteView oid) {
  return std::ranges::any_of(config.extended_usages, [&](const Bytes& usage) { return equal(usage, oid); });
}

x509::Extension extended_usages(const config::ProfileConfig& config) {
  // RFC 3161 2.3: "The extension MUST be critical" where time-stamping is the purpose.
  return {to_bytes(oid::extended_key_usage), has_usage(config, oid::time_stamping),
          x509::extended_key_usage(config.extended_usages)};
}

// Everything that is the same in each certificate of the profile. An extension that requests may bring
// themselves is left to them.
x509::CertificateTemplate::Fixed fixed_parts(const config::ProfileConfig& config, const Authority& authority,
                                             std::uint32_t shard) {
  const StatusUrls urls = authority.urls().of_shard(shard);
  x509::CertificateTemplate::Fixed fixed;
  fixed.scheme = config.scheme.value_or(authority.scheme());
  fixed.issuer = to_bytes(authority.subject());
  fixed.authority_key_identifier = to_bytes(authority.key_identifier());
  const auto add = [&](const der::Oid& oid, bool critical, Bytes value) {
    fixed.extensions.push_back({to_bytes(oid), critical, std::move(value)});
  };
  if (config.ca) add(oid::basic_constraints, true, x509::basic_constraints(true, config.path_length));
  if (!config.extended_usages.empty() && !honours(config, oid::extended_key_usage))
    fixed.extensions.push_back(extended_usages(config));
  if (!config.policies.empty())
    add(oid::certificate_policies, false, x509::certificate_policies(config.policies));
  if (!config.constraints.permitted.empty() || !config.constraints.excluded.empty())
    add(oid::name_constraints, true, x509::name_constraints(config.constraints));
  const auto ocsp = chosen(config.ocsp_url, urls.ocsp), issuer = chosen(config.issuer_url, urls.issuer);
  if (!ocsp.empty() || !issuer.empty())
    add(oid::authority_info_access, false, x509::authority_info_access(ocsp, issuer));
  const auto crl = chosen(config.crl_url, urls.crl);
  // Who signs the CRLs at an address of the profile's own choice is the authority itself, as far as we know.
  const ByteView crl_issuer = config.crl_url.empty() ? ByteView(urls.crl_issuer) : ByteView{};
  if (!crl.empty()) add(oid::crl_distribution_points, false, x509::crl_distribution_points(crl, crl_issuer));
  if (config.crl_url.empty() && !urls.freshest.empty())
    add(oid::freshest_crl, false, x509::crl_distribution_points(urls.freshest, crl_issuer));
  if (config.must_staple) add(oid::tls_feature, false, x509::tls_feature_status_request());
  return fixed;
}

}  // namespace

Profile::Profile(const config::ProfileConfig& config, std::shared_ptr<const Authority> authority)
    : config_(config), authority_(std::move(authority)) {
  // An address of its own choice has no shards.
  const bool derived = config_.crl_url.empty();
  if (derived && config_.ca) only_shard_ = authority_->shard_of_authorities();
  const std::uint32_t shards = derived && only_shard_ == 0 ? authority_->urls().shards : 0;
  for (std::uint32_t shard = 0; shard <= shards; ++shard)
    forms_.emplace_back(fixed_parts(config_, *authority_, shards == 0 ? only_shard_ : shard));
}

std::uint32_t Profile::shard_of(const Serial& serial) const noexcept {
  return forms_.size() == 1 ? only_shard_ : authority_->urls().shard_of(serial);
}

Status Profile::accepts(KeySpec key) const {
  if (std::ranges::find(config_.key_types, key) != config_.key_types.end()) return {};
  std::string known;
  for (KeySpec spec : config_.key_types) known += (known.empty() ? "" : ", ") + to_string(spec);
  return bad_key("profile " + config_.name + " does not take keys of type " + to_string(key) + "; it takes " +
                 known);
}

std::uint16_t Profile::key_usage(KeySpec key) const {
  if (config_.key_usage) return *config_.key_usage;
  if (config_.ca) return x509::key_cert_sign | x509::crl_sign;
  // Only some keys can have secrets encrypted to them as TLS 1.2 does (RFC 5246 7.4.2).
  return algorithms::row(key.type).encrypts ? x509::digital_signature | x509::key_encipherment
                                            : x509::digital_signature;
}

Status Profile::accepts(const std::vector<Identifier>& names) const {
  if (names.size() > config_.max_names)
    return rejected(std::to_string(names.size()) + " names; profile " + config_.name + " allows " +
                    std::to_string(config_.max_names));
  for (const Identifier& name : names) {
    if (!config_.names.contains(name.kind))
      return rejected("profile " + config_.name + " allows no names of kind " +
                      std::string(to_string(name.kind)) + " (\"" + name.value + "\")");
    // RFC 5280 6.1.4: validators would refuse the certificate; so it is not made.
    if (!x509::allows(authority_->constraints(), name))
      return rejected("the name constraints of authority " + authority_->config().name + " do not allow \"" +
                      name.value + "\"");
  }
  return {};
}

Result<ValidityPeriod> Profile::validity(Time now, std::optional<Time> not_before,
                                         std::optional<Time> not_after) const {
  const Time second = std::chrono::floor<std::chrono::seconds>(now);
  ValidityPeriod validity{
      not_before ? Time{std::chrono::floor<std::chrono::seconds>(*not_before)} : second - config_.backdate,
      {}};
  if (not_before && (*not_before < now - config_.lifetime || *not_before > now + config_.lifetime))
    return rejected("notBefore " + time_text(*not_before) + " is further away than the lifetime of profile " +
                    config_.name);
  // RFC 5280 4.1.2.5: the period includes both ends.
  const Time longest = validity.not_before + config_.lifetime - std::chrono::seconds{1};
  validity.not_after = not_after ? Time{std::chrono::floor<std::chrono::seconds>(*not_after)}
                                 : std::min(longest, authority_->not_after());
  if (not_after && *not_after > longest)
    return rejected("notAfter " + time_text(*not_after) + " is beyond the lifetime of profile " +
                    config_.name + ", " + duration_text(config_.lifetime));
  if (validity.not_after > authority_->not_after())
    return rejected("notAfter " + time_text(*not_after) + " is beyond the authority's own, " +
                    time_text(authority_->not_after()));
  if (validity.not_after <= validity.not_before || validity.not_after <= now)
    return rejected("the certificate would have expired before it is valid");
  return validity;
}

RequestForm Profile::request_form() const {
  using Subject = config::ProfileConfig::Subject;
  RequestForm form;
  form.key_types = config_.key_types;
  form.subject = config_.subject == Subject::none      ? RequestForm::Subject::none
                 : config_.subject == Subject::request ? RequestForm::Subject::request
                                                       : RequestForm::Subject::common_name;
  form.names.assign(config_.names.begin(), config_.names.end());
  form.key_usage = config_.key_usage;
  form.extended_usages = config_.extended_usages;
  return form;
}

std::vector<x509::Extension> Profile::honoured(const x509::CsrView& csr) const {
  std::vector<x509::Extension> extensions;
  for (const x509::ExtensionView& extension : csr.extensions)
    if (honours(config_, extension.oid) && !(config_.must_staple && oid::tls_feature == extension.oid))
      extensions.push_back({to_bytes(extension.oid), extension.critical, to_bytes(extension.value)});
  // A request that does not say what its key is for gets the profile's purposes, not every purpose.
  if (honours(config_, oid::extended_key_usage) && !config_.extended_usages.empty() &&
      csr.find(oid::extended_key_usage) == nullptr)
    extensions.push_back(extended_usages(config_));
  return extensions;
}

}  // namespace hanaper::issuance
