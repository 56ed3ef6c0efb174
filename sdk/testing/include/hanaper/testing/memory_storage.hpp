// Storage in memory: the reference of what storage promises, and quick enough for any test.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <map>

namespace hanaper::fakes {

// Thread-safe, under one mutex. `fail_next` makes it misbehave on demand.
class MemoryStorage final : public Storage, public Ledger, public Records, public Leases {
 public:
  explicit MemoryStorage(const Clock& clock) : clock_(clock) {}

  // The next `count` commits fail with that error and write nothing.
  void fail_next(int count, Error error);

  Status configure(const Settings&, Host&) override { return {}; }
  Ledger& ledger() override { return *this; }
  Records& records() override { return *this; }
  Leases& leases() override { return *this; }
  Status commit(Batch& batch) override;
  Status health() override { return {}; }

  Result<std::vector<AuthorityRow>> authorities() override;
  Result<CertificateRow> certificate(AuthorityId authority, const Serial& serial) override;
  Result<std::vector<CertificateRow>> search(const CertificateQuery& query) override;
  Result<std::vector<CertificateRow>> issued_since(std::string& cursor, std::uint32_t limit) override;
  Result<std::vector<RevocationRow>> revocations(AuthorityId authority, std::uint32_t shard,
                                                 const Serial& after, std::uint32_t limit) override;
  Result<std::vector<RevocationRow>> revoked_since(std::string& cursor, std::uint32_t limit) override;
  Result<std::string> feed_cursor() override;
  Result<std::vector<CrlRow>> crls(AuthorityId authority, std::uint32_t shard, std::uint32_t limit) override;
  Result<CrlRow> newest_crl(AuthorityId authority, std::uint32_t shard, bool delta) override;
  Result<std::vector<Fingerprint>> blocked_keys(const Fingerprint& after, std::uint32_t limit) override;
  Result<std::vector<ExpiryChange>> expiries() override;
  Result<WriterState> writer(std::string_view node) override;
  Result<std::vector<std::string>> audit_nodes() override;
  Result<std::vector<AuditPage>> audit(std::string_view node, std::uint64_t after,
                                       std::uint32_t limit) override;

  Result<Record> get(std::string_view collection, std::string_view key) override;
  Result<std::vector<Record>> find(std::string_view collection, std::string_view field,
                                   std::string_view value, std::string_view after,
                                   std::uint32_t limit) override;

  Result<std::vector<LeaseRow>> all() override;
  Result<std::uint64_t> take(const LeaseRow& seen, std::string_view holder) override;
  Status renew(std::string_view holder) override;
  Status release(std::string_view name, std::string_view holder) override;

 private:
  struct WriterRow {
    std::uint64_t number = 0;
    BatchToken token{};
  };
  // Everything that a transaction changes, so that it can be tried on a copy.
  struct State {
    std::vector<AuthorityRow> authorities;
    std::map<std::pair<AuthorityId, Serial>, CertificateRow> certificates;
    std::uint64_t fed = 0;  // position of the last entry of either feed
    std::map<std::uint64_t, std::pair<AuthorityId, Serial>> issued;            // by position
    std::map<std::pair<AuthorityId, std::string>, RevocationRow> revocations;  // by serial number's hex
    std::map<std::uint64_t, RevocationRow> changes;                            // by position
    std::map<std::tuple<AuthorityId, std::uint32_t, std::uint64_t>, CrlRow> crls;
    std::map<Fingerprint, bool> blocked;
    std::map<std::string, std::vector<std::pair<AuthorityId, Serial>>> names;
    std::map<std::pair<std::string, std::string>, Record> records;  // by collection and key
    std::map<std::string, std::map<std::int64_t, std::int64_t>> expiries;
    std::map<std::string, WriterRow> writers;
    std::map<std::string, std::vector<AuditPage>> audit;
    std::map<std::string, LeaseRow> leases;
  };
  static Status apply(State& state, Write& write);
  static Status apply_record(State& state, const RecordWrite& write);
  static Status apply_ledger(State& state, const Write& write);
  static Status apply_revocation(State& state, const Revocation& revocation);
  static Status apply_crl(State& state, const CrlRow& crl);

  const Clock& clock_;
  Mutex mutex_;
  State state_ HANAPER_GUARDED_BY(mutex_);
  int failures_ HANAPER_GUARDED_BY(mutex_) = 0;
  Error failure_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::fakes
