// Registrars of an authority: the host certifies a key that all nodes share, and renews the certificate in
// time. Whichever node is first writes it down; the others use the same.
#pragma once

#include "certify.hpp"
#include "renewed.hpp"

#include <hanaper/registrar.hpp>

namespace hanaper::validity {

// Thread-safe.
class Registrars {
 public:
  // The authority has a registrar's key.
  Registrars(Context context, std::shared_ptr<const issuance::Authority> authority);

  // [worker] unavailable when a certificate is needed and cannot be made now.
  Result<std::shared_ptr<Registrar>> find(Call& call);
  // [worker] Whether there is one that find would give without making one.
  Result<bool> look() const;

 private:
  struct Remembered;

  Result<Remembered> remembered() const;
  bool is_fresh(const Registrar& registrar) const;
  Result<std::shared_ptr<Registrar>> adopt(ByteView certificate) const;
  Result<std::shared_ptr<Registrar>> make(Call& call) const;
  Result<std::shared_ptr<Registrar>> renew(const Remembered& before, Call& call) const;

  const Context context_;
  const std::shared_ptr<const issuance::Authority> authority_;
  const std::string record_;        // its key
  std::shared_ptr<Registrar> own_;  // the authority itself, where it has no other; constant
  Renewed<Registrar> renewed_;
};

}  // namespace hanaper::validity
