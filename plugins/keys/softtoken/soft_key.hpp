// A private key in this process, and its encrypted file.
#pragma once

#include <hanaper/keys.hpp>

#include <openssl/evp.h>

#include <memory>

namespace hanaper::softtoken {

struct PkeyFree {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;

// Signs with contexts kept for each thread: making one costs a fifth of a P-256 signature. Thread-safe.
class SoftKey final : public Key, public std::enable_shared_from_this<SoftKey> {
 public:
  // bad_key when OpenSSL's key is of a kind the SDK does not know.
  static Result<std::shared_ptr<SoftKey>> adopt(Pkey pkey);

  SoftKey(Pkey pkey, KeySpec spec, Bytes spki)
      : pkey_(std::move(pkey)), spec_(spec), spki_(std::move(spki)) {}

  KeySpec spec() const noexcept override { return spec_; }
  ByteView spki() const noexcept override { return spki_; }
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override;
  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) override;
  Result<Secret> decrypt(ByteView ciphertext) override;

  EVP_PKEY* pkey() const noexcept { return pkey_.get(); }

 private:
  const Pkey pkey_;
  const KeySpec spec_;
  const Bytes spki_;
};

Result<Pkey> generate(KeySpec spec);
Result<Pkey> from_pkcs8(const Secret& pkcs8);

// PEM of an EncryptedPrivateKeyInfo (RFC 5958 3): PBES2 with scrypt and AES-256-CBC, as `openssl pkey` reads
// it.
Result<std::string> encrypt(EVP_PKEY* pkey, const Secret& pin);
// forbidden when the PIN does not open it; malformed when the text is no encrypted key.
Result<Pkey> decrypt(const std::string& pem, const Secret& pin);

}  // namespace hanaper::softtoken
