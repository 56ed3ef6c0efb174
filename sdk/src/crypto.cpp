#include "crypto_context.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/base64.hpp>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <stdexcept>

namespace hanaper::crypto {
namespace {

template <class T>
T* need(T* object) {
  if (object == nullptr) throw std::runtime_error("openssl: an algorithm or context is not available");
  return object;
}

}  // namespace

std::size_t digest_size(Hash hash) noexcept { return algorithms::row(hash).size; }

std::optional<Hash> hash_of(SignatureScheme scheme) noexcept { return algorithms::row(scheme).hash; }

ThreadContext& ThreadContext::local() {
  thread_local ThreadContext context;
  return context;
}

ThreadContext::ThreadContext() : md_context_(need(EVP_MD_CTX_new())) {
  for (std::size_t i = 0; i < mds_.size(); ++i)
    mds_[i].reset(need(EVP_MD_fetch(nullptr, algorithms::hashes[i].openssl, nullptr)));
}

void ThreadContext::digest(Hash hash, std::span<const ByteView> parts, std::uint8_t* out) {
  bool done = EVP_DigestInit_ex2(md_context_.get(), md(hash), nullptr) == 1;
  for (ByteView part : parts)
    done = done && EVP_DigestUpdate(md_context_.get(), part.data(), part.size()) == 1;
  if (!done || EVP_DigestFinal_ex(md_context_.get(), out, nullptr) != 1)
    throw std::runtime_error("openssl: digest failed");
}

ThreadContext::Curve& ThreadContext::curve(KeyType type) {
  Curve& curve = curves_[static_cast<std::size_t>(type)];
  if (curve.key) return curve;
  const PkeyContextPtr context(need(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                       const_cast<char*>(algorithms::row(type).openssl), 0),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEY_PARAMETERS, const_cast<OSSL_PARAM*>(parameters)) !=
          1)
    throw std::runtime_error("openssl: curve not available");
  curve.key.reset(made);
  curve.context.reset(need(EVP_PKEY_CTX_new_from_pkey(nullptr, made, nullptr)));
  return curve;
}

Bytes digest(Hash hash, ByteView message) {
  Bytes out(digest_size(hash));
  ThreadContext::local().digest(hash, {&message, 1}, out.data());
  return out;
}

Fingerprint sha256(ByteView message) { return sha256({message}); }

Fingerprint sha256(std::initializer_list<ByteView> parts) {
  Fingerprint out;
  ThreadContext::local().digest(Hash::sha256, {parts.begin(), parts.size()}, out.data());
  return out;
}

Fingerprint hmac_sha256(ByteView key, ByteView message) {
  std::array<std::uint8_t, 64> inner{}, outer{};
  if (key.size() > inner.size()) {
    const Fingerprint hashed = sha256(key);
    std::ranges::copy(hashed, inner.begin());
  } else {
    std::ranges::copy(key, inner.begin());
  }
  for (std::size_t i = 0; i < inner.size(); ++i) {
    outer[i] = inner[i] ^ 0x5c;
    inner[i] ^= 0x36;
  }
  const Fingerprint result = sha256({outer, sha256({inner, message})});
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return result;
}

struct Hasher::State {
  Hash hash;
  MdContextPtr context;
};

Hasher::Hasher(Hash hash) : state_(std::make_unique<State>(hash, MdContextPtr(need(EVP_MD_CTX_new())))) {
  if (EVP_DigestInit_ex2(state_->context.get(), ThreadContext::local().md(hash), nullptr) != 1)
    throw std::runtime_error("openssl: digest failed");
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(ByteView part) {
  if (EVP_DigestUpdate(state_->context.get(), part.data(), part.size()) != 1)
    throw std::runtime_error("openssl: digest failed");
}

Bytes Hasher::finish() {
  Bytes out(digest_size(state_->hash));
  if (EVP_DigestFinal_ex(state_->context.get(), out.data(), nullptr) != 1)
    throw std::runtime_error("openssl: digest failed");
  return out;
}

void random(std::span<std::uint8_t> octets) {
  ThreadContext& context = ThreadContext::local();
  if (octets.size() > context.pool.size() / 4) {
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1)
      throw std::runtime_error("openssl: no randomness");
    return;
  }
  if (context.pool_used + octets.size() > context.pool.size()) {
    if (RAND_bytes(context.pool.data(), static_cast<int>(context.pool.size())) != 1)
      throw std::runtime_error("openssl: no randomness");
    context.pool_used = 0;
  }
  const auto drawn = std::span(context.pool).subspan(context.pool_used, octets.size());
  std::ranges::copy(drawn, octets.begin());
  OPENSSL_cleanse(drawn.data(), drawn.size());  // nobody may read later what was given out now
  context.pool_used += octets.size();
}

std::string random_name(std::size_t octets) {
  Bytes drawn(octets);
  std::string name;
  do {
    random(drawn);
    name = base64::encode_url(drawn);
  } while (name.starts_with('-'));
  return name;
}

void wipe(std::span<std::uint8_t> octets) noexcept { OPENSSL_cleanse(octets.data(), octets.size()); }

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hanaper::crypto
