#include "crypto_context.hpp"

#include <hanaper/toolkit/trust_anchors.hpp>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace hanaper::x509 {
namespace {

using crypto::CertificatesPtr;
using crypto::Owned;
using crypto::X509Ptr;
using CrlPtr = Owned<X509_CRL, X509_CRL_free>;
using ContextPtr = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

constexpr int max_depth = 8;
constexpr int bits_112 = 2;  // what OpenSSL calls its level

CrlPtr crl_of(ByteView der) {
  const unsigned char* octets = der.data();
  return CrlPtr(d2i_X509_CRL(nullptr, &octets, static_cast<long>(der.size())));
}

Error cannot_be_read(std::string_view what, std::size_t index) {
  ERR_clear_error();
  return malformed("its " + std::to_string(index + 1) + ". " + std::string(what) + " cannot be read");
}

// Everything below an anchor needs a CRL that does not list it; the anchor is trusted because we say so.
int needs_no_crl(int good, X509_STORE_CTX* context) {
  const int top = sk_X509_num(X509_STORE_CTX_get0_chain(context)) - 1;
  const int depth = X509_STORE_CTX_get_error_depth(context);
  const int error = X509_STORE_CTX_get_error(context);
  const bool no_crl = error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER ||
                      error == X509_V_ERR_CRL_SIGNATURE_FAILURE || error == X509_V_ERR_DIFFERENT_CRL_SCOPE;
  if (!no_crl || depth == 0 || depth != top) return good;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

// SHA-1 counts for 63 bits and RSA-1024 for 80 in OpenSSL, which has no level that takes both and refuses
// MD5.
bool is_of_old_strength(X509_STORE_CTX* context) {
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* certificate = sk_X509_value(chain, i);
    const EVP_PKEY* key = X509_get0_pubkey(certificate);
    if (key == nullptr || EVP_PKEY_get_security_bits(key) < 80) return false;
    int bits = 0;
    const bool known = X509_get_signature_info(certificate, nullptr, nullptr, &bits, nullptr) == 1;
    const bool anchor = i + 1 == sk_X509_num(chain);  // its own signature proves nothing
    if (!anchor && (!known || bits < 63)) return false;
  }
  return true;
}

}  // namespace

Result<TrustAnchors> TrustAnchors::make(std::span<const Bytes> anchors, std::span<const Bytes> crls,
                                        Purpose purpose, Strength strength) {
  TrustAnchors made;
  made.purpose_ = purpose;
  made.strength_ = strength;
  made.store_ = std::shared_ptr<X509_STORE>(X509_STORE_new(), X509_STORE_free);
  X509_STORE* store = made.store_.get();
  if (store == nullptr) return internal("no memory for a trust store");
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    const X509Ptr anchor = crypto::read_certificate(anchors[i]);
    if (!anchor || X509_STORE_add_cert(store, anchor.get()) != 1) return cannot_be_read("CERTIFICATE", i);
  }
  for (std::size_t i = 0; i < crls.size(); ++i) {
    const CrlPtr crl = crl_of(crls[i]);
    if (!crl || X509_STORE_add_crl(store, crl.get()) != 1) return cannot_be_read("X509 CRL", i);
  }
  const unsigned long asked = crls.empty() ? 0 : X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | asked);
  X509_STORE_set_depth(store, max_depth);
  X509_STORE_set_verify_cb(store, needs_no_crl);
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(store), strength == Strength::old ? 0 : bits_112);
  return made;
}

Status TrustAnchors::check(std::span<const ByteView> chain, Time now) const {
  if (store_ == nullptr || chain.empty()) return rejected("nobody is trusted");
  if (const Status cost = check_chain_cost(chain); !cost)
    return cost.error().code == Code::malformed ? malformed("a certificate cannot be read")
                                                : rejected(cost.error().detail);
  const X509Ptr leaf = crypto::read_certificate(chain.front());
  const CertificatesPtr others(sk_X509_new_null());
  const ContextPtr context(X509_STORE_CTX_new());
  if (!others || !context) return internal("no memory to check a chain");
  if (!leaf) return cannot_be_read("certificate", 0);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    X509Ptr other = crypto::read_certificate(chain[i]);
    if (!other) return cannot_be_read("certificate", i);
    if (sk_X509_push(others.get(), other.get()) > 0) static_cast<void>(other.release());
  }
  const int purpose = purpose_ == Purpose::any ? X509_PURPOSE_ANY : X509_PURPOSE_SSL_CLIENT;
  if (X509_STORE_CTX_init(context.get(), store_.get(), leaf.get(), others.get()) != 1 ||
      X509_STORE_CTX_set_purpose(context.get(), purpose) != 1)
    return internal("a chain cannot be checked");
  X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(now));
  const bool good = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (!good) return rejected(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  if (strength_ == Strength::old && !is_of_old_strength(context.get()))
    return rejected("a key or a signature of its chain is too weak");
  return {};
}

}  // namespace hanaper::x509
