// An authority as CRL and OCSP plugins see it.
#pragma once

#include "change_feed.hpp"
#include "responders.hpp"

#include <atomic>
#include <map>

namespace hanaper::validity {

// Thread-safe once attached.
class NodeAuthority final : public StatusAuthority {
 public:
  NodeAuthority(std::string name, ChangeFeed& feed) : name_(std::move(name)), feed_(feed) {}

  // [main] Before any other call but name and watch.
  void attach(Context context, std::shared_ptr<const issuance::Authority> authority);

  const std::string& name() const override { return name_; }
  AuthorityId id() const override { return authority_ ? authority_->id() : 0; }
  ByteView certificate() const override {
    return authority_ ? ByteView(authority_->certificate()) : ByteView{};
  }
  ByteView key_identifier() const override { return authority_ ? authority_->key_identifier() : ByteView{}; }
  std::vector<std::string> crl_urls(std::uint32_t shard) const override;

  Result<CertificateRow> find(const Serial& serial) override;
  Result<std::vector<CertificateRow>> search(CertificateQuery query) override;
  Result<std::vector<RevocationRow>> revocations(std::uint32_t shard, const Serial& after,
                                                 std::uint32_t limit) override;
  Result<std::vector<CrlRow>> crls(std::uint32_t shard, std::uint32_t limit) override;
  Result<CrlRow> newest_crl(std::uint32_t shard, bool delta) override;
  // [main] Host::watch and Host::offer_crl; what they return ends it. Neither throws.
  [[nodiscard]] std::function<void()> watch(Watcher watcher);
  [[nodiscard]] std::function<void()> offer_crl(std::uint32_t shard, CrlSource source);
  Result<std::shared_ptr<Responder>> responder(std::optional<KeyType> delegate, Call& call) override;

  SignatureScheme crl_scheme() const override { return authority_->scheme(); }
  Result<std::uint64_t> claim_crl(std::uint32_t shard) override;
  Result<CrlTicket> begin_crl(CrlRow row, Call& call) override;
  Result<Bytes> sign_crl(const CrlTicket& ticket, ByteView digest, Call& call) override;
  Status finish_crl(const CrlTicket& ticket, const Fingerprint& hash, std::uint64_t size,
                    Call& call) override;
  Result<Bytes> crl(std::uint32_t shard, ByteCount limit) override;
  // [any] The shards of which this node publishes CRLs, once it serves.
  std::vector<std::uint32_t> published_shards() const {
    const Lock lock(mutex_);
    std::vector<std::uint32_t> shards;
    for (const auto& [shard, unused] : crls_) shards.push_back(shard);
    return shards;
  }

 private:
  Status attached() const;
  // The right to make this authority's CRLs, of all shards.
  Result<Fence> role();

  const std::string name_;
  ChangeFeed& feed_;
  std::optional<Context> context_;                        // constant once attached, as all below
  std::shared_ptr<const issuance::Authority> authority_;  // null: it has no certificate
  std::unique_ptr<Responders> responders_;
  mutable Mutex mutex_;
  std::map<std::uint32_t, CrlSource> crls_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::validity
