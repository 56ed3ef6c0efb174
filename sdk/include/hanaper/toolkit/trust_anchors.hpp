// Certificates of other authorities than ours, and whether they lead to an anchor we were given.
#pragma once

#include <hanaper/result.hpp>
#include <hanaper/values.hpp>

#include <memory>
#include <span>

using X509_STORE = struct x509_store_st;

namespace hanaper::x509 {

// Anchors and, where there are any, CRLs. One without anchors trusts nobody. Immutable; thread-safe.
class TrustAnchors {
 public:
  enum class Purpose : std::uint8_t { any, tls_client };
  // Keys and signatures have 112 bits of security (OpenSSL's level 2: no SHA-1, no RSA below 2048 bits); from
  // `old` makers RSA keys of 1024 bits and signatures with SHA-1 are taken as well.
  enum class Strength : std::uint8_t { current, old };

  // Trusts the DER certificates as anchors, whatever is above them. With CRLs (DER) every certificate below
  // an anchor needs one of its authority. malformed, with its number, for what cannot be read.
  static Result<TrustAnchors> make(std::span<const Bytes> anchors, std::span<const Bytes> crls,
                                   Purpose purpose, Strength strength);

  // RFC 5280 6.1 for `chain`, DER, the certificate in question first. What the chain may cost is looked at
  // before anything is computed. malformed: a certificate cannot be read; rejected, with the reason.
  Status check(std::span<const ByteView> chain, Time now) const;

 private:
  std::shared_ptr<X509_STORE> store_;  // shared with copies of this object
  Purpose purpose_ = Purpose::any;
  Strength strength_ = Strength::current;
};

}  // namespace hanaper::x509
