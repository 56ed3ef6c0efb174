// Authorities that take over from others, so that clients who trust the one come to trust the other.
#pragma once

#include "../validity/certify.hpp"
#include "authorities.hpp"

#include <map>

namespace hanaper {

// [main]
class RollOvers {
 public:
  RollOvers(const config::Model& model, const Authorities& authorities)
      : model_(model), authorities_(authorities) {}

  // Where one root takes over from another each certifies the other, once: OldWithNew and NewWithOld (RFC
  // 4210 4.4.1). One line for each authority with a successor.
  Result<std::vector<Authorities::Outcome>> init(const validity::Context& context);

  // Finds what init has made.
  Status load(Records& records);

  // What clients of that authority are to know of others.
  RollOver around(const std::string& name) const;

  // Those that it has taken over from, the latest first, as far as they have certificates.
  std::vector<std::shared_ptr<const issuance::Authority>> before(const std::string& name) const;

 private:
  using Pair = std::pair<std::string, std::string>;  // signer, subject

  std::vector<std::string> neighbours(const std::string& name) const;
  Result<bool> cross(const validity::Context& context, const std::string& signer, const std::string& subject);

  const config::Model& model_;
  const Authorities& authorities_;
  std::map<Pair, Bytes> crosses_;
};

// [worker] RollOver::next in a message that `authority` itself has signed (RFC 8894 4.7.1), made when it is
// first asked for. Empty when nobody takes over.
std::function<Result<Bytes>()> announcement(std::shared_ptr<const issuance::Authority> authority,
                                            const std::vector<Bytes>& next);

}  // namespace hanaper
