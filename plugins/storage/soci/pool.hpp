// A bounded set of connections for reading. Borrow, use, give back; one that failed is thrown away.
#pragma once

#include "dialect.hpp"

#include <condition_variable>
#include <mutex>
#include <vector>

namespace hanaper::sql {

// Lends connections to many threads, never more than `size` at once. Thread-safe.
class Pool {
 public:
  Pool(Dialect& dialect, std::size_t size) : dialect_(dialect), size_(size) {}

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
    std::unique_lock lock(mutex_);
    if (!freed_.wait_for(lock, std::chrono::seconds{5}, [&] { return lent_ < size_; }))
      throw Failure{Failure::Kind::refused,
                    "all " + std::to_string(size_) + " connections for reading are busy"};
    ++lent_;
    std::unique_ptr<Connection> connection;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    lock.unlock();
    try {
      if (!connection) connection = dialect_.connect(false);
    } catch (...) {
      give_back(nullptr);
      throw;
    }
    return {*this, std::move(connection)};
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    idle_.clear();
  }

 private:
  void give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    --lent_;
    if (connection) idle_.push_back(std::move(connection));
    freed_.notify_one();
  }

  Dialect& dialect_;
  const std::size_t size_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
  std::size_t lent_ = 0;                           // guarded by mutex_
};

}  // namespace hanaper::sql
