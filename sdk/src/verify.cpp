#include "crypto_context.hpp"

#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

namespace hanaper::crypto {
namespace {

PkeyPtr make_rsa_key(const x509::PublicKey& key) {
  const Owned<BIGNUM, BN_free> n(
      BN_bin2bn(key.modulus.data(), static_cast<int>(key.modulus.size()), nullptr));
  const Owned<BIGNUM, BN_free> e(
      BN_bin2bn(key.exponent.data(), static_cast<int>(key.exponent.size()), nullptr));
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return {};
  const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* made = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return {};
  return PkeyPtr(made);
}

}  // namespace

PkeyPtr rsa_key(const x509::PublicKey& key) {
  ThreadContext::Rsa& last = ThreadContext::local().last_rsa;
  if (!last.key || !equal(last.modulus, key.modulus) || !equal(last.exponent, key.exponent))
    last = {to_bytes(key.modulus), to_bytes(key.exponent), make_rsa_key(key)};
  if (!last.key) return {};
  EVP_PKEY_up_ref(last.key.get());
  return PkeyPtr(last.key.get());
}

namespace {

Error wrong_signature() { return forbidden("the signature does not verify"); }
Error misfit() { return bad_key("the key does not fit the signature algorithm"); }

Status outcome(int verified) {
  if (verified == 1) return {};
  ERR_clear_error();
  return wrong_signature();
}

Status verify_ecdsa(Hash hash, const x509::PublicKey& key, ByteView message, ByteView signature) {
  ThreadContext& context = ThreadContext::local();
  const ThreadContext::Curve& kept = context.curve(key.spec.type);
  if (EVP_PKEY_set1_encoded_public_key(kept.key.get(), key.point.data(), key.point.size()) != 1) {
    ERR_clear_error();
    return bad_key("the public key is not a point of its curve");
  }
  std::uint8_t digest[64];
  context.digest(hash, {&message, 1}, digest);
  if (EVP_PKEY_verify_init(kept.context.get()) != 1) return internal("openssl: cannot verify with this key");
  return outcome(
      EVP_PKEY_verify(kept.context.get(), signature.data(), signature.size(), digest, digest_size(hash)));
}

Status verify_rsa(bool pss, Hash hash, const x509::PublicKey& key, ByteView message, ByteView signature) {
  // A modulus beyond what check_public_key lets pass would only buy an attacker our time.
  if (key.modulus.size() > 1024) return bad_key("rsa modulus of more than 8192 bits");
  ThreadContext& context = ThreadContext::local();
  const PkeyPtr pkey = rsa_key(key);
  const PkeyContextPtr verifier(pkey ? EVP_PKEY_CTX_new_from_pkey(nullptr, pkey.get(), nullptr) : nullptr);
  if (!verifier || EVP_PKEY_verify_init(verifier.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(verifier.get(), pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_CTX_set_signature_md(verifier.get(), context.md(hash)) != 1 ||
      (pss && EVP_PKEY_CTX_set_rsa_pss_saltlen(verifier.get(), RSA_PSS_SALTLEN_DIGEST) != 1)) {
    ERR_clear_error();
    return bad_key("the rsa key cannot be used");
  }
  std::uint8_t digest[64];
  context.digest(hash, {&message, 1}, digest);
  return outcome(
      EVP_PKEY_verify(verifier.get(), signature.data(), signature.size(), digest, digest_size(hash)));
}

// Keys that OpenSSL takes as raw octets, and that sign messages.
Status verify_raw(const x509::PublicKey& key, ByteView message, ByteView signature) {
  const PkeyPtr pkey(EVP_PKEY_new_raw_public_key_ex(nullptr, algorithms::row(key.spec.type).openssl, nullptr,
                                                    key.point.data(), key.point.size()));
  const MdContextPtr verifier(EVP_MD_CTX_new());
  if (!pkey || !verifier ||
      EVP_DigestVerifyInit_ex(verifier.get(), nullptr, nullptr, nullptr, nullptr, pkey.get(), nullptr) != 1) {
    ERR_clear_error();
    return bad_key("the " + to_string(key.spec) + " key cannot be used");
  }
  return outcome(
      EVP_DigestVerify(verifier.get(), signature.data(), signature.size(), message.data(), message.size()));
}

}  // namespace

Status verify(SignatureScheme scheme, ByteView spki, ByteView message, ByteView signature) {
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  const algorithms::SchemeRow& row = algorithms::row(scheme);
  if (!x509::fits(key.spec, scheme)) return misfit();
  switch (algorithms::family_of(scheme)) {
    case algorithms::Family::ec:
      return verify_ecdsa(*row.hash, key, message, signature);
    case algorithms::Family::rsa:
      return verify_rsa(row.padding == algorithms::Padding::pss, *row.hash, key, message, signature);
    case algorithms::Family::edwards:
      return verify_raw(key, message, signature);
  }
  return unsupported("unknown signature scheme");
}

Status verify_sha1(ByteView spki, ByteView message, ByteView signature) {
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  if (key.spec.type != KeyType::rsa) return misfit();
  return verify_rsa(false, Hash::sha1, key, message, signature);
}

}  // namespace hanaper::crypto
