// A bounded set of connections. Borrow, use, give back; one that failed is thrown away.
#pragma once

#include "dialect.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <vector>

namespace hanaper::sql {

// Lends connections to many threads, never more than `size` at once. Thread-safe.
class Pool {
 public:
  Pool(Dialect& dialect, std::size_t size, bool for_writing)
      : dialect_(dialect), size_(size), for_writing_(for_writing) {}

  class Loan {
   public:
    Loan(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    ~Loan() { pool_.give_back(std::move(connection_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    Connection& operator*() noexcept { return *connection_; }
    soci::session& session() { return connection_->session(); }
    void discard() noexcept { connection_.reset(); }

   private:
    Pool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  // Waits up to five seconds for a free place. Throws Failure.
  Loan borrow() {
    Lock lock(mutex_);
    if (!freed_.wait_for(lock, std::chrono::seconds{5},
                         [&]() HANAPER_REQUIRES(mutex_) { return lent_ < size_; }))
      throw Failure{Failure::Kind::refused, "all " + std::to_string(size_) + " connections for " +
                                                (for_writing_ ? "leases" : "reading") + " are busy"};
    ++lent_;
    std::unique_ptr<Connection> connection;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
      if (!connection->is_best()) connection.reset();
    }
    lock.unlock();
    try {
      if (!connection) connection = dialect_.connect(for_writing_);
    } catch (...) {
      give_back(nullptr);
      throw;
    }
    return {*this, std::move(connection)};
  }

  void clear() {
    const Lock lock(mutex_);
    idle_.clear();
  }

 private:
  void give_back(std::unique_ptr<Connection> connection) {
    const Lock lock(mutex_);
    --lent_;
    if (connection) idle_.push_back(std::move(connection));
    freed_.notify_one();
  }

  Dialect& dialect_;
  const std::size_t size_;
  const bool for_writing_;
  Mutex mutex_;
  Condition freed_;
  std::vector<std::unique_ptr<Connection>> idle_ HANAPER_GUARDED_BY(mutex_);
  std::size_t lent_ HANAPER_GUARDED_BY(mutex_) = 0;
};

}  // namespace hanaper::sql
