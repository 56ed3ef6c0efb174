// The methods below are of OpenSSL's older interface, which it keeps for keys that live elsewhere; a provider
// of our own would take ten times as much to do the same.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "key_bridge.hpp"

#include <hanaper/toolkit/algorithms.hpp>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>

namespace hanaper::http {
namespace {

using Held = std::shared_ptr<Key>;

void release(void*, void* held, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Held*>(held); }

int duplicate(CRYPTO_EX_DATA*, const CRYPTO_EX_DATA*, void** held, int, long, void*) {
  if (*held != nullptr) *held = new Held(*static_cast<Held*>(*held));
  return 1;
}

int place() {
  static const int index =
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EC_KEY, 0, nullptr, nullptr, duplicate, release);
  return index;
}

ECDSA_SIG* sign(const unsigned char* digest, int size, const BIGNUM*, const BIGNUM*, EC_KEY* key) {
  const auto* held = static_cast<const Held*>(EC_KEY_get_ex_data(key, place()));
  if (held == nullptr) return nullptr;
  const auto made_of = [&](const algorithms::SchemeRow& row) {
    return algorithms::family_of(row.key) == algorithms::Family::ec &&
           algorithms::row(*row.hash).size == static_cast<std::size_t>(size);
  };
  const auto* row = std::ranges::find_if(algorithms::schemes, made_of);
  if (row == std::end(algorithms::schemes)) return nullptr;
  const auto signature = (*held)->sign_digest(row->scheme, ByteView(digest, static_cast<std::size_t>(size)));
  if (!signature) return nullptr;
  const unsigned char* at = signature->data();
  return d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(signature->size()));
}

const EC_KEY_METHOD* method() {
  static const EC_KEY_METHOD* const made = [] {
    EC_KEY_METHOD* ours = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    int (*whole)(int, const unsigned char*, int, unsigned char*, unsigned*, const BIGNUM*, const BIGNUM*,
                 EC_KEY*) = nullptr;
    int (*setup)(EC_KEY*, BN_CTX*, BIGNUM**, BIGNUM**) = nullptr;
    EC_KEY_METHOD_get_sign(EC_KEY_OpenSSL(), &whole, &setup, nullptr);
    EC_KEY_METHOD_set_sign(ours, whole, setup, sign);
    return ours;
  }();
  return made;
}

}  // namespace

Result<EVP_PKEY*> bridge(std::shared_ptr<Key> key) {
  if (algorithms::family_of(key->spec().type) != algorithms::Family::ec)
    return unsupported("a key of type " + to_string(key->spec()) +
                       " cannot serve TLS from a key provider; "
                       "ec-p256, ec-p384 and ec-p521 can");
  const unsigned char* at = key->spki().data();
  EC_KEY* ec = d2i_EC_PUBKEY(nullptr, &at, static_cast<long>(key->spki().size()));
  EVP_PKEY* pkey = EVP_PKEY_new();
  auto held = std::make_unique<Held>(std::move(key));
  if (ec == nullptr || pkey == nullptr || EC_KEY_set_method(ec, method()) != 1 ||
      EC_KEY_set_ex_data(ec, place(), held.get()) != 1) {
    EC_KEY_free(ec);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return internal("openssl: the key cannot be bridged");
  }
  static_cast<void>(held.release());
  EVP_PKEY_assign_EC_KEY(pkey, ec);
  return pkey;
}

}  // namespace hanaper::http
