// What each thread keeps of OpenSSL: fetched algorithms and reusable contexts.
#pragma once

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <memory>

namespace hanaper::crypto {

template <auto Free>
struct Freeing {
  void operator()(auto* object) const noexcept { Free(object); }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freeing<Free>>;

using PkeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using PkeyContextPtr = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using MdPtr = Owned<EVP_MD, EVP_MD_free>;
using MdContextPtr = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using X509Ptr = Owned<X509, X509_free>;

// Null for what cannot be read.
inline X509Ptr read_certificate(ByteView der) {
  const unsigned char* at = der.data();
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

inline void free_certificates(STACK_OF(X509) * certificates) { sk_X509_pop_free(certificates, X509_free); }
using CertificatesPtr = Owned<STACK_OF(X509), free_certificates>;

class ThreadContext {
 public:
  static ThreadContext& local();

  ThreadContext();

  const EVP_MD* md(Hash hash) const noexcept { return mds_[static_cast<std::size_t>(hash)].get(); }
  // Digest of `parts` into `out`, with a kept context.
  void digest(Hash hash, std::span<const ByteView> parts, std::uint8_t* out);

  // A kept EC key of that curve, to be given a point with EVP_PKEY_set1_encoded_public_key, and a context
  // over it, to be initialised for each use: that is when OpenSSL looks at the key again.
  struct Curve {
    PkeyPtr key;
    PkeyContextPtr context;
  };
  Curve& curve(KeyType type);

  // The RSA public key that was used last, with what OpenSSL has computed for it: a device's message, its
  // request and our answer to it are all about one key.
  struct Rsa {
    Bytes modulus, exponent;
    PkeyPtr key;
  };
  Rsa last_rsa;

  std::array<std::uint8_t, 4096> pool{};
  std::size_t pool_used = 4096;

 private:
  std::array<MdPtr, std::size(algorithms::hashes)> mds_;
  MdContextPtr md_context_;
  std::array<Curve, std::size(algorithms::keys)> curves_;  // of keys that have curves
};

// An RSA public key from its numbers, without OpenSSL's decoders; null when OpenSSL does not take them.
PkeyPtr rsa_key(const x509::PublicKey& key);

}  // namespace hanaper::crypto
