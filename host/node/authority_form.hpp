// What the certificates of configured authorities contain, whoever signs them.
#pragma once

#include "../issuance/authority.hpp"

#include <hanaper/toolkit/certificate_template.hpp>

namespace hanaper {

// Bits of RFC 5280 4.2.1.3.
std::uint16_t authority_usage(const config::AuthorityConfig& config);

// All but those that every certificate has. `urls`: where the signer tells the status of what it signs.
std::vector<x509::Extension> authority_extensions(const config::AuthorityConfig& config,
                                                  const issuance::StatusPlan& status, std::uint32_t shard);

}  // namespace hanaper
