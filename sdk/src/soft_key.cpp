#include <hanaper/toolkit/soft_key.hpp>

#include "crypto_context.hpp"

#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace hanaper::crypto {
namespace {

// RFC 7914, 16 MiB and some 50 ms a round. OpenSSL reads PKCS#8 of up to 32 MiB, so that a pin which somebody
// thought up costs time instead of memory; one as long as `hanaper init` makes them nobody guesses.
constexpr std::uint64_t scrypt_n = 16384, scrypt_r = 8;
constexpr std::size_t too_long_to_guess = 32;
std::uint64_t rounds_for(const Secret& pin) { return pin.reveal().size() < too_long_to_guess ? 5 : 1; }

void free_bio(BIO* bio) { BIO_free(bio); }
using Bio = Owned<BIO, free_bio>;

PkeyContextPtr make_context(EVP_PKEY* pkey, KeySpec spec, SignatureScheme scheme) {
  PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey, nullptr));
  if (!context || EVP_PKEY_sign_init(context.get()) != 1) return {};
  if (algorithms::family_of(spec.type) != algorithms::Family::rsa) return context;
  const algorithms::SchemeRow& row = algorithms::row(scheme);
  const bool pss = row.padding == algorithms::Padding::pss;
  const MdPtr md(EVP_MD_fetch(nullptr, algorithms::row(*row.hash).openssl, nullptr));
  if (EVP_PKEY_CTX_set_rsa_padding(context.get(), pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), md.get()) != 1 ||
      (pss && EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) != 1))
    return {};
  return context;
}

// The calling thread's contexts. An entry whose key is gone is dropped at the next miss.
struct Kept {
  std::weak_ptr<const SoftKey> key;
  const SoftKey* address;
  SignatureScheme scheme;
  PkeyContextPtr context;
};

EVP_PKEY_CTX* context_for(const std::shared_ptr<const SoftKey>& key, SignatureScheme scheme) {
  thread_local std::vector<Kept> kept;
  for (const Kept& entry : kept)
    if (entry.address == key.get() && entry.scheme == scheme && !entry.key.expired())
      return entry.context.get();
  std::erase_if(kept, [](const Kept& entry) { return entry.key.expired(); });
  PkeyContextPtr context = make_context(key->pkey(), key->spec(), scheme);
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

void SoftKey::PkeyFree::operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }

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
  if (const auto hash = hash_of(scheme)) return sign_digest(scheme, crypto::digest(*hash, message));
  const MdContextPtr context(EVP_MD_CTX_new());
  Bytes signature(2 * algorithms::row(spec_.type).octets);
  std::size_t size = signature.size();
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, pkey_.get(), nullptr) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return openssl_failed("signing");
  return signature;
}

Result<Bytes> SoftKey::sign_digest(SignatureScheme scheme, ByteView digest) {
  const auto hash = hash_of(scheme);
  if (!hash || !x509::fits(spec_, scheme)) return misfit(spec_, scheme);
  if (digest.size() != digest_size(*hash))
    return internal("digest of the wrong size for " + std::string(to_string(scheme)));
  EVP_PKEY_CTX* context = context_for(shared_from_this(), scheme);
  if (context == nullptr) return openssl_failed("preparing a signature");
  Bytes signature(spec_.bits != 0 ? (spec_.bits + 7u) / 8u : 144u);
  std::size_t size = signature.size();
  if (EVP_PKEY_sign(context, signature.data(), &size, digest.data(), digest.size()) != 1)
    return openssl_failed("signing");
  signature.resize(size);
  return signature;
}

Result<Secret> SoftKey::decrypt(ByteView ciphertext) {
  if (!algorithms::row(spec_.type).encrypts)
    return unsupported("a key of type " + to_string(spec_) + " cannot decrypt");
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey_.get(), nullptr));
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

Result<std::shared_ptr<SoftKey>> SoftKey::generate(KeySpec spec) {
  Pkey pkey;
  const char* name = algorithms::row(spec.type).openssl;
  switch (algorithms::family_of(spec.type)) {
    case algorithms::Family::rsa:
      pkey.reset(EVP_RSA_gen(spec.bits));
      break;
    case algorithms::Family::ec:
      pkey.reset(EVP_EC_gen(name));
      break;
    case algorithms::Family::edwards:
      pkey.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, name));
      break;
  }
  ERR_clear_error();
  if (!pkey) return unsupported("openssl cannot generate a key of type " + to_string(spec));
  return adopt(std::move(pkey));
}

namespace {

// Encryption with CBC keeps a key secret and not whole: whoever may write the file can change the private
// half without the pin, and what such a key signs betrays the true one. So one signature has to fit the
// public half.
bool has_its_own_public_key(EVP_PKEY* pkey) {
  constexpr std::string_view text = "whether both halves of a key are one key's";
  const MdContextPtr signs(EVP_MD_CTX_new()), verifies(EVP_MD_CTX_new());
  Bytes signature(static_cast<std::size_t>(std::max(EVP_PKEY_get_size(pkey), 0)));
  std::size_t size = signature.size();
  const ByteView octets = as_bytes(text);
  const bool fits =
      signs && verifies && EVP_DigestSignInit(signs.get(), nullptr, nullptr, nullptr, pkey) == 1 &&
      EVP_DigestSign(signs.get(), signature.data(), &size, octets.data(), octets.size()) == 1 &&
      EVP_DigestVerifyInit(verifies.get(), nullptr, nullptr, nullptr, pkey) == 1 &&
      EVP_DigestVerify(verifies.get(), signature.data(), size, octets.data(), octets.size()) == 1;
  ERR_clear_error();
  return fits;
}

}  // namespace

Result<std::shared_ptr<SoftKey>> SoftKey::from_pkcs8(const Secret& pkcs8) {
  auto* octets = reinterpret_cast<const unsigned char*>(pkcs8.reveal().data());
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(
      d2i_PKCS8_PRIV_KEY_INFO(nullptr, &octets, static_cast<long>(pkcs8.reveal().size())));
  Pkey pkey(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
  ERR_clear_error();
  if (!pkey) return bad_key("not a PKCS#8 private key that OpenSSL can read");
  HANAPER_TRY(auto key, adopt(std::move(pkey)));
  if (!has_its_own_public_key(key->pkey())) return bad_key("the private key is not the public key's");
  return key;
}

namespace {

// Whether an encrypted key came in one piece: a pin is to blame for nothing else.
bool is_whole(const Secret& pem) {
  const Bio bio(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.reveal().size())));
  char *name = nullptr, *header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (!bio || PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
    ERR_clear_error();
    return false;
  }
  bool whole = true;
  if (std::string_view(name) == PEM_STRING_PKCS8) {
    const unsigned char* at = data;
    const Owned<X509_SIG, X509_SIG_free> sealed(d2i_X509_SIG(nullptr, &at, size));
    whole = sealed && at == data + size;
    ERR_clear_error();
  }
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  return whole;
}

}  // namespace

Result<std::shared_ptr<SoftKey>> SoftKey::from_pem(const Secret& pem, const Secret& pin) {
  const Bio bio(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.reveal().size())));
  const bool encrypted = pem.reveal().find("ENCRYPTED") != std::string_view::npos;
  // Without this OpenSSL would ask on the terminal.
  const auto give_pin = [](char* into, int size, int, void* from) -> int {
    const std::string_view text = static_cast<const Secret*>(from)->reveal();
    if (text.size() > static_cast<std::size_t>(size)) return -1;
    std::ranges::copy(text, into);
    return static_cast<int>(text.size());
  };
  Pkey pkey(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, give_pin, const_cast<Secret*>(&pin)) : nullptr);
  ERR_clear_error();
  if (pkey) {
    HANAPER_TRY(auto key, adopt(std::move(pkey)));
    if (has_its_own_public_key(key->pkey())) return key;
    return malformed("the file was changed: its private key is not its public key's; take it from a backup");
  }
  if (!encrypted) return malformed("not a private key in PEM");
  if (!is_whole(pem)) return malformed("the file is damaged: it holds no whole key; take it from a backup");
  // One flipped bit of what is encrypted looks the same as another pin.
  return forbidden("the pin does not open it, or the file is damaged");
}

Result<Secret> SoftKey::to_pkcs8() const {
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(EVP_PKEY2PKCS8(pkey_.get()));
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!info || !bio || i2d_PKCS8_PRIV_KEY_INFO_bio(bio.get(), info.get()) != 1)
    return openssl_failed("writing a key");
  char* octets = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &octets);
  return Secret(std::string(octets, static_cast<std::size_t>(size)));
}

Result<Secret> SoftKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_failed("writing a key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return Secret(std::string(text, static_cast<std::size_t>(size)));
}

Result<Bytes> SoftKey::to_pkcs12(ByteView certificate, const std::vector<Bytes>& above, const Secret& pin,
                                 const std::string& friendly_name) const {
  constexpr int rounds = 100'000;
  const auto own = read_certificate(certificate);
  const CertificatesPtr others(sk_X509_new_null());
  if (!own || !others) return malformed("the certificate cannot be read");
  if (X509_check_private_key(own.get(), pkey_.get()) != 1) {
    ERR_clear_error();
    return bad_key("the certificate is another key's");
  }
  for (const Bytes& der : above)
    if (auto one = read_certificate(der)) sk_X509_push(others.get(), one.release());
  Secret text(std::string(pin.reveal()));  // ends with a zero
  const Owned<PKCS12, PKCS12_free> made(PKCS12_create(text.reveal().data(), friendly_name.c_str(),
                                                      pkey_.get(), own.get(), others.get(), NID_aes_256_cbc,
                                                      NID_aes_256_cbc, rounds, rounds, 0));
  unsigned char* octets = nullptr;
  const int size = made ? i2d_PKCS12(made.get(), &octets) : -1;
  if (size <= 0) return openssl_failed("writing a PFX");
  Bytes der(octets, octets + size);
  OPENSSL_free(octets);
  return der;
}

Result<std::string> SoftKey::to_encrypted_pem(const Secret& pin) const {
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(EVP_PKEY2PKCS8(pkey_.get()));
  X509_ALGOR* algorithm =
      PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 16, nullptr, scrypt_n, scrypt_r, rounds_for(pin));
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

}  // namespace hanaper::crypto
