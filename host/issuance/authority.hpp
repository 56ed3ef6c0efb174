// Certification authorities at run time: a certificate, the key that fits it, and its serial numbers.
#pragma once

#include "crl_addresses.hpp"
#include "serials.hpp"

#include <hanaper/status_urls.hpp>
#include <hanaper/validity.hpp>

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <map>
#include <memory>

namespace hanaper::issuance {

// Where the status of an authority's certificates is found.
struct StatusPlan {
  std::map<std::uint32_t, StatusUrls> urls;  // by shard
  std::uint32_t shards = 0;                  // over how many CRLs new certificates are spread
  bool split = false;                        // those of authorities apart
  std::string crl_signer = {};               // the authority that signs the CRLs, when it is another
  Bytes crl_issuer = {};                     // its name, DER

  // Shard 0 is what certificates belong to that were not spread; the others are numbered from 1, and those of
  // authorities may have one to themselves (authority_shard).
  std::vector<std::uint32_t> all_shards() const;
  // Empty for a shard that there is not.
  const StatusUrls& of_shard(std::uint32_t shard) const noexcept;
  // The shard of a new certificate, by the random end of its serial number.
  std::uint32_t shard_of(const Serial& serial) const noexcept;
};

// A configured authority that has a certificate. Immutable after construction; thread-safe.
class Authority {
 public:
  // internal when the key is not the certificate's, naming both.
  static Result<std::shared_ptr<Authority>> assemble(const config::AuthorityConfig& config, AuthorityRow row,
                                                     std::shared_ptr<Key> key,
                                                     std::shared_ptr<SerialSource> serials,
                                                     StatusPlan status);
  // [main] Once, before anybody else has it.
  void give_registrar_key(std::shared_ptr<Key> key) { registrar_key_ = std::move(key); }
  // [main] Likewise; the authority's own.
  void give_crl_addresses(std::unique_ptr<CrlAddresses> addresses) { crl_addresses_ = std::move(addresses); }

  const config::AuthorityConfig& config() const noexcept { return config_; }
  AuthorityId id() const noexcept { return row_.id; }
  const Bytes& certificate() const noexcept { return row_.certificate; }
  const x509::CertificateView& view() const noexcept { return view_; }
  ByteView spki() const noexcept { return view_.spki; }
  // What clients need beside the leaf: this certificate and those above it, a self-signed root left out.
  const std::vector<Bytes>& chain() const noexcept { return chain_; }
  ByteView subject() const noexcept { return view_.subject; }
  ByteView key_identifier() const noexcept { return key_identifier_; }
  bool is_root() const noexcept { return root_; }
  Time not_before() const noexcept { return view_.not_before; }
  Time not_after() const noexcept { return view_.not_after; }
  // unavailable once it has expired, with its name and the date.
  Status check_current(Time now) const;
  std::optional<std::uint64_t> path_length() const noexcept { return path_length_; }
  const x509::NameConstraints& constraints() const noexcept { return constraints_; }
  SignatureScheme scheme() const noexcept { return scheme_; }
  SerialSource& serials() const noexcept { return *serials_; }
  const StatusPlan& status() const noexcept { return status_; }
  // The shard of new certificates of authorities.
  std::uint32_t shard_of_authorities() const noexcept { return status_.split ? authority_shard : 0; }
  // Where its certificates have ever said that their CRLs are; null where nothing is stored.
  CrlAddresses* crl_addresses() const noexcept { return crl_addresses_.get(); }
  // [any] Where its certificates of that shard say that their complete CRL is: new ones first, then earlier
  // ones.
  std::vector<std::string> crl_urls(std::uint32_t shard) const;
  // [worker] Before a certificate that says so is signed. unavailable.
  Status remember_crl(std::uint32_t shard, const std::vector<std::string>& addresses,
                      Deadline deadline) const {
    return crl_addresses_ ? crl_addresses_->remember(shard, addresses, deadline) : Status{};
  }
  // Its registrar's; null when it has none.
  const std::shared_ptr<Key>& registrar_key() const noexcept { return registrar_key_; }

  // [worker] The signature over to-be-signed octets whose own algorithm field says `scheme`.
  Result<Bytes> sign(SignatureScheme scheme, ByteView tbs) const { return key_->sign(scheme, tbs); }
  // [worker] The signature of a CRL by the digest of its to-be-signed octets; for Ed25519 by those
  // themselves.
  Result<Bytes> sign_crl(ByteView digest) const {
    return crypto::hash_of(scheme_) ? key_->sign_digest(scheme_, digest) : key_->sign(scheme_, digest);
  }

 private:
  Authority(const config::AuthorityConfig& config, AuthorityRow row, std::shared_ptr<Key> key,
            std::shared_ptr<SerialSource> serials, StatusPlan status)
      : config_(config),
        row_(std::move(row)),
        key_(std::move(key)),
        serials_(std::move(serials)),
        status_(std::move(status)) {}

  const config::AuthorityConfig config_;
  const AuthorityRow row_;
  const std::shared_ptr<Key> key_;
  const std::shared_ptr<SerialSource> serials_;
  const StatusPlan status_;
  x509::CertificateView view_;  // into row_.certificate
  bool root_ = false;           // self-issued
  Bytes key_identifier_;
  std::optional<std::uint64_t> path_length_;
  x509::NameConstraints constraints_;
  SignatureScheme scheme_ = SignatureScheme::ecdsa_sha256;
  std::vector<Bytes> chain_;
  std::unique_ptr<CrlAddresses> crl_addresses_;
  std::shared_ptr<Key> registrar_key_;
};

// DER certificates one after the other, taken apart.
Result<std::vector<Bytes>> split_chain(ByteView concatenated);

}  // namespace hanaper::issuance
