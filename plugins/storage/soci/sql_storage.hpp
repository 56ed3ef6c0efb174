// Storage over any dialect: the transaction that commits a batch, and the three reading interfaces.
#pragma once

#include "plan.hpp"
#include "pool.hpp"

#include <hanaper/host.hpp>
#include <hanaper/snapshots.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <atomic>
#include <optional>

namespace hanaper::sql {

// The rooms of one storage. A dialect's plugin owns one, opens it in start and closes it in stop. Thread-safe
// between the two, except that commit has one caller at a time.
class SqlStorage final : public Ledger, public Records, public Leases, public Transferable, public Snapshots {
 public:
  SqlStorage(std::unique_ptr<Dialect> dialect, Host& host, std::size_t readers);

  // Instead of open: what it would change. Closed afterwards as before.
  Result<std::string> inspect();
  // Migrates and connects. Where the database has a server that is away, it succeeds all the same: every call
  // is unavailable until it is there, which is asked again and again.
  Status open();
  void close();

  Status commit(Batch& batch);
  Status health() const;

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

  std::vector<Table> tables() const override;
  Result<std::vector<Row>> rows(const Table& table, const Row& after, std::uint32_t limit) override;
  Result<Row> last(const Table& table) override;
  Status add(const Table& table, const std::vector<Row>& rows) override;
  Result<std::unique_ptr<Snapshot>> snapshot() override;

 private:
  struct Attempt;

  // Bodies of read take a session, or the whole connection.
  template <class Body>
  static auto run_on(Body& body, Connection& connection) {
    if constexpr (std::is_invocable_v<Body&, soci::session&>)
      return body(connection.session());
    else
      return body(connection);
  }

  // Runs `body` with a borrowed connection; Failure and SOCI's exceptions become unavailable. A connection
  // that failed is not used again; what a fresh one may do better is tried again.
  template <class Body>
  auto read(Body&& body) -> Result<decltype(run_on(body, std::declval<Connection&>()))>;

  // Runs `body` in a transaction of a borrowed connection, again when it conflicted, or when the connection
  // turned out to be gone before it was committed. What body returns as an error is not committed.
  template <class Body>
  auto write(Body&& body) -> decltype(body(std::declval<soci::session&>()));

  // commit.cpp
  Result<bool> try_commit(Attempt& attempt);
  void abandon();
  bool is_stored(const Batch& batch);

  // Whether the schema is known to be right; looks at it now and then as long as it is not.
  Status is_open();
  void probe();
  void set_health(Status status, bool until_written = false);

  std::unique_ptr<Dialect> dialect_;
  Host& host_;
  Pool pool_;  // for reading
  Pool leasing_;
  std::unique_ptr<Connection> writer_;  // the commit thread's own

  Mutex opening_;  // taken before:
  std::atomic<bool> open_{false};
  std::chrono::steady_clock::time_point next_attempt_ HANAPER_GUARDED_BY(opening_){};
  mutable Mutex mutex_;
  Status health_ HANAPER_GUARDED_BY(mutex_) = unavailable("not open");
  bool until_written_ HANAPER_GUARDED_BY(mutex_) = false;  // only a commit that succeeds makes it well again
  std::optional<std::chrono::steady_clock::time_point> probing_since_ HANAPER_GUARDED_BY(mutex_);
};

template <class Body>
auto SqlStorage::read(Body&& body) -> Result<decltype(run_on(body, std::declval<Connection&>()))> {
  // A fresh connection may do better at once; one that took its time to fail is not tried again.
  HANAPER_CHECK(is_open());
  constexpr int attempts = 3;
  const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds{500};
  for (int attempt = 1;; ++attempt) {
    Failure failure;
    const std::uint64_t left = dialect_->times_left();
    try {
      Pool::Loan loan = pool_.borrow();
      try {
        const auto guard = (*loan).guard();
        return run_on(body, *loan);
      } catch (const Failure& thrown) {
        failure = thrown;
      } catch (const soci::soci_error&) {
        failure = dialect_->classify();
      }
      loan.discard();
    } catch (const Failure& unreachable) {
      return unavailable(dialect_->place() + ": " + unreachable.what);
    }
    // Where one connection is gone, those that lie idle are too.
    if (failure.kind == Failure::Kind::lost) pool_.clear();
    const bool again = failure.kind == Failure::Kind::lost || failure.kind == Failure::Kind::retry;
    const bool another_place = dialect_->times_left() != left;
    if (!again || attempt == attempts || (std::chrono::steady_clock::now() > soon && !another_place))
      return unavailable(dialect_->place() + ": " + failure.what);
  }
}

template <class Body>
auto SqlStorage::write(Body&& body) -> decltype(body(std::declval<soci::session&>())) {
  HANAPER_CHECK(is_open());
  constexpr int attempts = 5;
  for (int attempt = 1;; ++attempt) {
    Failure failure;
    bool committing = false;
    try {
      Pool::Loan loan = leasing_.borrow();
      try {
        const auto guard = (*loan).guard();
        (*loan).begin();
        auto result = body(loan.session());
        committing = result.has_value();
        if (committing)
          (*loan).commit();
        else if (!(*loan).rollback())
          loan.discard();
        return result;
      } catch (const Failure& thrown) {
        failure = thrown;
      } catch (const soci::soci_error&) {
        failure = dialect_->classify();
      }
      loan.discard();
    } catch (const Failure& unreachable) {
      return unavailable(dialect_->place() + ": " + unreachable.what);
    }
    const bool was_idle = failure.kind == Failure::Kind::lost && !committing;
    if (was_idle) leasing_.clear();
    const bool again =
        was_idle || failure.kind == Failure::Kind::retry || failure.kind == Failure::Kind::duplicate;
    if (!again || attempt == attempts) return unavailable(dialect_->place() + ": " + failure.what);
  }
}

}  // namespace hanaper::sql
