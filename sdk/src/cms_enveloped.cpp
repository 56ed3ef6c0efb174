// EnvelopedData (RFC 5652 6).
#include "crypto_context.hpp"

#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

namespace hanaper::cms {
namespace {

constexpr std::size_t max_recipients = 16;

struct CipherEntry {
  Cipher cipher;
  der::Oid oid;
  const EVP_CIPHER* (*openssl)();
  std::size_t key_size, block_size;
};
constexpr CipherEntry ciphers[] = {{Cipher::aes128_cbc, oid::aes128_cbc, EVP_aes_128_cbc, 16, 16},
                                   {Cipher::aes192_cbc, oid::aes192_cbc, EVP_aes_192_cbc, 24, 16},
                                   {Cipher::aes256_cbc, oid::aes256_cbc, EVP_aes_256_cbc, 32, 16},
                                   {Cipher::des3_cbc, oid::des3_cbc, EVP_des_ede3_cbc, 24, 8}};

const CipherEntry& entry(Cipher cipher) { return ciphers[static_cast<std::size_t>(cipher)]; }

using CmsPtr = crypto::Owned<CMS_ContentInfo, CMS_ContentInfo_free>;
using BioPtr = crypto::Owned<BIO, BIO_free_all>;
using crypto::X509Ptr;
using ObjectPtr = crypto::Owned<ASN1_OBJECT, ASN1_OBJECT_free>;
using CipherContextPtr = crypto::Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

Result<EnvelopedView::Recipient> parse_recipient(der::Reader reader) {
  EnvelopedView::Recipient recipient;
  HANAPER_CHECK(reader.read_unsigned());
  HANAPER_TRY(const std::optional<der::Element> identifier, reader.maybe(der::context_primitive(0)));
  if (identifier) {
    recipient.key_identifier = identifier->content;
  } else {
    HANAPER_TRY(der::Reader name, reader.enter(der::sequence));
    HANAPER_TRY(const der::Element issuer, name.expect(der::sequence));
    HANAPER_TRY(recipient.serial, name.read_integer());
    HANAPER_CHECK(name.finish());
    recipient.issuer = issuer.whole;
  }
  HANAPER_TRY(der::Reader algorithm, reader.enter(der::sequence));
  HANAPER_TRY(const ByteView type, algorithm.read_oid());
  if (oid::rsa_encryption != type) return unsupported("the key is not encrypted with RSA PKCS#1 v1.5");
  HANAPER_TRY(recipient.encrypted_key, reader.read_octets());
  HANAPER_CHECK(reader.finish());
  return recipient;
}

Status parse_cipher(der::Reader algorithm, EnvelopedView& view) {
  HANAPER_TRY(const ByteView type, algorithm.read_oid());
  for (const CipherEntry& one : ciphers) {
    if (one.oid != type) continue;
    view.cipher = one.cipher;
    HANAPER_TRY(view.iv, algorithm.read_octets());
    HANAPER_CHECK(algorithm.finish());
    if (view.iv.size() != one.block_size) return malformed("the initialisation vector has a wrong size");
    return {};
  }
  return unsupported("the content encryption algorithm is not supported");
}

// [0] IMPLICIT OCTET STRING; in pieces where it came as BER of indefinite length.
Result<Bytes> parse_ciphertext(der::Reader& reader) {
  if (reader.peek() == der::context_primitive(0)) {
    HANAPER_TRY(const der::Element whole, reader.next());
    return to_bytes(whole.content);
  }
  HANAPER_TRY(der::Reader pieces, reader.enter(der::context(0)));
  Bytes joined;
  while (!pieces.at_end()) {
    HANAPER_TRY(const ByteView piece, pieces.read_octets());
    joined.insert(joined.end(), piece.begin(), piece.end());
  }
  return joined;
}

Status add_recipient(CMS_ContentInfo* cms, const Recipient& recipient) {
  if (recipient.secret != nullptr) {
    const auto copy = [](ByteView octets) {
      return static_cast<unsigned char*>(OPENSSL_memdup(octets.data(), octets.size()));
    };
    const ByteView key = as_bytes(recipient.secret->reveal());
    unsigned char* own_key = copy(key);
    unsigned char* own_name = copy(recipient.secret_identifier);
    if (CMS_add0_recipient_key(cms, NID_undef, own_key, key.size(), own_name,
                               recipient.secret_identifier.size(), nullptr, nullptr, nullptr) != nullptr)
      return {};
    // What it has not taken is still ours.
    OPENSSL_clear_free(own_key, key.size());
    OPENSSL_free(own_name);
    return bad_key("the key for encryption is not one of AES");
  }
  HANAPER_CHECK(x509::check_chain_cost({&recipient.certificate, 1}));
  const X509Ptr certificate = crypto::read_certificate(recipient.certificate);
  const unsigned flags = recipient.by_key_identifier ? CMS_USE_KEYID : 0U;
  CMS_RecipientInfo* info =
      certificate ? CMS_add1_recipient_cert(cms, certificate.get(), flags | CMS_KEY_PARAM) : nullptr;
  if (info == nullptr) return bad_key("nothing can be encrypted to the recipient's key");
  // SHA-1 would be OpenSSL's choice.
  EVP_PKEY_CTX* context = CMS_RecipientInfo_get0_pkey_ctx(info);
  if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE &&
      (context == nullptr || EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) != 1))
    return bad_key("nothing can be agreed with the recipient's key");
  return {};
}

// The content key, encrypted with RSA PKCS#1 v1.5; empty when OpenSSL cannot.
Bytes encrypt_key(const x509::PublicKey& recipient, ByteView key) {
  const crypto::PkeyPtr pkey = crypto::rsa_key(recipient);
  const crypto::PkeyContextPtr context(pkey ? EVP_PKEY_CTX_new_from_pkey(nullptr, pkey.get(), nullptr)
                                            : nullptr);
  Bytes encrypted(recipient.modulus.size());
  std::size_t size = encrypted.size();
  if (!context || EVP_PKEY_encrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_encrypt(context.get(), encrypted.data(), &size, key.data(), key.size()) != 1)
    return {};
  return encrypted;
}

Bytes encrypt_content(const CipherEntry& cipher, ByteView key, ByteView iv, ByteView content) {
  const CipherContextPtr context(EVP_CIPHER_CTX_new());
  Bytes encrypted(content.size() + cipher.block_size);
  int size = 0, last = 0;
  if (!context || EVP_EncryptInit_ex(context.get(), cipher.openssl(), nullptr, key.data(), iv.data()) != 1 ||
      EVP_EncryptUpdate(context.get(), encrypted.data(), &size, content.data(),
                        static_cast<int>(content.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), encrypted.data() + size, &last) != 1)
    return {};
  encrypted.resize(static_cast<std::size_t>(size) + static_cast<std::size_t>(last));
  return encrypted;
}

// One recipient by issuerAndSerialNumber: what every SCEP answer is, and OpenSSL takes a fifth of a
// millisecond for.
Result<Bytes> envelop_rsa(ByteView content_type, ByteView content, const Holder& holder,
                          const x509::PublicKey& recipient, const CipherEntry& cipher) {
  Bytes key(cipher.key_size), iv(cipher.block_size);
  crypto::random(key);
  crypto::random(iv);
  const Bytes encrypted_key = encrypt_key(recipient, key);
  const Bytes encrypted = encrypt_content(cipher, key, iv, content);
  crypto::wipe(key);
  ERR_clear_error();
  if (encrypted_key.empty() || encrypted.empty())
    return bad_key("nothing can be encrypted to the recipient's key");
  der::Writer writer(content.size() + 1024);
  writer.sequence([&] {
    writer.constructed(der::context(0), [&] {
      writer.sequence([&] {
        writer.sequence([&] {
          writer.primitive(der::context_primitive(0), encrypted);
          writer.sequence([&] {
            writer.octets(iv);
            writer.oid(cipher.oid);
          });
          writer.oid(content_type);
        });
        writer.constructed(der::set, [&] {
          writer.sequence([&] {
            writer.octets(encrypted_key);
            writer.sequence([&] {
              writer.null();
              writer.oid(oid::rsa_encryption);
            });
            writer.sequence([&] {
              writer.integer(holder.serial);
              writer.raw(holder.issuer);
            });
            writer.integer(0);
          });
        });
        writer.integer(0);
      });
    });
    writer.oid(oid::enveloped_data);
  });
  return writer.bytes();
}

}  // namespace

Result<EnvelopedView> parse_enveloped(ByteView input) {
  if (input.size() > max_size) return malformed("a message of more than 1 MiB");
  HANAPER_TRY(der::Reader outer, der::open(input, der::sequence));
  HANAPER_TRY(const ByteView type, outer.read_oid());
  if (oid::enveloped_data != type) return malformed("not EnvelopedData");
  HANAPER_TRY(der::Reader wrapped, outer.enter(der::context(0)));
  HANAPER_CHECK(outer.finish());
  HANAPER_TRY(der::Reader reader, wrapped.enter(der::sequence));
  HANAPER_CHECK(wrapped.finish());

  EnvelopedView view;
  HANAPER_CHECK(reader.read_unsigned());
  HANAPER_CHECK(reader.maybe(der::context(0)));  // originatorInfo
  HANAPER_TRY(der::Reader recipients, reader.enter(der::set));
  for (std::size_t count = 0; !recipients.at_end(); ++count) {
    if (count == max_recipients) return malformed("too many recipients");
    HANAPER_TRY(const der::Element one, recipients.next());
    if (one.tag != der::sequence) continue;
    HANAPER_TRY(EnvelopedView::Recipient recipient, parse_recipient(der::Reader(one.content)));
    view.recipients.push_back(recipient);
  }
  HANAPER_TRY(der::Reader content, reader.enter(der::sequence));
  HANAPER_CHECK(reader.maybe(der::context(1)));  // unprotected attributes
  HANAPER_CHECK(reader.finish());
  HANAPER_TRY(view.content_type, content.read_oid());
  HANAPER_TRY(const der::Reader algorithm, content.enter(der::sequence));
  HANAPER_CHECK(parse_cipher(algorithm, view));
  HANAPER_TRY(view.ciphertext, parse_ciphertext(content));
  HANAPER_CHECK(content.finish());
  return view;
}

namespace {

// The plaintext with its padding.
Result<Secret> decipher(const EnvelopedView& view, const EnvelopedView::Recipient& recipient,
                        const Decrypt& decrypt) {
  const CipherEntry& cipher = entry(view.cipher);
  Bytes key(cipher.key_size);
  crypto::random(key);
  const auto opened = decrypt(recipient.encrypted_key);
  if (!opened && opened.error().code == Code::unavailable) return opened.error();
  if (opened && opened->reveal().size() == key.size())
    std::ranges::copy(as_bytes(opened->reveal()), key.begin());
  const CipherContextPtr context(EVP_CIPHER_CTX_new());
  std::string plain(view.ciphertext.size() + cipher.block_size, '\0');
  int size = 0;
  const bool good =
      context && !view.ciphertext.empty() && view.ciphertext.size() % cipher.block_size == 0 &&
      EVP_DecryptInit_ex(context.get(), cipher.openssl(), nullptr, key.data(), view.iv.data()) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
      EVP_DecryptUpdate(context.get(), reinterpret_cast<unsigned char*>(plain.data()), &size,
                        view.ciphertext.data(), static_cast<int>(view.ciphertext.size())) == 1;
  ERR_clear_error();
  crypto::wipe(key);
  const Secret whole(std::move(plain));
  if (!good) return malformed("the message cannot be decrypted");
  return Secret(std::string(whole.reveal().substr(0, static_cast<std::size_t>(size))));
}

// Whether what follows `size` octets is the padding they need (RFC 5652 6.3), found out without a branch on
// any of them.
bool is_padding(ByteView padded, std::size_t size, std::size_t block_size) {
  const std::size_t count = padded.size() - size;
  if (count == 0 || count > block_size) return false;
  unsigned different = 0;
  for (const std::uint8_t octet : padded.subspan(size)) different |= octet ^ static_cast<unsigned>(count);
  return different == 0;
}

// Of the element that the octets begin with; all of them where they begin with none, or where more follows
// than padding.
std::size_t size_of_der(ByteView padded, std::size_t block_size) {
  der::Reader reader(padded);
  const auto element = reader.next();
  const bool fits = element && padded.size() - element->whole.size() <= block_size;
  return fits ? element->whole.size() : padded.size();
}

}  // namespace

Result<Secret> open(const EnvelopedView& view, const EnvelopedView::Recipient& recipient,
                    const Decrypt& decrypt) {
  HANAPER_TRY(const Secret padded, decipher(view, recipient, decrypt));
  const std::string_view text = padded.reveal();
  const std::size_t count = static_cast<std::uint8_t>(text.back());
  if (count > text.size() || !is_padding(as_bytes(text), text.size() - count, entry(view.cipher).block_size))
    return malformed("the message cannot be decrypted");
  return Secret(std::string(text.substr(0, text.size() - count)));
}

Result<DerContent> open_der(const EnvelopedView& view, const EnvelopedView::Recipient& recipient,
                            const Decrypt& decrypt) {
  HANAPER_TRY(const Secret padded, decipher(view, recipient, decrypt));
  const ByteView octets = as_bytes(padded.reveal());
  const std::size_t block_size = entry(view.cipher).block_size;
  const std::size_t size = size_of_der(octets, block_size);
  return DerContent{Secret(std::string(padded.reveal().substr(0, size))),
                    is_padding(octets, size, block_size)};
}

Result<Bytes> envelop(ByteView content_type, ByteView content, const Recipient& recipient, Cipher cipher) {
  if (recipient.secret == nullptr && !recipient.by_key_identifier) {
    HANAPER_TRY(const Holder holder, parse_holder(recipient.certificate));
    const auto key = x509::parse_public_key(holder.spki);
    if (key && algorithms::family_of(key->spec.type) == algorithms::Family::rsa)
      return envelop_rsa(content_type, content, holder, *key, entry(cipher));
  }
  // Of what is empty it takes no null pointer.
  const BioPtr in(
      BIO_new_mem_buf(content.empty() ? "" : as_text(content).data(), static_cast<int>(content.size())));
  const CmsPtr cms(CMS_encrypt(nullptr, nullptr, entry(cipher).openssl(), CMS_PARTIAL | CMS_BINARY));
  const std::string type_text = der::oid_to_text(content_type);
  const ObjectPtr type(OBJ_txt2obj(type_text.c_str(), 1));
  if (!in || !cms || !type || CMS_set1_eContentType(cms.get(), type.get()) != 1)
    return internal("openssl cannot begin an envelope");
  if (Status added = add_recipient(cms.get(), recipient); !added) {
    ERR_clear_error();
    return std::move(added).error();
  }
  const bool done = CMS_final(cms.get(), in.get(), nullptr, CMS_BINARY) == 1;
  unsigned char* octets = nullptr;
  const int size = done ? i2d_CMS_ContentInfo(cms.get(), &octets) : -1;
  ERR_clear_error();
  if (size <= 0) return bad_key("nothing can be encrypted to the recipient's key");
  Bytes der(octets, octets + size);
  OPENSSL_free(octets);
  return der;
}

}  // namespace hanaper::cms
