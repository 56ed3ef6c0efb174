#include "authority_form.hpp"

#include <hanaper/toolkit/oids.hpp>

namespace hanaper {

// RFC 8894 2.1.2: whoever answers clients needs digitalSignature and keyEncipherment.
std::uint16_t authority_usage(const config::AuthorityConfig& config) {
  constexpr std::uint16_t usage = x509::key_cert_sign | x509::crl_sign;
  return config.own_registrar ? usage | x509::digital_signature | x509::key_encipherment : usage;
}

std::vector<x509::Extension> authority_extensions(const config::AuthorityConfig& config,
                                                  const issuance::StatusPlan& status, std::uint32_t shard) {
  const StatusUrls& urls = status.of_shard(shard);
  std::vector<x509::Extension> extensions;
  extensions.push_back(
      {to_bytes(oid::basic_constraints), true, x509::basic_constraints(true, config.path_length)});
  if (!config.constraints.permitted.empty() || !config.constraints.excluded.empty())
    extensions.push_back({to_bytes(oid::name_constraints), true, x509::name_constraints(config.constraints)});
  if (!urls.ocsp.empty() || !urls.issuer.empty())
    extensions.push_back(
        {to_bytes(oid::authority_info_access), false, x509::authority_info_access(urls.ocsp, urls.issuer)});
  if (!urls.crl.empty())
    extensions.push_back({to_bytes(oid::crl_distribution_points), false,
                          x509::crl_distribution_points(urls.crl, status.crl_issuer)});
  if (!urls.delta_crl.empty())
    extensions.push_back({to_bytes(oid::freshest_crl), false,
                          x509::crl_distribution_points(urls.delta_crl, status.crl_issuer)});
  return extensions;
}

}  // namespace hanaper
