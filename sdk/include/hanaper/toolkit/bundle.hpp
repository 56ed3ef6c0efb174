// Certificates and CRLs as programs hand them on: PEM, DER, PKCS#7 and PKCS#12.
#pragma once

#include <hanaper/values.hpp>

#include <vector>

namespace hanaper::x509 {

// One file; larger ones are malformed. A CRL that stands alone may be of any size.
inline constexpr std::size_t max_bundle = 64 * 1024 * 1024;

// DER each, in the order of the file. None of them has been read yet.
struct Bundle {
  std::vector<Bytes> certificates, crls;
};

// What the octets hold: PEM with any text and keys between its blocks, which are passed over; one certificate
// or CRL; a PKCS#7 SignedData, whose signature is not looked at; a PKCS#12, which `pin` opens. malformed when
// it is none of these; forbidden when the pin does not open it; unsupported for what OpenSSL does not
// decrypt.
Result<Bundle> read_bundle(ByteView octets, const Secret& pin);

}  // namespace hanaper::x509
