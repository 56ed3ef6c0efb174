// Asking somebody else whether a challenge is good.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/toolkit/certificate.hpp>

namespace hanaper::scep {

// POSTs {"transaction", "challenge", "subject", "names", "key", "csr"} as JSON and wants {"allow", "reason"}.
// Thread-safe.
class Webhook {
 public:
  struct Place {
    std::string url;
    Secret authorization;  // the field's whole value; empty: none
    std::string roots;     // PEM; empty: the system's
  };
  Webhook(Place place, Host& host) : place_(std::move(place)), host_(host) {}

  // [worker] Success is a clear yes. forbidden with the reason for everything else that was answered;
  // unavailable when nobody answered in time.
  Status ask(std::string_view transaction, const x509::CsrView& csr, ByteView der, Call& call) const;

 private:
  const Place place_;
  Host& host_;
};

}  // namespace hanaper::scep
