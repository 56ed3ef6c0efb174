#include "ticket_keys.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <algorithm>

namespace hanaper::http {
namespace {

constexpr int iv_size = 16;

// What the callback answers: an error, a full handshake, a good ticket, a good ticket that wants a new one.
enum Answer : int { failed = -1, unknown = 0, good = 1, renew = 2 };

bool set_mac(EVP_MAC_CTX* mac, const std::array<std::uint8_t, 32>& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(
                                       OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key.data()), key.size()),
                                   OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

// The place in a context where its keys are; given once in the life of the process.
int place() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

TicketKeys::Key::Key() {
  crypto::random(name);
  crypto::random(cipher);
  crypto::random(mac);
}
TicketKeys::Key::~Key() {
  crypto::wipe(cipher);
  crypto::wipe(mac);
}

TicketKeys::TicketKeys() : current_(std::make_shared<const Key>()) {}

void TicketKeys::rotate() {
  auto next = std::make_shared<const Key>();
  const Lock lock(mutex_);
  previous_ = std::exchange(current_, std::move(next));
}

void TicketKeys::use_in(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, place(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, prepare);
}

std::shared_ptr<const TicketKeys::Key> TicketKeys::current() const {
  const Lock lock(mutex_);
  return current_;
}

TicketKeys::Found TicketKeys::find(const unsigned char* name) const {
  const Lock lock(mutex_);
  const auto has_name = [&](const auto& key) {
    return key != nullptr && std::equal(key->name.begin(), key->name.end(), name);
  };
  if (has_name(current_)) return {current_, true};
  if (has_name(previous_)) return {previous_, false};
  return {nullptr, false};
}

int TicketKeys::prepare(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac, int seals) {
  const auto* keys = static_cast<const TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place()));
  if (keys == nullptr) return failed;
  if (seals == 0) {
    const Found found = keys->find(name);
    if (found.key == nullptr) return unknown;
    if (!set_mac(mac, found.key->mac) ||
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, found.key->cipher.data(), iv) != 1)
      return failed;
    return found.is_current ? good : renew;
  }
  const auto key = keys->current();
  crypto::random({iv, iv_size});
  if (!set_mac(mac, key->mac) ||
      EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) != 1)
    return failed;
  std::ranges::copy(key->name, name);
  return good;
}

}  // namespace hanaper::http
