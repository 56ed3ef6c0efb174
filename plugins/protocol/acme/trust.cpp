#include "trust.hpp"

#include <hanaper/toolkit/public_key.hpp>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace hanaper::acme {
namespace {

constexpr int max_depth = 6;
constexpr int bits_112 = 2;  // OpenSSL's level of security: no SHA-1, no RSA below 2048 bits

struct Freed {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(X509_STORE_CTX* context) const noexcept { X509_STORE_CTX_free(context); }
  void operator()(STACK_OF(X509) * list) const noexcept { sk_X509_pop_free(list, X509_free); }
};
using Certificate = std::unique_ptr<X509, Freed>;

Certificate certificate_of(ByteView der) {
  const unsigned char* octets = der.data();
  return Certificate(d2i_X509(nullptr, &octets, static_cast<long>(der.size())));
}

}  // namespace

Result<DeviceTrust> DeviceTrust::make(const std::vector<Bytes>& roots) {
  DeviceTrust trust;
  trust.store_ = std::shared_ptr<X509_STORE>(X509_STORE_new(), X509_STORE_free);
  if (trust.store_ == nullptr) return internal("no memory for a trust store");
  for (const Bytes& der : roots) {
    const Certificate root = certificate_of(der);
    if (!root || X509_STORE_add_cert(trust.store_.get(), root.get()) != 1)
      return malformed("a certificate cannot be read");
  }
  X509_STORE_set_flags(trust.store_.get(), X509_V_FLAG_PARTIAL_CHAIN);
  X509_STORE_set_depth(trust.store_.get(), max_depth);
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(trust.store_.get()), bits_112);
  return trust;
}

Status DeviceTrust::check(const std::vector<ByteView>& chain, Time now) const {
  if (store_ == nullptr) return malformed("x5c: not trusted: nobody may attest devices here");
  if (const Status cost = x509::check_chain_cost(chain); !cost)
    return malformed(cost.error().code == Code::malformed ? "x5c: a certificate cannot be read"
                                                          : "x5c: not trusted: " + cost.error().detail);
  const std::unique_ptr<STACK_OF(X509), Freed> others(sk_X509_new_null());
  const std::unique_ptr<X509_STORE_CTX, Freed> context(X509_STORE_CTX_new());
  if (!others || !context) return internal("no memory to check a chain");
  const Certificate leaf = certificate_of(chain.front());
  if (!leaf) return malformed("x5c: a certificate cannot be read");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    Certificate other = certificate_of(chain[i]);
    if (!other) return malformed("x5c: a certificate cannot be read");
    if (sk_X509_push(others.get(), other.get()) != 0) static_cast<void>(other.release());
  }
  if (X509_STORE_CTX_init(context.get(), store_.get(), leaf.get(), others.get()) != 1 ||
      X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_ANY) != 1)
    return internal("a chain cannot be checked");
  X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(now));
  if (X509_verify_cert(context.get()) == 1) return {};
  return malformed(std::string("x5c: not trusted: ") +
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

}  // namespace hanaper::acme
