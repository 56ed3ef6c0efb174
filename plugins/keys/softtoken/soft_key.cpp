#include "soft_key.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace hanaper::softtoken {
namespace {

// 16 MiB and some 50 ms for each guess.
constexpr std::uint64_t scrypt_n = 16384, scrypt_r = 8, scrypt_p = 1;

template <class T, auto Free>
struct Freeing {
  void operator()(T* object) const noexcept { Free(object); }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freeing<T, Free>>;
using Context = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
void free_bio(BIO* bio) { BIO_free(bio); }
using Bio = Owned<BIO, free_bio>;

std::string_view digest_name(SignatureScheme scheme) {
  switch (crypto::hash_of(scheme).value_or(crypto::Hash::sha256)) {
    case crypto::Hash::sha384:
      return "SHA384";
    case crypto::Hash::sha512:
      return "SHA512";
    default:
      return "SHA256";
  }
}

bool is_pss(SignatureScheme scheme) {
  return scheme == SignatureScheme::rsa_pss_sha256 || scheme == SignatureScheme::rsa_pss_sha384 ||
         scheme == SignatureScheme::rsa_pss_sha512;
}

Context make_context(EVP_PKEY* pkey, KeySpec spec, SignatureScheme scheme) {
  Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey, nullptr));
  if (!context || EVP_PKEY_sign_init(context.get()) != 1) return {};
  if (spec.type != KeyType::rsa) return context;
  const Owned<EVP_MD, EVP_MD_free> md(EVP_MD_fetch(nullptr, digest_name(scheme).data(), nullptr));
  if (EVP_PKEY_CTX_set_rsa_padding(context.get(),
                                   is_pss(scheme) ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), md.get()) != 1 ||
      (is_pss(scheme) && EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) != 1))
    return {};
  return context;
}

// The calling thread's contexts. An entry whose key is gone is dropped at the next miss.
struct Kept {
  std::weak_ptr<const SoftKey> key;
  const SoftKey* address;
  SignatureScheme scheme;
  Context context;
};

EVP_PKEY_CTX* context_for(const std::shared_ptr<const SoftKey>& key, SignatureScheme scheme) {
  thread_local std::vector<Kept> kept;
  for (const Kept& entry : kept)
    if (entry.address == key.get() && entry.scheme == scheme && !entry.key.expired())
      return entry.context.get();
  std::erase_if(kept, [](const Kept& entry) { return entry.key.expired(); });
  Context context = make_context(key->pkey(), key->spec(), scheme);
  if (!context) return nullptr;
  kept.push_back({key, key.get(), scheme, std::move(context)});
  return kept.back().context.get();
}

Error openssl_failed(std::string_view what) {
  ERR_clear_error();
  return internal("openssl: " + std::string(what) + " failed");
}

Error misfit(KeySpec spec, SignatureScheme scheme) {
  return unsupported("a key of type " + to_string(spec) + " cannot sign with " +
                     std::string(to_string(scheme)));
}

}  // namespace

Result<std::shared_ptr<SoftKey>> SoftKey::adopt(Pkey pkey) {
  unsigned char* encoded = nullptr;
  const int size = i2d_PUBKEY(pkey.get(), &encoded);
  if (size <= 0) return openssl_failed("encoding the public key");
  Bytes spki(encoded, encoded + size);
  OPENSSL_free(encoded);
  HANAPER_TRY(const x509::PublicKey key, x509::parse_public_key(spki));
  const KeySpec spec = key.spec;
  return std::make_shared<SoftKey>(std::move(pkey), spec, std::move(spki));
}

Result<Bytes> SoftKey::sign(SignatureScheme scheme, ByteView message) {
  if (!x509::fits(spec_, scheme)) return misfit(spec_, scheme);
  if (const auto hash = crypto::hash_of(scheme)) return sign_digest(scheme, crypto::digest(*hash, message));
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  Bytes signature(64);
  std::size_t size = signature.size();
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, pkey_.get(), nullptr) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return openssl_failed("signing");
  return signature;
}

Result<Bytes> SoftKey::sign_digest(SignatureScheme scheme, ByteView digest) {
  const auto hash = crypto::hash_of(scheme);
  if (!hash || !x509::fits(spec_, scheme)) return misfit(spec_, scheme);
  if (digest.size() != crypto::digest_size(*hash))
    return internal("digest of the wrong size for " + std::string(to_string(scheme)));
  EVP_PKEY_CTX* context = context_for(shared_from_this(), scheme);
  if (context == nullptr) return openssl_failed("preparing a signature");
  Bytes signature(spec_.type == KeyType::rsa ? (spec_.bits + 7u) / 8u : 144u);
  std::size_t size = signature.size();
  if (EVP_PKEY_sign(context, signature.data(), &size, digest.data(), digest.size()) != 1)
    return openssl_failed("signing");
  signature.resize(size);
  return signature;
}

Result<Secret> SoftKey::decrypt(ByteView ciphertext) {
  if (spec_.type != KeyType::rsa) return unsupported("a key of type " + to_string(spec_) + " cannot decrypt");
  const Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey_.get(), nullptr));
  std::string plain((spec_.bits + 7u) / 8u, '\0');
  std::size_t size = plain.size();
  if (ciphertext.size() != plain.size() || !context || EVP_PKEY_decrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_decrypt(context.get(), reinterpret_cast<unsigned char*>(plain.data()), &size,
                       ciphertext.data(), ciphertext.size()) != 1) {
    ERR_clear_error();
    return forbidden("decryption failed");
  }
  Secret whole(std::move(plain));
  return Secret(std::string(whole.reveal().substr(0, size)));
}

Result<Pkey> generate(KeySpec spec) {
  Pkey pkey;
  switch (spec.type) {
    case KeyType::rsa:
      pkey.reset(EVP_RSA_gen(spec.bits));
      break;
    case KeyType::ec_p256:
      pkey.reset(EVP_EC_gen("P-256"));
      break;
    case KeyType::ec_p384:
      pkey.reset(EVP_EC_gen("P-384"));
      break;
    case KeyType::ec_p521:
      pkey.reset(EVP_EC_gen("P-521"));
      break;
    case KeyType::ed25519:
      pkey.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
      break;
  }
  if (!pkey) return openssl_failed("generating a key");
  return pkey;
}

Result<Pkey> from_pkcs8(const Secret& pkcs8) {
  auto* octets = reinterpret_cast<const unsigned char*>(pkcs8.reveal().data());
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(
      d2i_PKCS8_PRIV_KEY_INFO(nullptr, &octets, static_cast<long>(pkcs8.reveal().size())));
  Pkey pkey(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
  ERR_clear_error();
  if (!pkey) return bad_key("not a PKCS#8 private key that OpenSSL can read");
  return pkey;
}

Result<std::string> encrypt(EVP_PKEY* pkey, const Secret& pin) {
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(EVP_PKEY2PKCS8(pkey));
  X509_ALGOR* algorithm =
      PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 16, nullptr, scrypt_n, scrypt_r, scrypt_p);
  if (!info || algorithm == nullptr) return openssl_failed("encrypting a key");
  const Owned<X509_SIG, X509_SIG_free> sealed(
      PKCS8_set0_pbe(pin.reveal().data(), static_cast<int>(pin.reveal().size()), info.get(), algorithm));
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!sealed || !bio || PEM_write_bio_PKCS8(bio.get(), sealed.get()) != 1)
    return openssl_failed("encrypting a key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Result<Pkey> decrypt(const std::string& pem, const Secret& pin) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Owned<X509_SIG, X509_SIG_free> sealed(bio ? PEM_read_bio_PKCS8(bio.get(), nullptr, nullptr, nullptr)
                                                  : nullptr);
  ERR_clear_error();
  if (!sealed) return malformed("not an encrypted private key (PEM \"ENCRYPTED PRIVATE KEY\")");
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(
      PKCS8_decrypt(sealed.get(), pin.reveal().data(), static_cast<int>(pin.reveal().size())));
  ERR_clear_error();
  if (!info) return forbidden("the pin does not open it");
  Pkey pkey(EVP_PKCS82PKEY(info.get()));
  if (!pkey) return malformed("holds no key that OpenSSL can read");
  return pkey;
}

}  // namespace hanaper::softtoken
