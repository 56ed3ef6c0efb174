// Registrars: who speaks for an authority in protocols that sign and encrypt by themselves, such as SCEP.
#pragma once

#include <hanaper/keys.hpp>

namespace hanaper {

// An RSA key that the authority has certified for signing replies and for receiving what is secret, and for
// nothing else: an authority with another kind of key can serve such protocols, and its own key never
// decrypts what strangers send. Where the configuration says so, it is the authority's own key and
// certificate after all. Thread-safe.
class Registrar {
 public:
  virtual ~Registrar() = default;

  virtual ByteView certificate() const noexcept = 0;  // [any] DER, issued by the authority
  virtual ByteView spki() const noexcept = 0;         // [any] DER; it stays when the certificate is renewed
  virtual Time not_after() const noexcept = 0;        // [any]

  // [worker] The PKCS#1 v1.5 signature over DER SignedAttributes, as the SET OF that RFC 5652 5.4 has
  // signed; malformed for anything else, unsupported for another scheme.
  virtual Result<Bytes> sign(SignatureScheme scheme, ByteView signed_attributes) = 0;

  // [worker] What was encrypted to the certificate with RSA PKCS#1 v1.5; the same promises as Key::decrypt.
  virtual Result<Secret> decrypt(ByteView ciphertext) = 0;

 protected:
  Registrar() = default;
};

}  // namespace hanaper
