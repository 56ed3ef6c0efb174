// OCSP responders of an authority: the authority itself, and those that it certifies for the purpose.
//
// A delegated responder's key is made in memory, certified for a month and gone with the process: there is no
// key to keep, to copy to another node or to revoke. Each is certified again when half of its time is over.
#pragma once

#include "certify.hpp"
#include "renewed.hpp"

#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/validity.hpp>

#include <map>

namespace hanaper::validity {

// Thread-safe.
class Responders {
 public:
  Responders(Context context, std::shared_ptr<const issuance::Authority> authority);

  // [worker] unavailable when a certificate is needed and cannot be made now.
  Result<std::shared_ptr<Responder>> find(std::optional<KeyType> delegate, Call& call);

 private:
  bool is_fresh(const Responder& responder) const;
  Renewed<Responder>& of_kind(KeyType type);
  Result<std::shared_ptr<Responder>> make(KeyType type, Call& call) const;
  Result<std::shared_ptr<Responder>> certify(KeyType type, Call& call) const;

  const Context context_;
  const std::shared_ptr<const issuance::Authority> authority_;
  const std::shared_ptr<Responder> itself_;  // the authority, where there is no delegate
  Mutex mutex_;
  std::map<KeyType, Renewed<Responder>> delegates_
      HANAPER_GUARDED_BY(mutex_);  // the map; what is in it guards itself
};

}  // namespace hanaper::validity
