// Private keys in this process: for key providers that keep them in files, for keys made on behalf of
// somebody, and for tests.
#pragma once

#include <hanaper/keys.hpp>

#include <memory>

typedef struct evp_pkey_st EVP_PKEY;

namespace hanaper::crypto {

// A key in memory. Signs with contexts kept for each thread: making one costs a fifth of a P-256 signature.
// Thread-safe.
class SoftKey final : public Key, public std::enable_shared_from_this<SoftKey> {
 public:
  // unsupported when this OpenSSL cannot generate such a key.
  static Result<std::shared_ptr<SoftKey>> generate(KeySpec spec);

  // From a PKCS#8 PrivateKeyInfo, DER (RFC 5958). bad_key when it is none, of a kind the SDK does not know,
  // or when its public key is another's.
  static Result<std::shared_ptr<SoftKey>> from_pkcs8(const Secret& pkcs8);

  // From PEM: PRIVATE KEY, EC PRIVATE KEY, RSA PRIVATE KEY, or ENCRYPTED PRIVATE KEY with its pin. forbidden
  // when the pin does not open it; malformed when it is no private key, or its public key is another's.
  static Result<std::shared_ptr<SoftKey>> from_pem(const Secret& pem, const Secret& pin);

  // An unencrypted PrivateKeyInfo (RFC 5958), as DER and as PEM.
  Result<Secret> to_pkcs8() const;
  Result<Secret> to_pem() const;

  // PEM of an EncryptedPrivateKeyInfo: PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), as `openssl
  // pkey` reads it.
  Result<std::string> to_encrypted_pem(const Secret& pin) const;

  // A PFX (RFC 7292) with this key, its certificate and those above it, encrypted under the pin by AES-256.
  // bad_key when the certificate is another key's.
  Result<Bytes> to_pkcs12(ByteView certificate, const std::vector<Bytes>& above, const Secret& pin,
                          const std::string& friendly_name) const;

  KeySpec spec() const noexcept override { return spec_; }
  ByteView spki() const noexcept override { return spki_; }
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override;
  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) override;
  Result<Secret> decrypt(ByteView ciphertext) override;

  EVP_PKEY* pkey() const noexcept { return pkey_.get(); }

  struct PkeyFree {
    void operator()(EVP_PKEY* key) const noexcept;
  };
  using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;
  SoftKey(Pkey pkey, KeySpec spec, Bytes spki)
      : pkey_(std::move(pkey)), spec_(spec), spki_(std::move(spki)) {}

 private:
  static Result<std::shared_ptr<SoftKey>> adopt(Pkey pkey);

  const Pkey pkey_;
  const KeySpec spec_;
  const Bytes spki_;
};

}  // namespace hanaper::crypto
