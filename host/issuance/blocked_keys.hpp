// Keys that are never certified (again): listed by the operator, or once revoked for compromise.
#pragma once

#include <hanaper/storage.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <unordered_set>

namespace hanaper::issuance {

// SHA-256 hashes of SubjectPublicKeyInfo, in memory. Thread-safe.
class BlockedKeys {
 public:
  // [main] The operator's file as it is now: one hash in hex each line, '#' comments; "" for none.
  Status load_file(const std::string& file);
  // [worker] The ledger's own, which only become more.
  Status load_ledger(Ledger& ledger);

  // [main] What load_file would say.
  static Status check(const std::string& file);

  bool contains(const Fingerprint& hash) const {
    const ReadLock lock(mutex_);
    return listed_.contains(hash) || compromised_.contains(hash);
  }
  void add(const Fingerprint& hash) {
    const WriteLock lock(mutex_);
    compromised_.insert(hash);
  }

 private:
  // The hash of a hash: its own first octets.
  struct FirstOctets {
    std::size_t operator()(const Fingerprint& hash) const noexcept {
      std::size_t value;
      std::memcpy(&value, hash.data(), sizeof value);
      return value;
    }
  };

  using Hashes = std::unordered_set<Fingerprint, FirstOctets>;
  static Result<Hashes> read(const std::string& file);

  mutable SharedMutex mutex_;
  Hashes listed_ HANAPER_GUARDED_BY(mutex_);
  Hashes compromised_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper::issuance
