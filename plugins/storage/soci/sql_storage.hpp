// Storage over any dialect: the transaction that commits a batch, and the three reading interfaces.
#pragma once

#include "pool.hpp"

#include <hanaper/host.hpp>

#include <atomic>
#include <functional>

namespace hanaper::sql {

// The rooms of one storage. A dialect's plugin owns one, opens it in start and closes it in stop. Thread-safe
// between the two, except that commit has one caller at a time.
class SqlStorage final : public Ledger, public Records, public Leases {
 public:
  SqlStorage(std::unique_ptr<Dialect> dialect, Host& host, std::size_t readers);

  Status open();  // migrates, connects
  void close();

  Status commit(Batch& batch);
  Status health() const;

  Result<std::vector<AuthorityRow>> authorities() override;
  Result<CertificateRow> certificate(AuthorityId authority, const Serial& serial) override;
  Result<std::vector<CertificateRow>> search(const CertificateQuery& query) override;
  Result<std::vector<CertificateRow>> issued_since(std::string& cursor, std::uint32_t limit) override;
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

  Result<std::uint64_t> acquire(std::string_view name, std::string_view holder,
                                std::chrono::milliseconds ttl) override;
  Status release(std::string_view name, std::string_view holder) override;

 private:
  // Runs `body` with a borrowed connection; Failure and SOCI's exceptions become unavailable. A connection
  // that failed is not used again.
  template <class Body>
  auto read(Body&& body) -> Result<decltype(body(std::declval<soci::session&>()))>;

  Record record_of(soci::session& session, std::string_view collection, std::string item, long long version,
                   std::optional<Time> expires, std::string data);

  // commit.cpp: one attempt; throws Failure.
  Status apply(Connection& connection, Batch& batch);
  Status apply_write(Connection& connection, Write& write);
  Status apply_record(Connection& connection, const RecordWrite& write);
  Status apply_ledger(Connection& connection, const Write& write);
  void apply_audit(Connection& connection, const Batch& batch);
  bool committed_after_all(const Batch& batch);

  std::unique_ptr<Dialect> dialect_;
  Host& host_;
  Pool pool_;
  std::unique_ptr<Connection> writer_;  // the commit thread's own
  std::atomic<bool> healthy_{false};
};

template <class Body>
auto SqlStorage::read(Body&& body) -> Result<decltype(body(std::declval<soci::session&>()))> {
  std::string what;
  try {
    Pool::Loan loan = pool_.borrow();
    try {
      return body(loan.session());
    } catch (const Failure& failure) {
      loan.discard();
      what = failure.what;
    } catch (const soci::soci_error&) {
      loan.discard();
      what = dialect_->classify().what;
    }
  } catch (const Failure& failure) {
    what = failure.what;
  }
  return unavailable(dialect_->place() + ": " + what);
}

std::int64_t milliseconds(Time time) noexcept;
Time from_milliseconds(long long count) noexcept;

}  // namespace hanaper::sql
