#include "trust.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace hanaper::mtls {
namespace {

constexpr std::size_t max_file = 16 * 1024 * 1024;
constexpr int max_depth = 8;
constexpr int bits_112 = 2;  // what OpenSSL calls its level

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Crl = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;
using Context = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;

Certificate certificate_of(ByteView der) {
  const unsigned char* octets = der.data();
  return Certificate(d2i_X509(nullptr, &octets, static_cast<long>(der.size())));
}

struct CertificatesFreed {
  void operator()(STACK_OF(X509) * list) const noexcept { sk_X509_pop_free(list, X509_free); }
};

// Calls `add(der)` for each block of that label; malformed when there is none or `add` says no.
template <class Add>
Status each_block(const std::string& path, std::string_view label, Add&& add) {
  HANAPER_TRY(const std::string text, files::read_trusted(path, max_file));
  auto blocks = pem::decode(text);
  if (!blocks) return std::move(blocks).error().within(path);
  std::size_t found = 0;
  for (const pem::Block& block : *blocks) {
    if (block.label != label) continue;
    if (!add(block.der))
      return malformed(path + ": its " + std::to_string(found + 1) + ". " + std::string(label) +
                       " cannot be read");
    ++found;
  }
  if (found == 0) return malformed(path + ": no " + std::string(label) + " in it");
  return {};
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

struct NameFreed {
  void operator()(X509_NAME* name) const noexcept { X509_NAME_free(name); }
};

}  // namespace

Result<Trust> Trust::load(const std::string& anchors, const std::string& crls, bool old) {
  Trust trust;
  trust.store_ = std::shared_ptr<X509_STORE>(X509_STORE_new(), X509_STORE_free);
  if (trust.store_ == nullptr) return internal("no memory for a trust store");
  HANAPER_CHECK(each_block(anchors, "CERTIFICATE", [&](ByteView der) {
    const Certificate certificate = certificate_of(der);
    return certificate && X509_STORE_add_cert(trust.store_.get(), certificate.get()) == 1;
  }));
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (!crls.empty()) {
    HANAPER_CHECK(each_block(crls, "X509 CRL", [&](ByteView der) {
      const unsigned char* octets = der.data();
      const Crl crl(d2i_X509_CRL(nullptr, &octets, static_cast<long>(der.size())));
      return crl && X509_STORE_add_crl(trust.store_.get(), crl.get()) == 1;
    }));
    flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  }
  X509_STORE_set_flags(trust.store_.get(), flags);
  X509_STORE_set_depth(trust.store_.get(), max_depth);
  X509_STORE_set_verify_cb(trust.store_.get(), needs_no_crl);
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(trust.store_.get()), old ? 0 : bits_112);
  trust.old_ = old;
  return trust;
}

Status Trust::check(const std::vector<ByteView>& chain, Time now) const {
  const auto refused = [](std::string why) { return Error{Code::unauthenticated, std::move(why)}; };
  if (const Status cost = x509::check_chain_cost(chain); !cost)
    return refused("the client certificate is not looked at: " + cost.error().detail);
  const Certificate leaf = certificate_of(chain.front());
  const std::unique_ptr<STACK_OF(X509), CertificatesFreed> others(sk_X509_new_null());
  const Context context(X509_STORE_CTX_new());
  if (!others || !context) return internal("no memory to check a chain");
  if (!leaf) return refused("a client certificate that cannot be read");
  for (std::size_t i = 1; i < chain.size(); ++i)
    if (Certificate other = certificate_of(chain[i]); other && sk_X509_push(others.get(), other.get()) != 0)
      static_cast<void>(other.release());
  if (X509_STORE_CTX_init(context.get(), store_.get(), leaf.get(), others.get()) != 1 ||
      X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT) != 1)
    return internal("a chain cannot be checked");
  X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(now));
  if (X509_verify_cert(context.get()) == 1) {
    if (old_ && !is_of_old_strength(context.get()))
      return refused("the client certificate is not trusted: a key or a signature of its chain is too weak");
    return {};
  }
  return refused(std::string("the client certificate is not trusted: ") +
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

bool same_name(ByteView a, ByteView b) {
  if (equal(a, b)) return true;
  const auto read = [](ByteView der) {
    const unsigned char* octets = der.data();
    return std::unique_ptr<X509_NAME, NameFreed>(
        d2i_X509_NAME(nullptr, &octets, static_cast<long>(der.size())));
  };
  const auto first = read(a), second = read(b);
  return first && second && X509_NAME_cmp(first.get(), second.get()) == 0;
}

}  // namespace hanaper::mtls
