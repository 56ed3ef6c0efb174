// A profile compiled against the authority that will sign: what it allows, and the form it fills.
#pragma once

#include "authority.hpp"

#include <hanaper/issuer.hpp>

namespace hanaper::issuance {

// What a certificate's key may be used for, and what else it says by the request's wish.
struct Purposes {
  std::uint16_t key_usage = 0;              // KeyUsage bits
  std::vector<Bytes> extended_usages;       // none: every purpose
  std::vector<x509::Extension> extensions;  // that the template does not bring
};

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
  // What a request for such a key gets: the profile's own, or less where the request may choose. rejected
  // when it asks for more.
  Result<Purposes> purposes(const x509::CsrView& csr, KeySpec key) const;
  // The extensions that are the same in each certificate of the shard.
  const std::vector<x509::Extension>& fixed_extensions(std::uint32_t shard) const noexcept {
    return fixed_[fixed_.size() == 1 ? 0 : shard];
  }

  // Where the certificates of the shard say that their complete CRL is.
  const std::vector<std::string>& crl_addresses(std::uint32_t shard) const noexcept {
    return config_.crl_url.empty() ? authority_->status().of_shard(shard).crl : own_crl_;
  }

  // The names of a request against kinds, number and the authority's name constraints. rejected.
  Status accepts(const std::vector<Identifier>& names) const;

  // notBefore and notAfter inside the profile's lifetime and the authority's own, from a client's wishes
  // where the profile takes such, or as the protocol says (`own`). rejected.
  Result<ValidityPeriod> validity(Time now, std::optional<Time> not_before, std::optional<Time> not_after,
                                  bool own = false) const;
  // Whether a period, whoever chose it, lies within that of the authority. rejected.
  Status accepts(const ValidityPeriod& period, Time now) const;

  // What requests ought to look like.
  RequestForm request_form() const;

 private:
  Status check_wishes(Time now, std::optional<Time> not_before, std::optional<Time> not_after) const;
  std::uint16_t own_key_usage(KeySpec key) const;
  Result<std::uint16_t> wished_key_usage(ByteView value, KeySpec key) const;
  Result<std::vector<Bytes>> wished_usages(ByteView value) const;

  const config::ProfileConfig config_;
  const std::shared_ptr<const Authority> authority_;
  // By shard, or a single one; constant after construction.
  std::vector<x509::CertificateTemplate> forms_;
  std::vector<std::vector<x509::Extension>> fixed_;  // what those bring
  std::uint32_t only_shard_ = 0;                     // of the single one
  std::vector<std::string> own_crl_;                 // the address of the profile's own choice
};

}  // namespace hanaper::issuance
