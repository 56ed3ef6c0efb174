// OCSP responders of an authority: the authority itself, and those that it certifies for the purpose.
//
// A delegated responder's key is made in memory, certified for a month and gone with the process: there is no
// key to keep, to copy to another node or to revoke. Each is certified again when half of its time is over.
#pragma once

#include "certify.hpp"

#include <hanaper/validity.hpp>

#include <map>
#include <mutex>

namespace hanaper::validity {

// Thread-safe.
class Responders {
 public:
  Responders(Means means, std::shared_ptr<const issuance::Authority> authority);

  // [worker] unavailable when a certificate is needed and cannot be made now.
  Result<std::shared_ptr<Responder>> find(std::optional<KeyType> delegate, Call& call);

 private:
  Result<std::shared_ptr<Responder>> itself();
  bool is_fresh(const Responder& responder) const;
  std::shared_ptr<Responder> known(KeyType type) const;
  Result<std::shared_ptr<Responder>> make(KeyType type, Call& call);
  Result<std::shared_ptr<Responder>> certify(KeyType type, Call& call) const;

  const Means means_;
  const std::shared_ptr<const issuance::Authority> authority_;
  const std::shared_ptr<Responder> itself_;  // the authority, where there is no delegate
  std::timed_mutex making_;                  // held while the next is made; before mutex_
  mutable std::mutex mutex_;
  std::map<KeyType, std::shared_ptr<Responder>> known_;  // guarded by mutex_
};

}  // namespace hanaper::validity
