// An authority for tests of what publishes its certificates' status: real keys and signatures over the
// storage in memory, and certificates that the test reserves, signs and revokes as it likes.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/testing/memory_storage.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/toolkit/soft_key.hpp>

namespace hanaper::fakes {

// The promises of StatusAuthority, and one thread at a time for what a test does to it.
class FakeAuthority final : public StatusAuthority {
 public:
  FakeAuthority(MemoryStorage& storage, const Clock& clock, AuthorityId id, std::string name,
                KeySpec key = {KeyType::ec_p256, 0});

  // Writes the row of a certificate without content: reserved only, or signed too. The serial number is given
  // back.
  Serial add(std::uint64_t number, bool sign = true, std::uint32_t shard = 0,
             std::chrono::days life = std::chrono::days{90});
  void add(const Serial& serial);
  // Writes a certificate that can be shown to others, for the key of that DER SubjectPublicKeyInfo; DER.
  Bytes issue(std::uint64_t number, ByteView spki, std::vector<x509::Extension> extensions = {},
              std::chrono::days life = std::chrono::days{90});
  // Revokes, holds, or releases (remove_from_crl), whatever there is now, and tells the watchers.
  void revoke(const Serial& serial, RevocationReason reason, std::optional<Time> invalidity = {},
              bool tell = true);

  const std::string& name() const override { return name_; }
  AuthorityId id() const override { return id_; }
  ByteView certificate() const override { return certificate_; }
  ByteView key_identifier() const override { return key_identifier_; }
  std::vector<std::string> crl_urls(std::uint32_t) const override { return urls; }
  Result<CertificateRow> find(const Serial& serial) override;
  Result<std::vector<CertificateRow>> search(CertificateQuery query) override;
  Result<std::vector<RevocationRow>> revocations(std::uint32_t shard, const Serial& after,
                                                 std::uint32_t limit) override;
  Result<std::vector<CrlRow>> crls(std::uint32_t shard, std::uint32_t limit) override;
  Result<CrlRow> newest_crl(std::uint32_t shard, bool delta) override;
  void watch(Watcher watcher) { watchers_.push_back(std::move(watcher)); }
  Result<std::shared_ptr<Responder>> responder(std::optional<KeyType> delegate, Call& call) override;
  SignatureScheme crl_scheme() const override;
  Result<std::uint64_t> claim_crl(std::uint32_t shard) override;
  Result<CrlTicket> begin_crl(CrlRow row, Call& call) override;
  Result<Bytes> sign_crl(const CrlTicket& ticket, ByteView digest, Call& call) override;
  Status finish_crl(const CrlTicket& ticket, const Fingerprint& hash, std::uint64_t size,
                    Call& call) override;
  void offer_crl(std::uint32_t shard, CrlSource source) { crls_[shard] = std::move(source); }
  Result<Bytes> crl(std::uint32_t shard, ByteCount limit) override {
    const auto found = crls_.find(shard);
    if (found == crls_.end()) return not_found("no CRL of authority " + name_ + " is published");
    return found->second(limit);
  }

  // What the fake does wrong on demand.
  bool ledger_is_away = false, key_is_away = false;
  std::string node = "test";        // who asks for the right to make CRLs
  std::function<void()> read;       // called once whoever asks for revocations has got them
  std::vector<std::string> urls;    // of its CRL
  std::atomic<int> signatures = 0;  // of responders

 private:
  Bytes certify(ByteView subject, ByteView spki, std::uint16_t usage, std::vector<x509::Extension> extensions,
                Time not_after, const Serial& serial);
  Result<Fence> role();
  void store(const Serial& serial, ByteView tbs, ByteView signature, std::uint32_t shard,
             std::chrono::days life);

  MemoryStorage& storage_;
  const Clock& clock_;
  const AuthorityId id_;
  const std::string name_;
  const std::shared_ptr<crypto::SoftKey> key_;
  Bytes key_identifier_;
  Time asked_{};  // when whoever holds the right to make CRLs last asked for it
  Bytes certificate_;
  std::vector<Watcher> watchers_;
  std::map<std::uint32_t, CrlSource> crls_;
  Mutex mutex_;
  std::map<std::optional<KeyType>, std::shared_ptr<Responder>> responders_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::fakes
