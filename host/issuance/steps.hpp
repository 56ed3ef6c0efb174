// The states of a certificate on its way, as types that only move forward.
//
//   Admitted -> Cleared -> Reserved -> Signed -> Issued
//
// Each step consumes the one before. Only the spine can make them, and it makes each from its predecessor
// alone: what reaches a key has been stored as intent, and what was stored has been cleared.
#pragma once

#include "profile.hpp"

#include <hanaper/stages.hpp>

#include <memory>

namespace hanaper::issuance {

// What a request carries along. Views in the draft point into this very object, so it never moves.
struct Work {
  const Profile* profile = nullptr;
  std::shared_ptr<const void> keeps_profile;  // the wiring that was current when the request came
  x509::CsrView csr;
  x509::PublicKey key;
  Draft draft;
  Purposes purposes;
  Serial serial;
  std::uint32_t shard = 0;
  Bytes tbs;
  Bytes signature;
};

template <class State>
class Step {
 public:
  Step(Step&&) noexcept = default;
  Step& operator=(Step&&) noexcept = default;

 private:
  // The two halves of the spine.
  friend class Pipeline;
  friend class IssuanceTask;
  explicit Step(std::unique_ptr<Work> work) : work_(std::move(work)) {}

  Work& operator*() const noexcept { return *work_; }
  Work* operator->() const noexcept { return work_.get(); }

  std::unique_ptr<Work> work_;
};

using Admitted = Step<struct AdmittedState>;
using Cleared = Step<struct ClearedState>;
using Reserved = Step<struct ReservedState>;
using Signed = Step<struct SignedState>;

}  // namespace hanaper::issuance
