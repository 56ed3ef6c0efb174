// Who may attest devices: the roots of their makers, from files.
#pragma once

#include <hanaper/values.hpp>

#include <memory>

using X509_STORE = struct x509_store_st;

namespace hanaper::acme {

// Trusts nobody unless made with roots. Immutable: thread-safe.
class DeviceTrust {
 public:
  // Trusts the DER certificates. malformed for one that cannot be read.
  static Result<DeviceTrust> make(const std::vector<Bytes>& roots);

  // malformed unless `chain`, DER, the device's own first, leads to one of the roots.
  Status check(const std::vector<ByteView>& chain, Time now) const;

 private:
  std::shared_ptr<X509_STORE> store_;  // shared with copies of this object
};

}  // namespace hanaper::acme
