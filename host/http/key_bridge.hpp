// Private keys of key providers, as OpenSSL's TLS wants them.
#pragma once

#include <hanaper/keys.hpp>

#include <memory>

typedef struct evp_pkey_st EVP_PKEY;

namespace hanaper::http {

// A key whose signatures are made by `key`, which it keeps alive; the caller owns the result. unsupported for
// other keys than EC: OpenSSL pads RSA-PSS itself and then wants the raw operation, which a Key does not
// offer.
Result<EVP_PKEY*> bridge(std::shared_ptr<Key> key);

}  // namespace hanaper::http
