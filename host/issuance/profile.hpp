// A profile compiled against the authority that will sign: what it allows, and the form it fills.
#pragma once

#include "authority.hpp"

#include <hanaper/issuer.hpp>

namespace hanaper::issuance {

// Immutable after construction; thread-safe.
class Profile {
 public:
  Profile(const config::ProfileConfig& config, std::shared_ptr<const Authority> authority);

  const config::ProfileConfig& config() const noexcept { return config_; }
  const Authority& authority() const noexcept { return *authority_; }
  // The CRL that would list the certificate of that serial number, and the form that says so.
  std::uint32_t shard_of(const Serial& serial) const noexcept;
  const x509::CertificateTemplate& form(std::uint32_t shard) const noexcept {
    return forms_[forms_.size() == 1 ? 0 : shard];
  }
  SignatureScheme scheme() const noexcept { return forms_.front().scheme(); }

  // bad_key when the profile does not take keys of that kind.
  Status accepts(KeySpec key) const;
  // KeyUsage bits for such a key.
  std::uint16_t key_usage(KeySpec key) const;

  // The names of a request against kinds, number and the authority's name constraints. rejected.
  Status accepts(const std::vector<Identifier>& names) const;

  // notBefore and notAfter from wishes: inside the profile's lifetime and the authority's own. rejected.
  Result<ValidityPeriod> validity(Time now, std::optional<Time> not_before,
                                  std::optional<Time> not_after) const;

  // What requests ought to look like.
  RequestForm request_form() const;

  // Extensions of the request that the profile takes over as they are, and what stands in for a missing one.
  std::vector<x509::Extension> honoured(const x509::CsrView& csr) const;

 private:
  const config::ProfileConfig config_;
  const std::shared_ptr<const Authority> authority_;
  // By shard, or a single one; constant after construction.
  std::vector<x509::CertificateTemplate> forms_;
  std::uint32_t only_shard_ = 0;  // of the single one
};

}  // namespace hanaper::issuance
